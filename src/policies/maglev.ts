import { InvalidOptionError } from '../errors.js';
import type { Policy } from '../types.js';
import { checkKeys, checkNumber } from '../validate.js';
import { type BalanceOptions, checkBalance, hashingPolicy, type KeyOrder } from './hashing.js';
import type { KeyedList } from './keyed-list.js';

export interface MaglevOptions extends BalanceOptions {
  /**
   * Slots of the table, a prime from 2 to 5,000,011. Shares are exact to one slot: for 1 % have 100 times as many as
   * instances. With more instances than slots the table grows, to the next prime past the double, until each has one.
   * Default: 65,537.
   */
  readonly tableSize?: number | undefined;
}

/**
 * Maglev hashing: the key of a call (`hashKey`) falls on one slot of a table that the instances have filled by turns,
 * each in an order of its own. O(1) per pick, and the most even of the hashing policies. An instance that joins or
 * leaves takes or gives its share of the keys, and a few more, with the default table fewer than 1 in 100, move between
 * the others.
 *
 * Sources: D. Eisenbud et al., "Maglev: a fast and reliable software network load balancer", NSDI 2016; weights as in
 * Envoy's `maglev_lb.cc`.
 */
export function maglev(options: MaglevOptions = {}): Policy {
  checkKeys('maglev', options, ['tableSize', 'balanceFactor']);
  const tableSize = checkNumber('maglev.tableSize', options.tableSize ?? 65_537, {
    min: 2,
    max: 5_000_011,
    integer: true,
  });
  if (!isPrime(tableSize)) throw new InvalidOptionError('maglev.tableSize', 'a prime', tableSize);
  const balanceFactor = checkBalance('maglev.balanceFactor', options.balanceFactor);
  return hashingPolicy('maglev', balanceFactor, (list) => maglevOrder(list, tableSize));
}

/** The order of a key is that of the slots from its own on: neighbours were filled in no relation to each other. */
function maglevOrder(list: KeyedList, tableSize: number): KeyOrder {
  const size = fittingSize(tableSize, list.candidates.length);
  const table = fill(list, size);
  return (hash, accepts) => {
    for (let slot = hash % size; ; slot = slot + 1 === size ? 0 : slot + 1) {
      const place = table[slot] ?? 0;
      if (accepts(place)) return place;
    }
  };
}

/** Each in its turn takes the next free slot of its permutation, `offset + j * skip` modulo the prime `size`. */
function fill(list: KeyedList, size: number): Uint32Array {
  const { first, second } = list;
  const next = first.map((hash) => hash % size);
  const skip = second.map((hash) => (hash % (size - 1)) + 1);
  const table = new Uint32Array(size);
  const taken = new Uint8Array(size);
  for (const turn of turns(list, size)) {
    const place = turn - Math.floor(turn / PLACES) * PLACES;
    const step = skip[place] ?? 1;
    let slot = next[place] ?? 0;
    while (taken[slot] === 1) {
      slot += step;
      if (slot >= size) slot -= size;
    }
    table[slot] = place;
    taken[slot] = 1;
    next[place] = slot;
  }
  return table;
}

/** Turn and place are sorted as one double, `round * 2^21 + place`, exact for up to 2 million instances. */
const PLACES = 2 ** 21;

/**
 * Whose turn it is, `size` times over: the heaviest take one in every round, the others one in every
 * `largest / weight` rounds, all beginning with the first. Asking each in each round whether it is due would cost
 * rounds times n.
 */
function turns({ shares }: KeyedList, size: number): Float64Array {
  const largest = shares.reduce((max, share) => Math.max(max, share), 0);
  // The shares sum to 1: so many rounds hold `size` turns or a few more.
  const rounds = Math.ceil(size * largest) + 1;
  const counts = shares.map((share) => Math.floor((rounds * share) / largest) + 1);
  const sorted = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  counts.forEach((count, place) => {
    const interval = largest / (shares[place] ?? 1);
    for (let turn = 0; turn < count; turn++) {
      // What rounding added must not put a turn off by a round.
      const round = Math.max(0, Math.ceil(turn * interval - 1e-6));
      sorted[at++] = round * PLACES + place;
    }
  });
  return sorted.sort().subarray(0, size);
}

function fittingSize(tableSize: number, n: number): number {
  let size = tableSize;
  while (size < n) {
    size = 2 * size + 1;
    while (!isPrime(size)) size += 2;
  }
  return size;
}

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
}
