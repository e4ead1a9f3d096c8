import type { CallContext, Candidate, Picker, Rng } from '../types.js';

/** Keeps deadlines finite, and turns apart, for weights however far apart. */
const LONGEST_INTERVAL = 1e15;

/**
 * Weighted turns by earliest deadline first: candidate i is due every `1 / weight` of virtual time, and the one due
 * first is picked, in O(log n). With integer weights of sum W, any W picks over an unchanged list hold exactly
 * `weight` picks of each.
 *
 * Each starts at a random phase of its own interval, so that none is favoured before the first full cycle and clients
 * do not run in step (envoy#31378 starts all phases at 0). Phases survive a rebuild; a changed weight stretches what
 * is left of the interval. Weights are doubles, scaled by the largest.
 */
export class DeadlinePicker implements Picker {
  readonly #candidates: readonly Candidate[];
  /** Per candidate: virtual time between two turns, the phase of its first turn, and turns taken. */
  readonly #interval: Float64Array;
  readonly #phase: Float64Array;
  readonly #turns: Float64Array;
  /** Binary min-heap of candidate indexes, by deadline. */
  readonly #heap: Uint32Array;
  /** Virtual time: the deadline last picked. */
  #virtual = 0;

  /** @param weights one per candidate, > 0, in any unit. */
  constructor(
    candidates: readonly Candidate[],
    weights: ArrayLike<number>,
    rng: Rng,
    previous: DeadlinePicker | undefined,
  ) {
    const n = candidates.length;
    let largest = 0;
    for (let i = 0; i < n; i++) largest = Math.max(largest, weights[i] ?? 0);
    const phases = previous?.phases();
    this.#candidates = candidates;
    this.#interval = Float64Array.from(candidates, (_, i) =>
      Math.min(largest / (weights[i] ?? 1), LONGEST_INTERVAL),
    );
    this.#phase = Float64Array.from(
      candidates,
      ({ instance }) => phases?.get(instance.id) ?? 1 - rng.next(),
    );
    this.#turns = new Float64Array(n);
    this.#heap = Uint32Array.from(candidates, (_, i) => i);
    for (let i = (n >> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  pick({ excluded }: CallContext): Candidate | undefined {
    const at = excluded.size === 0 ? 0 : this.#earliestNotIn(excluded);
    const i = this.#heap[at];
    if (i === undefined) return undefined;
    // An excluded candidate that was passed over keeps one turn; more would come back as a burst.
    const owed = (this.#virtual - this.#deadline(i)) / (this.#interval[i] ?? 1);
    this.#virtual = Math.max(this.#virtual, this.#deadline(i));
    this.#turns[i] = (this.#turns[i] ?? 0) + Math.max(1, Math.floor(owed));
    this.#siftDown(at);
    return this.#candidates[i];
  }

  /** Part of its interval that each instance still has to wait, by id. */
  phases(): ReadonlyMap<string, number> {
    return new Map(
      this.#candidates.map(({ instance }, i) => [
        instance.id,
        Math.max(0, (this.#deadline(i) - this.#virtual) / (this.#interval[i] ?? 1)),
      ]),
    );
  }

  /** Counted from the start, never summed up: rounding stays below one part in 2^52 of the virtual time. */
  #deadline(i: number): number {
    return ((this.#phase[i] ?? 0) + (this.#turns[i] ?? 0)) * (this.#interval[i] ?? 1);
  }

  /** Heap place of the earliest candidate outside `excluded`; walks the list, on retries only. */
  #earliestNotIn(excluded: ReadonlySet<string>): number {
    let best = -1;
    let bestDeadline = Infinity;
    this.#heap.forEach((i, at) => {
      const id = this.#candidates[i]?.instance.id;
      const deadline = this.#deadline(i);
      if (id === undefined || excluded.has(id) || deadline >= bestDeadline) return;
      best = at;
      bestDeadline = deadline;
    });
    return best;
  }

  #siftDown(at: number): void {
    const heap = this.#heap;
    const moving = heap[at];
    if (moving === undefined) return;
    const deadline = this.#deadline(moving);
    for (;;) {
      let child = 2 * at + 1;
      let i = heap[child];
      if (i === undefined) break;
      const sibling = heap[child + 1];
      if (sibling !== undefined && this.#deadline(sibling) < this.#deadline(i)) {
        child += 1;
        i = sibling;
      }
      if (this.#deadline(i) >= deadline) break;
      heap[at] = i;
      at = child;
    }
    heap[at] = moving;
  }
}
