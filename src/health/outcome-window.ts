/** Steps of a window. */
export const STEPS = 10;

/**
 * Outcomes of the last ten steps. It moves on when an outcome comes, so what is idle costs nothing. An outcome costs no
 * allocation, and touches nothing but this object until the next step.
 */
export class OutcomeWindow {
  attempts = 0;
  failures = 0;
  #step = 0;
  /** Of the current step. */
  #newAttempts = 0;
  #newFailures = 0;
  /** Of each step before it the attempts, and of those the failures. */
  readonly #counts = new Array<number>(2 * STEPS).fill(0);

  /** Drops what is too old at `step`, counted from the clock's zero. @returns the step it is at: it never goes back. */
  moveTo(step: number): number {
    if (step <= this.#step) return this.#step;
    const at = placeOf(this.#step);
    this.#counts[at] = this.#newAttempts;
    this.#counts[at + 1] = this.#newFailures;
    this.#newAttempts = this.#newFailures = 0;
    for (let next = Math.max(this.#step, step - STEPS) + 1; next <= step; next++) {
      this.#takeOut(next, this);
    }
    return (this.#step = step);
  }

  /** True when a success is there to be taken back. */
  get hasSuccess(): boolean {
    return this.#newAttempts > this.#newFailures;
  }

  /** @param turns a success of this step turns out to be a failure: one attempt, not two. */
  add(success: boolean, turns: boolean): void {
    this.#count(turns ? 0 : 1, success ? 0 : 1);
  }

  /** Takes out what `other` holds of the same steps. Both have moved to the same one. */
  takeOut(other: OutcomeWindow): void {
    for (let step = 0; step < STEPS; step++) this.#takeOut(step, other);
    this.#count(-other.#newAttempts, -other.#newFailures);
  }

  #takeOut(step: number, other: OutcomeWindow): void {
    const at = placeOf(step);
    const [attempts = 0, failures = 0] = [other.#counts[at], other.#counts[at + 1]];
    this.#counts[at] = (this.#counts[at] ?? 0) - attempts;
    this.#counts[at + 1] = (this.#counts[at + 1] ?? 0) - failures;
    this.attempts -= attempts;
    this.failures -= failures;
  }

  #count(attempts: number, failures: number): void {
    this.#newAttempts += attempts;
    this.#newFailures += failures;
    this.attempts += attempts;
    this.failures += failures;
  }
}

function placeOf(step: number): number {
  return 2 * (step % STEPS);
}
