import { expect, it } from 'vitest';
import { random } from '../../src/policies/random.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { context, countById, picks, weighted } from '../support/candidates.js';
import { chiSquare, chiSquareLimit } from '../support/statistics.js';

const env = { clock: new ManualClock(), rng: seededRng(21) };

it('picks in proportion to the weights', () => {
  const counts = countById(picks(random().build(weighted(1, 2, 7), env), 50_000));
  const observed = ['c0', 'c1', 'c2'].map((id) => counts[id] ?? 0);
  expect(chiSquare(observed, [0.1, 0.2, 0.7])).toBeLessThan(chiSquareLimit(2));
});

it('picks uniformly among equals', () => {
  const counts = countById(picks(random().build(weighted(4, 4, 4, 4), env), 40_000));
  expect(chiSquare(Object.values(counts), [0.25, 0.25, 0.25, 0.25])).toBeLessThan(
    chiSquareLimit(3),
  );
});

it('never picks the excluded, and undefined only when none is left', () => {
  const picker = random().build(weighted(1, 2, 3), env);
  const two = new Set(picks(picker, 1_000, context(['c1'])));
  expect(two).toEqual(new Set(['c0', 'c2']));
  expect(picks(picker, 100, context(['c0', 'c2']))).toEqual(Array(100).fill('c1'));
  expect(picker.pick(context(['c0', 'c1', 'c2']))).toBeUndefined();
});
