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
  private readonly table: Float64Array | undefined;

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
    const entry = this.table[slot] ?? 0;
    const alias = entry | 0;
    return either(Number(u - slot < entry - alias), slot, alias);
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

/**
 * Of each slot `alias + share`: the share of it that is its own, less than 1, and whose the rest is. In one number, for
 * of a long list each is far away in memory. `undefined` when all weights are equal: then every slot keeps itself.
 */
function aliasTable(candidates: readonly Candidate[]): Float64Array | undefined {
  const n = candidates.length;
  const first = candidates[0]?.state.capacity;
  if (candidates.every(({ state }) => state.capacity === first)) return undefined;

  const largest = largestWeight(candidates, ({ state }) => state.capacity);
  const scaled = Float64Array.from(candidates, ({ state }) => state.capacity / largest);
  const mean = scaled.reduce((sum, weight) => sum + weight, 0) / n;
  const keep = scaled.map((weight) => weight / mean);
  const table = Float64Array.from(keep, (_, i) => i); // what is given nothing keeps itself
  const small: number[] = [];
  const large: number[] = [];
  keep.forEach((share, i) => (share < 1 ? small : large).push(i));
  for (;;) {
    const giver = large.at(-1);
    const taker = giver === undefined ? undefined : small.pop();
    if (giver === undefined || taker === undefined) break;
    const share = keep[taker] ?? 1;
    // A share that rounding makes whole is whole.
    if (giver + share < giver + 1) table[taker] = giver + share;
    const left = (keep[giver] ?? 1) - (1 - share);
    keep[giver] = left;
    if (left < 1) {
      large.pop();
      small.push(giver);
    }
  }
  return table; // what remains on either stack is 1 up to rounding
}
