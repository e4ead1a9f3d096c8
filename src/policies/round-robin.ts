import type { Candidate, CallContext, Picker, Policy, Rng } from '../types.js';

/**
 * Takes the candidates in turn, weights aside. Starts at a random place, so that many clients do not all
 * begin with the same instance, and keeps its place through snapshot updates (kubernetes#3640).
 */
export function roundRobin(): Policy {
  return {
    name: 'round-robin',
    build: (candidates, env, previous) =>
      new RoundRobinPicker(
        candidates,
        env.rng,
        previous instanceof RoundRobinPicker ? previous : undefined,
      ),
  };
}

class RoundRobinPicker implements Picker {
  readonly #candidates: readonly Candidate[];
  #next: number;

  constructor(candidates: readonly Candidate[], rng: Rng, previous: RoundRobinPicker | undefined) {
    this.#candidates = candidates;
    this.#next = previous?.placeIn(candidates) ?? Math.floor(rng.next() * candidates.length);
  }

  pick({ excluded }: CallContext): Candidate | undefined {
    const n = this.#candidates.length;
    for (let step = 0; step < n; step++) {
      const candidate = this.#candidates[this.#next];
      this.#next = this.#next + 1 < n ? this.#next + 1 : 0;
      if (excluded.size === 0) return candidate;
      if (candidate !== undefined && !excluded.has(candidate.instance.id)) return candidate;
    }
    return undefined;
  }

  /** Where, in a newer list, the first of ours still there from our place on stands. */
  placeIn(candidates: readonly Candidate[]): number | undefined {
    const places = new Map(candidates.map(({ instance }, place) => [instance.id, place]));
    const n = this.#candidates.length;
    for (let step = 0; step < n; step++) {
      const ours = this.#candidates[(this.#next + step) % n];
      const place = ours === undefined ? undefined : places.get(ours.instance.id);
      if (place !== undefined) return place;
    }
    return undefined;
  }
}
