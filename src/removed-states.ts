import type { InstanceState } from './instance-state.js';
import type { Clock, Instance } from './types.js';

/** How long the state of a removed instance is remembered, should it come back. */
const KEEP_REMOVED_MS = 600_000;

/** The records of instances that have left the list. */
export class RemovedStates {
  readonly #removed = new Map<string, { readonly state: InstanceState; readonly atMs: number }>();

  constructor(private readonly clock: Clock) {}

  remember(state: InstanceState): void {
    this.#removed.set(keyOf(state.instance), { state, atMs: this.clock.now() });
  }

  /** The record of an instance that comes back; it is handed over. */
  recall(instance: Instance): InstanceState | undefined {
    const key = keyOf(instance);
    const remembered = this.#removed.get(key);
    this.#removed.delete(key);
    return remembered?.state;
  }

  /** Those with attempts still in flight. */
  leaving(): readonly InstanceState[] {
    return [...this.#removed.values()]
      .map(({ state }) => state)
      .filter((state) => state.pending > 0);
  }

  /** Runs with each snapshot, so needs no timer: without snapshots nothing is removed either. */
  forgetOld(): void {
    const oldest = this.clock.now() - KEEP_REMOVED_MS;
    for (const [key, { state, atMs }] of this.#removed) {
      if (atMs > oldest || state.pending > 0) continue;
      state.shutdown();
      this.#removed.delete(key);
    }
  }

  shutdown(): void {
    for (const { state } of this.#removed.values()) state.shutdown();
  }
}

/** What was learned is of a process at an address: the same id elsewhere is another. */
function keyOf({ id, url }: Instance): string {
  return `${id} ${url}`;
}
