import { hash32 } from '../hash.js';
import type { Candidate } from '../types.js';
import { largestWeight } from '../largest-weight.js';

/**
 * Candidates as consistent hashing sees them: those of weight > 0, in the order of their ids, so that the order of the
 * source's list changes nothing. A candidate is known by its place in this list.
 */
export interface KeyedList {
  readonly candidates: readonly Candidate[];
  /** Two independent hashes of each id. Neither address nor weight goes in: a redeploy must move no key. */
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  /** Each one's part of the total weight, > 0. */
  readonly shares: Float64Array;
}

/** Keeps shares above 0, and what is computed from them finite, for weights however far apart. */
const LEAST_SHARE = 1e-300;

/** Any number but 0, which seeds the first hash. */
const SECOND_SEED = 0x9e3779b9;

export function keyedList(given: readonly Candidate[]): KeyedList {
  const candidates = given.filter(({ instance }) => instance.weight > 0).sort(byId);
  const largest = largestWeight(candidates);
  const scaled = Float64Array.from(candidates, ({ instance }) => instance.weight / largest);
  const total = scaled.reduce((sum, weight) => sum + weight, 0);
  return {
    candidates,
    first: Uint32Array.from(candidates, ({ instance }) => hash32(instance.id)),
    second: Uint32Array.from(candidates, ({ instance }) => hash32(instance.id, SECOND_SEED)),
    shares: scaled.map((weight) => Math.max(weight / total, LEAST_SHARE)),
  };
}

/** By code units, which are the same everywhere; a locale is not. */
function byId(a: Candidate, b: Candidate): number {
  return a.instance.id < b.instance.id ? -1 : 1;
}
