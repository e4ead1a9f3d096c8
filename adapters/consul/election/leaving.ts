/** What it takes to leave an election in good order. */
import type { Clock, Timer } from '../../../src/types.js';

/** Of a timer of Node: 25 days. */
const LONGEST_MS = 2_147_483_647;

/** Runs `task`, of which neither timers nor sockets keep the process alive, and keeps it alive until then. */
export async function holdingProcess<T>(clock: Clock, task: () => Promise<T>): Promise<T> {
  let hold: Timer | undefined;
  const arm = (): void => {
    hold = clock.setTimer(LONGEST_MS, arm);
  };
  arm();
  try {
    return await task();
  } finally {
    hold?.cancel();
  }
}

/** Waits until all of `work` is done, but no longer than `ms`. */
export async function doneWithin(
  ms: number,
  work: Iterable<Promise<void>>,
  clock: Clock,
): Promise<void> {
  const pending = [...work];
  if (pending.length === 0) return;
  await new Promise<void>((resolve) => {
    const timer = clock.setTimer(ms, resolve);
    void Promise.all(pending).then(() => {
      timer.cancel();
      resolve();
    });
  });
}

export async function twice(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch {
    await task();
  }
}
