import type { CallContext, Candidate, Rng } from '../types.js';
import { largestWeight } from '../largest-weight.js';

/** Draws candidates at random in proportion to their capacities: weights, less while they warm up. */
export interface WeightedDraw {
  /** Index of a candidate; weights decide, exclusions do not. */
  index(): number;
  /** A candidate that is not excluded, or `undefined` when none is left. */
  eligible(context: CallContext): Candidate | undefined;
}

/** Draws tried before the list is filtered. While half the weight is eligible this fails once in 65,536. */
const TRIES = 16;

/**
 * Builds Vose's alias table, in O(n): a draw is then O(1) whatever n is, and with equal capacities one
 * multiplication. Source: M. D. Vose, "A linear algorithm for generating random numbers with a given
 * distribution", IEEE TSE 1991.
 */
export function weightedDraw(candidates: readonly Candidate[], rng: Rng): WeightedDraw {
  const n = candidates.length;
  const table = aliasTable(candidates);

  const index = (): number => {
    const u = rng.next() * n;
    const slot = Math.floor(u);
    if (table === undefined) return slot;
    const { keep, alias } = table;
    return u - slot < (keep[slot] ?? 1) ? slot : (alias[slot] ?? slot);
  };

  const eligible = (context: CallContext): Candidate | undefined =>
    context.excluded.size === 0 ? candidates[index()] : amongTheRest(context);

  const amongTheRest = ({ excluded }: CallContext): Candidate | undefined => {
    if (n === 0) return undefined;
    for (let i = 0; i < TRIES; i++) {
      const candidate = candidates[index()];
      if (candidate !== undefined && !excluded.has(candidate.instance.id)) return candidate;
    }
    const rest = candidates.filter((candidate) => !excluded.has(candidate.instance.id));
    return rest.length === 0 ? undefined : rest[weightedDraw(rest, rng).index()];
  };

  return { index, eligible };
}

interface AliasTable {
  /** Chance that a slot keeps its own index, else it yields `alias`. */
  readonly keep: Float64Array;
  readonly alias: Uint32Array;
}

/** `undefined` when all weights are equal: then every slot keeps itself. */
function aliasTable(candidates: readonly Candidate[]): AliasTable | undefined {
  const n = candidates.length;
  const first = candidates[0]?.state.capacity;
  if (candidates.every(({ state }) => state.capacity === first)) return undefined;

  const largest = largestWeight(candidates, ({ state }) => state.capacity);
  const scaled = Float64Array.from(candidates, ({ state }) => state.capacity / largest);
  const mean = scaled.reduce((sum, weight) => sum + weight, 0) / n;
  const keep = scaled.map((weight) => weight / mean);
  const alias = new Uint32Array(n);
  const small: number[] = [];
  const large: number[] = [];
  keep.forEach((share, i) => (share < 1 ? small : large).push(i));
  for (;;) {
    const giver = large.at(-1);
    const taker = giver === undefined ? undefined : small.pop();
    if (giver === undefined || taker === undefined) break;
    alias[taker] = giver;
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
  return { keep, alias };
}
