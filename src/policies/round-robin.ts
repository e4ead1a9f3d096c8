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
  /** Retries have a round of their own: one that passed over an instance on trial would take its turn each time. */
  #nextRetry: number;

  constructor(candidates: readonly Candidate[], rng: Rng, previous: RoundRobinPicker | undefined) {
    this.#candidates = candidates;
    this.#next = previous?.placeIn(candidates) ?? Math.floor(rng.next() * candidates.length);
    this.#nextRetry = this.#next;
  }

  pick({ excluded }: CallContext): Candidate | undefined {
    if (excluded.size === 0) {
      const candidate = this.#candidates[this.#next];
      this.#next = this.#after(this.#next);
      return candidate;
    }
    for (const _ of this.#candidates) {
      const candidate = this.#candidates[this.#nextRetry];
      this.#nextRetry = this.#after(this.#nextRetry);
      if (candidate !== undefined && !excluded.has(candidate.instance.id)) return candidate;
    }
    return undefined;
  }

  #after(place: number): number {
    return place + 1 < this.#candidates.length ? place + 1 : 0;
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
