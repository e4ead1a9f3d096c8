/** An attempt that waits for its answer; linked to its neighbours while it is in a {@link WaitingList}. */
export interface Waiting {
  readonly startedAtMs: number;
  /** Kept by the list: true while it is in it. */
  waits: boolean;
  older: Waiting | undefined;
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
    waiting.waits = true;
    waiting.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = waiting;
    else this.#newest.newer = waiting;
    this.#newest = waiting;
  }

  /** Takes one out, if it is in the list. */
  remove(waiting: Waiting): void {
    if (!waiting.waits) return;
    const { older, newer } = waiting;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    waiting.waits = false;
    waiting.older = waiting.newer = undefined;
  }

  /** Takes out those that began before `startedAtMs`. */
  removeBefore(startedAtMs: number): void {
    while (this.#oldest !== undefined && this.#oldest.startedAtMs < startedAtMs) {
      this.remove(this.#oldest);
    }
  }
}
