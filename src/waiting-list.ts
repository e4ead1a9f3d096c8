/** An attempt that waits for its answer; linked to its neighbours while it is in a {@link WaitingList}. */
export interface Waiting {
  readonly startedAtMs: number;
  /** @internal */
  older: Waiting | undefined;
  /** @internal */
  newer: Waiting | undefined;
}

/** Attempts in the order they began. Linked through the attempts themselves: no allocation, O(1) throughout. */
export class WaitingList {
  #oldest: Waiting | undefined;
  #newest: Waiting | undefined;

  get oldest(): Waiting | undefined {
    return this.#oldest;
  }

  /** Appends one that began no earlier than those in the list. */
  add(waiting: Waiting): void {
    waiting.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = waiting;
    else this.#newest.newer = waiting;
    this.#newest = waiting;
  }

  /** Takes out one that is in the list. */
  remove(waiting: Waiting): void {
    const { older, newer } = waiting;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    waiting.older = waiting.newer = undefined;
  }
}
