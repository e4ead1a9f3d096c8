import { mix } from '../hash.js';
import type { Policy } from '../types.js';
import { checkKeys } from '../validate.js';
import { type BalanceOptions, checkBalance, hashingPolicy, type KeyOrder } from './hashing.js';
import type { KeyedList } from './keyed-list.js';

export type RendezvousOptions = BalanceOptions;

/**
 * Rendezvous hashing: every instance bids for the key of a call (`hashKey`), and the best bid has it. Keys follow the
 * weights exactly; an instance that joins takes keys to itself only, one that leaves gives up its own only. O(n) per
 * pick, a few ns per instance: right for up to some hundred instances; beyond, see `ringHash` and `maglev`.
 *
 * Sources: D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 1998; the
 * weighted bid is that of J. Resch, "New hashing algorithms for data storage", SNIA SDC 2015.
 */
export function rendezvous(options: RendezvousOptions = {}): Policy {
  checkKeys('rendezvous', options, ['balanceFactor']);
  const balanceFactor = checkBalance('rendezvous.balanceFactor', options.balanceFactor);
  return hashingPolicy('rendezvous', balanceFactor, rendezvousOrder);
}

/** Keeps costs finite for weights next to nothing: below 1e-300 they count as that. */
const LARGEST_INVERSE = 1e300;

/**
 * The bid is `-w / ln(u)` with u uniform by key and id. Compared are the inverses, as costs: `-ln(u) / w` is the time of
 * the first event at rate w, and of several such times each is the least as often as its rate says. No other weight
 * goes in, so a change of one instance leaves the bids of the others as they were, to the last bit.
 */
export function rendezvousOrder({ candidates, first, second }: KeyedList): KeyOrder {
  const inverse = Float64Array.from(candidates, ({ instance }) =>
    Math.min(1 / instance.weight, LARGEST_INVERSE),
  );
  return (hash, accepts) => {
    let best = 0;
    let bestCost = Infinity;
    for (let place = 0; place < inverse.length; place++) {
      // With p = 1 - u: -ln(1 - p) > p, so most are out of the running before the logarithm.
      const p = (mix(hash, first[place] ?? 0, second[place] ?? 0) + 0.5) / 4_294_967_296;
      const scale = inverse[place] ?? 0;
      if (p * scale >= bestCost) continue;
      const cost = -Math.log(1 - p) * scale;
      if (cost >= bestCost || !accepts(place)) continue;
      best = place;
      bestCost = cost;
    }
    return best;
  };
}
