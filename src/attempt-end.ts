/** How an attempt ends, and who is told of it. */
import type { AttemptEnding, Settled, Verdict } from './types.js';

/** How an attempt ended, and what follows from it. */
export interface AttemptEnd {
  readonly settled: Settled;
  readonly verdict: Verdict;
  readonly ended: AttemptEnding;
  /** The application's own `classify` has said what it means. */
  readonly isDeliberate: boolean;
}

/** Ended by us or by the caller: blames nobody and ends the call. */
export const FINAL: Verdict = { outcome: 'ignored', retry: 'never' };

/** An end that blames nobody and is the last word. */
export function final(error: unknown, ended: AttemptEnding): AttemptEnd {
  return { settled: { ok: false, error }, verdict: FINAL, ended, isDeliberate: false };
}

/** Who waits for the end of an attempt. */
export interface EndListener {
  /** Told after the attempt's owner. May not throw. */
  ended(end: AttemptEnd): void;
}
