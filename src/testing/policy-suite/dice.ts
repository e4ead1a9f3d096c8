import type { Rng } from '../../types.js';
import { seededRng } from '../seeded-rng.js';

/** The suite's own chance; the policy under test draws from another generator. */
export class Dice {
  readonly #rng: Rng;

  constructor(seed: number) {
    // Far from the seeds of scenes, which count up from the suite's: no two generators run in step.
    this.#rng = seededRng(seed ^ 0x5bd1e995);
  }

  unit(): number {
    return this.#rng.next();
  }

  /** An integer from 0 to `n - 1`. */
  below(n: number): number {
    return Math.floor(this.#rng.next() * n);
  }

  chance(probability: number): boolean {
    return this.#rng.next() < probability;
  }

  /** A new array in a random order (Fisher and Yates). */
  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.flatMap(() => rest.splice(this.below(rest.length), 1));
  }
}
