import { type KeyRead, type KeyState, tokenOf } from './key-state.js';

/** What one candidate has seen of the key, over all of its sessions. */
export class LockHistory {
  #highestToken = 0;
  #index = 0;
  #holder: 'own' | 'other' | 'nobody' = 'nobody';

  /** No leader this candidate knows of had a higher token. */
  get highestToken(): number {
    return this.#highestToken;
  }

  /**
   * @returns true when Consul has forgotten a leader that may still believe to lead, and so keeps no lock-delay for it:
   * the key was deleted, or Consul lost its state and counts anew.
   */
  note({ state, index }: KeyRead, ownSession: string): boolean {
    const hasForgotten =
      state === undefined ? this.#holder === 'other' : index > 0 && index < this.#index;
    this.#index = index;
    this.#holder = holderOf(state, ownSession);
    if (state !== undefined) this.#highestToken = Math.max(this.#highestToken, tokenOf(state));
    return hasForgotten;
  }
}

function holderOf(state: KeyState | undefined, ownSession: string): 'own' | 'other' | 'nobody' {
  if (state?.session === undefined) return 'nobody';
  return state.session === ownSession ? 'own' : 'other';
}
