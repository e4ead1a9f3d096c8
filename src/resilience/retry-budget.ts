import type { ResolvedRetryBudget } from '../resilience-options.js';

/** Savings lapse, and the reserve is paid in, a tenth of the window at a time. */
const TENTHS = 10;

/**
 * How many retries and hedges all calls of a client may make together, lest they add to an overload. Each success pays
 * for `ratio` of one, each second for `minPerSecond`; what is not spent within `windowMs` lapses. So in any stretch of
 * time, however chosen, there are no more than
 * `ratio * (successes in it and in the window before it) + minPerSecond * (its length + 1.1 * windowMs) / 1,000`.
 *
 * Source: Finagle's RetryBudget, with two differences. Successes alone pay, so that a service that fails altogether is
 * left with the reserve. And the oldest savings are spent first, and are gone with that. There a withdrawal weighs on
 * the balance for a window's time, though what paid for it has lapsed: once a burst has used up the savings nothing is
 * allowed for the rest of the window, and then all at once again. With half of 400 calls/s failing, and up to four
 * attempts, that is 1.9 per call for two seconds of every ten and 1.0 for the others; here it is 1.14 in all of them.
 */
export class RetryBudget {
  /** Retries that may be made in a window in which nothing succeeds. */
  readonly reserve: number;
  readonly #ratio: number;
  readonly #tenthMs: number;
  /** What each tenth of the window has paid in and is not spent, in retries: a ring. */
  readonly #savings = new Float64Array(TENTHS);
  /** Their sum. */
  #saved = 0;
  /** Where the current tenth is in the ring. */
  #newest = 0;
  /** The number of the current tenth, by the clock. */
  #tenth = -Infinity;

  constructor({ ratio, minPerSecond, windowMs }: ResolvedRetryBudget) {
    this.#ratio = ratio;
    this.#tenthMs = windowMs / TENTHS;
    this.reserve = (minPerSecond * windowMs) / 1_000;
  }

  /** An attempt has succeeded. */
  deposit(nowMs: number): void {
    this.#moveTo(nowMs);
    this.#savings[this.#newest] = this.#at(this.#newest) + this.#ratio;
    this.#saved += this.#ratio;
  }

  /** Takes one retry, if there is one. */
  withdraw(nowMs: number): boolean {
    if (this.available(nowMs) < 1) return false;
    let due = 1;
    for (let age = TENTHS - 1; age >= 0 && due > 0; age--) {
      const i = (this.#newest + TENTHS - age) % TENTHS;
      const part = Math.min(due, this.#at(i));
      this.#savings[i] = this.#at(i) - part;
      due -= part;
    }
    this.#saved -= 1;
    return true;
  }

  /** Gives one back that was taken, and not made. */
  putBack(nowMs: number): void {
    this.#moveTo(nowMs);
    this.#savings[this.#newest] = this.#at(this.#newest) + 1;
    this.#saved += 1;
  }

  /** Retries that could be made now. */
  available(nowMs: number): number {
    this.#moveTo(nowMs);
    // Ten times 0.1 is a little less than 1.
    return Math.max(0, Math.round(this.#saved * 1e9) / 1e9);
  }

  #at(i: number): number {
    return this.#savings[i] ?? 0;
  }

  #moveTo(nowMs: number): void {
    const tenth = Math.floor(nowMs / this.#tenthMs);
    if (tenth <= this.#tenth) return;
    for (let passed = Math.min(TENTHS, tenth - this.#tenth); passed > 0; passed--) {
      this.#newest = (this.#newest + 1) % TENTHS;
      this.#savings[this.#newest] = this.reserve / TENTHS;
    }
    this.#tenth = tenth;
    // Summed up anew: no rounding error is carried on.
    this.#saved = this.#savings.reduce((sum, saving) => sum + saving, 0);
  }
}
