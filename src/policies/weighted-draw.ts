import type { Candidate, Rng } from '../types.js';
import { largestWeight } from '../largest-weight.js';
import { either } from './either.js';

/** Draws tried before the list is filtered. While half the weight is eligible this fails once in 65,536. */
const TRIES = 16;

/**
 * Draws candidates at random in proportion to their capacities: weights, less while they warm up.
 *
 * Builds Vose's alias table, in O(n): a draw is then O(1) whatever n is, and with equal capacities one
 * multiplication. Source: M. D. Vose, "A linear algorithm for generating random numbers with a given
 * distribution", IEEE TSE 1991.
 */
export class WeightedDraw {
  private readonly n: number = 0; // first, so that V8 takes it for a number, and asks no more at each draw
  private readonly table: Uint32Array | undefined;

  constructor(
    private readonly candidates: readonly Candidate[],
    private readonly rng: Rng,
  ) {
    this.n = candidates.length;
    this.table = aliasTable(candidates);
  }

  /** Index of a candidate, 0 when there is none; weights decide, exclusions do not. */
  index(): number {
    const u = this.rng.next() * this.n;
    const slot = u | 0;
    if (this.table === undefined) return slot;
    const share = this.table[2 * slot] ?? 0;
    const alias = this.table[2 * slot + 1] ?? 0;
    return either(Number((u - slot) * WHOLE < share), slot, alias);
  }

  /** Index of a candidate that is not excluded, or -1 when none is left. */
  eligible(excluded: ReadonlySet<string>): number {
    if (excluded.size === 0 && this.n > 0) return this.index();
    const { candidates, rng } = this;
    const isLeft = (candidate: Candidate | undefined): boolean =>
      candidate !== undefined && !excluded.has(candidate.instance.id);
    for (let i = 0; i < TRIES; i++) {
      const at = this.index();
      if (isLeft(candidates[at])) return at;
    }
    const rest = candidates.filter(isLeft);
    const found = rest[new WeightedDraw(rest, rng).index()];
    return found === undefined ? -1 : candidates.indexOf(found);
  }
}

/** A slot's whole share: finer than the randomness it is held against. */
const WHOLE = 2 ** 31;

/**
 * For each slot the share of it that is its own, and whose the rest is; side by side, for in a long list each place in
 * memory is far away. `undefined` when all weights are equal: then every slot keeps itself.
 */
function aliasTable(candidates: readonly Candidate[]): Uint32Array | undefined {
  const n = candidates.length;
  const first = candidates[0]?.state.capacity;
  if (candidates.every(({ state }) => state.capacity === first)) return undefined;

  const largest = largestWeight(candidates, ({ state }) => state.capacity);
  const scaled = Float64Array.from(candidates, ({ state }) => state.capacity / largest);
  const mean = scaled.reduce((sum, weight) => sum + weight, 0) / n;
  const keep = scaled.map((weight) => weight / mean);
  const table = new Uint32Array(2 * n);
  const small: number[] = [];
  const large: number[] = [];
  keep.forEach((share, i) => (share < 1 ? small : large).push(i));
  for (;;) {
    const giver = large.at(-1);
    const taker = giver === undefined ? undefined : small.pop();
    if (giver === undefined || taker === undefined) break;
    table[2 * taker + 1] = giver;
    const left = (keep[giver] ?? 1) - (1 - (keep[taker] ?? 1));
    keep[giver] = left;
    if (left < 1) {
      large.pop();
      small.push(giver);
    }
  }
  // What remains on either stack is 1 up to rounding.
  for (const i of small) keep[i] = 1;
  for (const i of large) keep[i] = 1;
  keep.forEach((share, i) => {
    table[2 * i] = Math.round(share * WHOLE);
  });
  return table;
}
