/** An attempt that waits for its answer; linked to its neighbours while it is in a {@link WaitingList}. */
export interface Waiting {
  readonly startedAtMs: number;
  /** Kept by the list: true while it is in it. */
  waits: boolean;
  older: Waiting | undefined;
  newer: Waiting | undefined;
}

/**
 * Attempts in the order they began, linked through the attempts themselves: no allocation, O(1) throughout. The ends are
 * kept by whose attempts they are: an object of its own would be one more to find in memory with each of them.
 */
export interface WaitingList {
  oldest: Waiting | undefined;
  newest: Waiting | undefined;
}

/** Appends one that began no earlier than those in the list. */
export function addWaiting(list: WaitingList, waiting: Waiting): void {
  waiting.waits = true;
  waiting.older = list.newest;
  if (list.newest === undefined) list.oldest = waiting;
  else list.newest.newer = waiting;
  list.newest = waiting;
}

/** Takes one out, if it is in the list. */
export function removeWaiting(list: WaitingList, waiting: Waiting): void {
  if (!waiting.waits) return;
  const { older, newer } = waiting;
  if (older === undefined) list.oldest = newer;
  else older.newer = newer;
  if (newer === undefined) list.newest = older;
  else newer.older = older;
  waiting.waits = false;
  waiting.older = waiting.newer = undefined;
}

/** Takes out those that began before `startedAtMs`. */
export function removeWaitingBefore(list: WaitingList, startedAtMs: number): void {
  while (list.oldest !== undefined && list.oldest.startedAtMs < startedAtMs) {
    removeWaiting(list, list.oldest);
  }
}
