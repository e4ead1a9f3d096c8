import pRetry from 'p-retry';
import type { Rng } from '../types.js';

/** Backoff of retries: full jitter under a doubling ceiling, in ms. */
const FIRST_CEILING_MS = 25;
const LAST_CEILING_MS = 250;

/**
 * Pause before retry number `retry` (from 1), in ms: uniform between 0 and a ceiling that doubles from 25 to
 * 250. Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015 ("full jitter").
 */
export function backoffMs(retry: number, rng: Rng): number {
  return rng.next() * Math.min(LAST_CEILING_MS, FIRST_CEILING_MS * 2 ** (retry - 1));
}

/** What p-retry sees of an attempt that is to be followed by another: one for all, for a stack trace is dear. */
const AGAIN = new Error('attempt to be retried');

/**
 * A complete object: p-retry fills gaps anew on every call, at thirty times the cost. The loop's end, the pauses
 * and the clock are ours; p-retry runs the loop.
 */
const OPTIONS = {
  retries: Infinity,
  factor: 1,
  minTimeout: 0,
  maxTimeout: 0,
  maxRetryTime: Infinity,
  randomize: false,
  unref: false,
  shouldRetry: () => true,
  shouldConsumeRetry: () => true,
};

/** How to wait before the next attempt. Rejects when the caller cancels. */
export type Pause = () => Promise<void>;

/**
 * Goes on after an attempt that failed, until `plan` gives no further pause.
 *
 * @param pause before the second attempt.
 * @param next makes the next attempt.
 * @param plan after each end: how to pause before another attempt, or `undefined` to leave it at that.
 * @returns the last end. Rejects only with what a pause rejects with.
 */
export function retryLoop<End>(
  pause: Pause,
  next: () => Promise<End>,
  plan: (end: End) => Pause | undefined,
): Promise<End> {
  let nextPause = pause;
  const turn = async (number: number): Promise<End> => {
    if (number === 1) throw AGAIN; // p-retry is entered only now: the first attempt has been made
    const end = await next();
    const again = plan(end);
    if (again === undefined) return end;
    nextPause = again;
    throw AGAIN;
  };
  const onFailedAttempt = ({ error }: { error: Error }): Promise<void> =>
    error === AGAIN ? nextPause() : Promise.reject(error);
  return pRetry(turn, { ...OPTIONS, onFailedAttempt });
}
