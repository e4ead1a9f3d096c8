import { largestWeight } from '../largest-weight.js';
import type { Candidate, InstanceRecord } from '../types.js';

/** The most that one of them can be given now: by weight, and by slow start. */
export function largestCapacity(candidates: readonly Candidate[]): number {
  return largestWeight(candidates, ({ state }) => state.capacity);
}

/**
 * How much of its cost one has to bear that was drawn by weight. At those that are compared with it the call to come
 * counts as 1, as loads count it; at the one drawn as much less as it is drawn less often, `capacity / largest`. So it
 * keeps the call unless another is better by more than it is lighter, and idle ones that are equally fast have shares by
 * weight. Were it 1 at all of them, the heaviest would have every call that finds it idle.
 *
 * @param largest see {@link largestCapacity}.
 */
export function costRatio({ pending, capacity }: InstanceRecord, largest: number): number {
  return (pending + capacity / largest) / (pending + 1);
}
