import type { Verdict } from '../types.js';

/** Time for one attempt; `isDeadline` when it is all the call has left. */
export interface Limit {
  readonly ms: number;
  readonly isDeadline: boolean;
}

export interface DeadlineOptions {
  /** Time for the whole call, in ms. */
  readonly timeoutMs: number;
  /** What the deadlines around this call leave, in ms; Infinity without any. */
  readonly inheritedMs: number;
  /** Time for one attempt, in ms; `undefined` shares out what is left. */
  readonly attemptTimeoutMs: number | undefined;
  /** Attempts among which the time is shared: 1 when a timeout will not be retried, for nothing need be saved. */
  readonly shares: number;
}

/** So many times what answers usually take is plenty. */
const PLENTY = 10;

/** The absolute end of a call, and what of it each attempt may take. */
export class Deadline {
  readonly atMs: number;
  /** Time for the whole call, in ms. */
  readonly timeoutMs: number;
  /** True when that is what a call around this one left. */
  readonly isInherited: boolean;
  // Not the options: an object that is only read from costs nothing, one that is kept is made for each call.
  readonly #askedMs: number;
  readonly #attemptTimeoutMs: number | undefined;
  readonly #shares: number;

  constructor(
    nowMs: number,
    { timeoutMs, inheritedMs, attemptTimeoutMs, shares }: DeadlineOptions,
  ) {
    this.#askedMs = timeoutMs;
    this.#attemptTimeoutMs = attemptTimeoutMs;
    this.#shares = shares;
    this.isInherited = inheritedMs < timeoutMs;
    this.timeoutMs = this.isInherited ? inheritedMs : timeoutMs;
    this.atMs = nowMs + this.timeoutMs;
  }

  /**
   * @param attempt its number, from 1.
   * @param elsewhere another instance is left to go to; without one there is nothing to save time for.
   */
  limitOf(attempt: number, nowMs: number, elsewhere: boolean): Limit {
    const leftMs = this.atMs - nowMs;
    const sharesLeft = elsewhere ? Math.max(1, this.#shares - attempt + 1) : 1;
    const ms = this.#attemptTimeoutMs ?? leftMs / sharesLeft;
    return ms < leftMs ? { ms, isDeadline: false } : { ms: leftMs, isDeadline: true };
  }

  /**
   * What a timeout at `limit` means. Much less time than attempts are meant to have says nothing of the instance, unless
   * that was many times what answers usually take: calls that inherit short deadlines must find out who hangs, too.
   *
   * @param usualMs Infinity when not known.
   */
  verdictOf({ ms, isDeadline }: Limit, usualMs: number): Verdict {
    const askedMs = this.#askedMs; // not what happened to be left of a call around it
    const fullMs = Math.min(this.#attemptTimeoutMs ?? askedMs / this.#shares, askedMs);
    return {
      outcome: ms < Math.min(fullMs / 2, usualMs * PLENTY) ? 'ignored' : 'failure',
      retry: isDeadline ? 'never' : 'if-idempotent',
    };
  }
}
