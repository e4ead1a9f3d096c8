import { largestWeight } from '../largest-weight.js';
import type { Candidate } from '../types.js';

/**
 * What each candidate can be given, over the one that can be given most: 0 to 1, by weight and slow start. `undefined`
 * where all are alike.
 */
export type Parts = Float64Array | undefined;

export function partsOf(candidates: readonly Candidate[]): Parts {
  const first = candidates[0]?.state.capacity;
  if (candidates.every(({ state }) => state.capacity === first)) return undefined;
  const largest = largestWeight(candidates, ({ state }) => state.capacity);
  return Float64Array.from(candidates, ({ state }) => state.capacity / largest);
}

/**
 * What the call to come counts as, in calls in flight, at one that was drawn by weight: as much less as it is drawn less
 * often. At those compared with it that is 1, so that one drawn keeps the call unless another is better by more than it
 * is lighter: idle ones that are equally fast have shares by weight.
 */
export function nextAtDrawn(parts: Parts, at: number): number {
  return parts === undefined ? 1 : (parts[at] ?? 1);
}
