import type { ResolvedRetryBudget } from '../resilience-options.js';

/** The window moves on in steps of a tenth. */
const BUCKETS = 10;

/** Ten times 0.1 is a little less than 1. */
const ROUNDING = 1e-9;

/**
 * How many retries and hedges all calls of a client may make together, lest they add to an overload: `ratio` of the
 * calls that succeeded, and a reserve of `minPerSecond`, both over a sliding window. In no window are there more than
 * `ratio * successes + minPerSecond * windowMs / 1,000`.
 *
 * Source: Finagle's RetryBudget, a leaky token bucket; but deposits are made by successes alone, so that a service that
 * fails altogether is left with the reserve.
 */
export class RetryBudget {
  /** Retries that may be made in a window in which nothing succeeds. */
  readonly reserve: number;
  readonly #ratio: number;
  readonly #bucketMs: number;
  /** Deposits less withdrawals of each tenth of the window, in retries; by number of the tenth since time 0. */
  readonly #balances = new Float64Array(BUCKETS);
  #current = -Infinity;
  #balance = 0;

  constructor({ ratio, minPerSecond, windowMs }: ResolvedRetryBudget) {
    this.#ratio = ratio;
    this.#bucketMs = windowMs / BUCKETS;
    this.reserve = (minPerSecond * windowMs) / 1_000;
  }

  /** A call has succeeded. */
  deposit(nowMs: number): void {
    this.#add(this.#ratio, nowMs);
  }

  /** Takes one retry, if there is one. */
  withdraw(nowMs: number): boolean {
    if (this.available(nowMs) < 1 - ROUNDING) return false;
    this.#add(-1, nowMs);
    return true;
  }

  /** Retries that could be made now. */
  available(nowMs: number): number {
    this.#moveTo(nowMs);
    return Math.max(0, this.#balance + this.reserve);
  }

  #add(amount: number, nowMs: number): void {
    this.#moveTo(nowMs);
    const i = this.#current % BUCKETS;
    this.#balances[i] = (this.#balances[i] ?? 0) + amount;
    this.#balance += amount;
  }

  #moveTo(nowMs: number): void {
    const now = Math.floor(nowMs / this.#bucketMs);
    if (now <= this.#current) return;
    const first = Math.max(this.#current + 1, now - BUCKETS + 1);
    for (let bucket = first; bucket <= now; bucket++) this.#balances[bucket % BUCKETS] = 0;
    this.#current = now;
    // Summed up anew: no rounding error is carried on.
    this.#balance = this.#balances.reduce((sum, balance) => sum + balance, 0);
  }
}
