import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rendezvous } from '../../src/policies/rendezvous.js';
import { candidate, weighted } from '../support/candidates.js';
import { chiSquare, chiSquareLimit, shareTolerance } from '../support/statistics.js';
import { build, choices, equal, homes, idFor, keyCounts, keys, sharesOf } from './hashing-rig.js';

it.each([
  [[1, 1]],
  [[1, 2, 7]],
  [[0.1, 0.2, 0.3, 0.4, 50]],
  [Array.from({ length: 40 }, (_, i) => 1 + (i % 4))],
])('keys follow the weights %j', (weights) => {
  const list = weighted(...weights);
  const counts = keyCounts(build(rendezvous(), list), list, keys(60_000));
  expect(chiSquare(counts, sharesOf(weights))).toBeLessThan(chiSquareLimit(weights.length - 1));
});

it('the choices after the first follow the weights of what is left, to the least', () => {
  const list = weighted(1e300, 1e-300, 3e-300);
  const picker = build(rendezvous(), list);
  const counts = [0, 0];
  for (const key of keys(5_000)) {
    expect(idFor(picker, key)).toBe('c0');
    const at = idFor(picker, key, ['c0']) === 'c1' ? 0 : 1;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  expect(chiSquare(counts, [0.25, 0.75])).toBeLessThan(chiSquareLimit(1));
});

it.each([1, 2, 9, 99])('one that joins %i takes its share of keys, to itself only', (n) => {
  const all = keys(20_000);
  const before = homes(build(rendezvous(), equal(n)), all);
  const after = homes(build(rendezvous(), equal(n + 1)), all);
  const moved = after.filter((id, i) => id !== before[i]);
  expect(new Set(moved)).toEqual(new Set([`c${n}`]));
  const share = 1 / (n + 1);
  expect(Math.abs(moved.length / all.length - share)).toBeLessThan(shareTolerance(share, 20_000));
});

it('whatever joins, leaves or changes its weight, no key moves between the others', () => {
  const weight = fc.double({ min: 0.01, max: 1_000, noNaN: true });
  fc.assert(
    fc.property(fc.array(weight, { minLength: 2, maxLength: 10 }), weight, (weights, other) => {
      const list = weighted(...weights);
      const [gone, ...rest] = list;
      const changed = [candidate('c0', other), ...rest];
      const of = (candidates: typeof list) => homes(build(rendezvous(), candidates), keys(60));
      const [before, without, after] = [of(list), of(rest), of(changed)];
      before.forEach((id, i) => {
        if (id !== gone?.instance.id) expect(without[i]).toBe(id);
        expect([id, 'c0']).toContain(id === 'c0' ? 'c0' : after[i]);
        // More weight only wins keys, less only loses them.
        if (id === 'c0' && other >= (weights[0] ?? 0)) expect(after[i]).toBe('c0');
        if (after[i] === 'c0' && other <= (weights[0] ?? 0)) expect(id).toBe('c0');
      });
    }),
    { seed: 10 },
  );
});

it('the second choice is where the key goes once the first has left', () => {
  const list = weighted(3, 1, 4, 1, 5);
  const picker = build(rendezvous(), list);
  for (const key of keys(200)) {
    const [first, second] = choices(picker, key, 2);
    const rest = list.filter(({ instance }) => instance.id !== first);
    expect(idFor(build(rendezvous(), rest), key)).toBe(second);
  }
});
