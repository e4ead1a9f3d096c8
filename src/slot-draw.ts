import { unitHash } from './hash.js';
import type { Slot } from './slot.js';
import type { CallContext, Policy, Rng } from './types.js';

/**
 * Draws a part by ratio. Where the policy goes by keys, a key stays with the part that has its session, or else has
 * the same part each time; but a trial takes whatever comes, for few keys might never come to it.
 */
export function drawSlot(
  slots: readonly Slot[],
  policy: Policy,
  rng: Rng,
  { hashKey }: CallContext,
): Slot | undefined {
  let left = rng.next();
  for (const slot of slots) {
    if (slot.part.trial !== true) continue;
    left -= slot.part.ratio;
    if (left < 0) return slot;
  }
  if (policy.keyed === true && hashKey !== undefined) {
    const keeping = slots.find(
      ({ part, picker }) => part.ratio > 0 && picker.keeps?.(hashKey) === true,
    );
    return keeping ?? drawByKey(slots, hashKey);
  }
  for (const slot of slots) {
    if (slot.part.trial === true) continue;
    left -= slot.part.ratio;
    if (left < 0) return slot;
  }
  return slots.find(({ part }) => part.ratio > 0) ?? slots[0]; // what rounding left over
}

/**
 * The part that a key belongs to, by weighted rendezvous: when ratios change, few keys move, none to the part that loses
 * most nor away from the one that gains most.
 */
function drawByKey(slots: readonly Slot[], hashKey: string): Slot | undefined {
  let best = slots[0];
  let least = Infinity;
  for (const slot of slots) {
    const { name, ratio, trial } = slot.part;
    if (ratio === 0 || trial === true) continue;
    const cost = -Math.log(unitHash(hashKey, name)) / ratio;
    if (cost >= least) continue;
    best = slot;
    least = cost;
  }
  return best;
}
