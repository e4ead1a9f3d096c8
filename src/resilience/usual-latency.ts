/** The mean goes by about so many of the last answers. */
const ANSWERS = 100;

/** What answers of a service usually take: a mean of those that were successes. */
export class UsualLatency {
  #answers = 0;
  #ms = 0;

  /** In ms; Infinity until there were some. */
  get ms(): number {
    return this.#answers < 10 ? Infinity : this.#ms;
  }

  record(latencyMs: number): void {
    this.#answers = Math.min(ANSWERS, this.#answers + 1);
    this.#ms += (latencyMs - this.#ms) / this.#answers;
  }
}
