import { backgroundClock, realEnv } from '../../src/env.js';

/** Of real time, whatever the clock of the watch: it is the process that must not stall. */
const clock = backgroundClock(realEnv().clock);

/** Lets everything else that is ready run first. Rejects with the signal's reason on abort. */
export function nextTurn(signal: AbortSignal | undefined): Promise<void> {
  return clock.sleep(0, signal);
}

/** Runs `fn` on each item in order, and gives way after every `size` of them, but not after the last. */
export async function inTurns<T>(
  items: readonly T[],
  size: number,
  fn: (item: T, index: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % size === 0) await nextTurn(signal);
    fn(item, index);
  }
}
