import { mix } from '../hash.js';
import type { Policy } from '../types.js';
import { checkKeys, checkNumber } from '../validate.js';
import { type BalanceOptions, checkBalance, hashingPolicy, type KeyOrder } from './hashing.js';
import type { KeyedList } from './keyed-list.js';

export interface RingHashOptions extends BalanceOptions {
  /**
   * Points on the ring at least, an integer from 1 to 8,388,608. An instance of average weight has half as many, so
   * that two make the number, while that comes to no more than 65,536 for all; with more instances these are shared
   * out. Every instance has one point at least.
   *
   * The share of an instance of p points is off by about 1 / sqrt(p): 4.4 % for the 512 that are the default up to 128
   * instances, 12 % at 1,000. Default: 1024.
   */
  readonly minPoints?: number | undefined;
}

/** Enough for the work of a rebuild, a few ms, to stay unnoticed. As many as `maglev` has slots. */
const USUAL_MOST = 65_536;

/**
 * A hash ring: each instance has points on a circle of 2^32 by its weight, and the key of a call (`hashKey`) goes to the
 * point that follows its hash. O(log n) per pick. While the points per weight stay the same (equal weights, up to 128
 * instances) an instance that joins takes keys to itself only; otherwise the others give up points in proportion, and
 * at most as many keys again move between them.
 *
 * Sources: D. Karger et al., "Consistent hashing and random trees", STOC 1997; points in proportion to the number of
 * instances are those of libketama (R. Jones, 2007).
 */
export function ringHash(options: RingHashOptions = {}): Policy {
  checkKeys('ringHash', options, ['minPoints', 'balanceFactor']);
  const minPoints = checkNumber('ringHash.minPoints', options.minPoints ?? 1_024, {
    min: 1,
    max: 8_388_608,
    integer: true,
  });
  const balanceFactor = checkBalance('ringHash.balanceFactor', options.balanceFactor);
  return hashingPolicy('ring-hash', balanceFactor, (list) => ringOrder(list, minPoints));
}

function ringOrder(list: KeyedList, minPoints: number): KeyOrder {
  const { points, owners } = ring(list, minPoints);
  return (hash, accepts) => {
    for (let at = firstAtOrAfter(points, hash); ; at++) {
      if (at >= points.length) at = 0;
      const owner = owners[at] ?? 0;
      if (accepts(owner)) return owner;
    }
  };
}

/** Point and owner are sorted as one double, `point * 2^21 + owner`, exact for up to 2 million instances. */
const OWNERS = 2 ** 21;

function ring({ shares, first, second }: KeyedList, minPoints: number) {
  const usual = Math.min((shares.length * minPoints) / 2, USUAL_MOST);
  const total = Math.max(usual, minPoints);
  // Rounded up, but not for what rounding left over: as many points as before, whatever n is.
  const counts = shares.map((share) => Math.max(1, Math.ceil(share * total - 1e-6)));
  const sorted = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  counts.forEach((count, owner) => {
    for (let i = 0; i < count; i++) {
      sorted[at++] = mix(i, first[owner] ?? 0, second[owner] ?? 0) * OWNERS + owner;
    }
  });
  sorted.sort();
  const points = new Uint32Array(at);
  const owners = new Uint32Array(at);
  sorted.forEach((entry, i) => {
    const point = Math.floor(entry / OWNERS);
    points[i] = point;
    owners[i] = entry - point * OWNERS;
  });
  return { points, owners };
}

/** Index of the first of these ascending points that is >= `hash`; their number when none is. */
function firstAtOrAfter(points: Uint32Array, hash: number): number {
  let from = 0;
  let to = points.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((points[middle] ?? 0) < hash) from = middle + 1;
    else to = middle;
  }
  return from;
}
