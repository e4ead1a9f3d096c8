import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { maglev } from '../../src/policies/maglev.js';
import { rendezvous } from '../../src/policies/rendezvous.js';
import { ringHash } from '../../src/policies/ring-hash.js';
import { sticky } from '../../src/policies/sticky.js';
import type { CallContext, Candidate, Picker, Policy } from '../../src/types.js';
import { candidate, context, countById, type TestCandidate } from '../support/candidates.js';

/** Every policy that hashes a key: its name, the path of its options, and its factory. */
export const HASHING: readonly (readonly [
  name: string,
  path: string,
  factory: (options?: { balanceFactor?: number }) => Policy,
])[] = [
  ['rendezvous', 'rendezvous', rendezvous],
  ['ring-hash', 'ringHash', ringHash],
  ['maglev', 'maglev', maglev],
  ['sticky', 'sticky', sticky],
];

export function build(
  policy: Policy,
  list: readonly Candidate[],
  previous?: Picker,
  rng = seededRng(1),
): Picker {
  return policy.build(list, { clock: new ManualClock(), rng }, previous);
}

export function keyed(
  hashKey: string,
  excluded: readonly string[] = [],
  more: Partial<CallContext> = {},
): CallContext {
  return { ...context(excluded), hashKey, ...more };
}

/** Where one attempt with this key goes. */
export function idFor(picker: Picker, hashKey: string, excluded: readonly string[] = []): string {
  return picker.pick(keyed(hashKey, excluded))?.instance.id ?? 'none';
}

export function keys(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `key-${i}`);
}

/** Where each of these keys goes. */
export function homes(picker: Picker, all: readonly string[]): string[] {
  return all.map((key) => idFor(picker, key));
}

/** How many of these keys go to each of the candidates, in the order of the list. */
export function keyCounts(
  picker: Picker,
  list: readonly Candidate[],
  all: readonly string[],
): number[] {
  const counts = countById(homes(picker, all));
  return list.map(({ instance }) => counts[instance.id] ?? 0);
}

export function sharesOf(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** `n` candidates of weight 1, their ids apart from those of another `set`. */
export function equal(n: number, set = 'c'): TestCandidate[] {
  return Array.from({ length: n }, (_, i) => candidate(`${set}${i}`));
}

/** All choices of a key, best first, as retries that exclude what was tried find them. */
export function choices(picker: Picker, key: string, most: number): string[] {
  const tried: string[] = [];
  while (tried.length <= most) {
    const id = idFor(picker, key, tried);
    if (id === 'none') break;
    tried.push(id);
  }
  return tried;
}

/** The order of each of some keys over a list that never changes, its places written one after the other. */
export function pinnedOrders(policy: Policy): string[] {
  const list = [
    candidate('orders-1'),
    candidate('orders-2'),
    candidate('orders-3', 2),
    candidate('10.0.0.7:8080', 0.5),
    candidate('zürich'),
  ];
  const picker = build(policy, list);
  const placeOf = (id: string): number => list.findIndex(({ instance }) => instance.id === id);
  const all = ['user-1', 'user-2', 'user-3', 'cart/9f', '日本語', 'a', 'x'.repeat(200)];
  return all.map((key) => choices(picker, key, 5).map(placeOf).join(''));
}
