import type { Bulkhead, Turn } from './bulkhead.js';
import type { InstanceSet } from './instance-set.js';
import type { Selection } from './selection.js';
import type { Clock } from './types.js';

/** What a wait goes by, of what a call needs of its client. */
export interface WaitDeps {
  readonly set: InstanceSet;
  readonly selection: Selection;
  readonly env: { readonly clock: Clock };
  /** What bounds the calls of the client together; `undefined` where nothing does. */
  readonly guards: { readonly bulkhead: Bulkhead | undefined };
}

/** True where a call may not go out at once: calls are bounded, or there is no list yet. */
export function mustWait(deps: WaitDeps, nowMs: number): boolean {
  return deps.guards.bulkhead !== undefined || lacksList(deps, nowMs);
}

function lacksList({ set, selection }: WaitDeps, nowMs: number): boolean {
  return set.status === 'waiting' || selection.isPending(nowMs);
}

/** One call's wait before its first attempt: for its turn, and for the first list. */
export class CallWait {
  /** It is under way within the bound on calls. */
  #hasTurn = false;

  constructor(
    private readonly deps: WaitDeps,
    private readonly turn: Turn,
  ) {}

  /** @param notReady what it rejects with where there is no list within the deadline. */
  async over(notReady: () => Error): Promise<void> {
    const { set, selection, env, guards } = this.deps;
    const { clock } = env;
    if (guards.bulkhead !== undefined) {
      await guards.bulkhead.enter(this.turn);
      this.#hasTurn = true;
    }
    if (!lacksList(this.deps, clock.now())) return;
    await set.whenListed({
      until: () => set.isAnswered() && !selection.isPending(clock.now()),
      deadlineMs: this.turn.deadlineMs,
      error: notReady,
      signal: this.turn.signal,
    });
  }

  /** The call is over: its turn is another's. */
  leave(): void {
    if (this.#hasTurn) this.deps.guards.bulkhead?.leave();
  }
}
