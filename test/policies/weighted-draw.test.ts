import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeightedDraw } from '../../src/policies/weighted-draw.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { weighted } from '../support/candidates.js';
import { chiSquare, chiSquareLimit } from '../support/statistics.js';

/**
 * The exact probability of each index, read out of the draw by driving its randomness: within slot s, u in
 * [s/n, (s+1)/n), it keeps s below one threshold and takes the alias above it; bisection finds the threshold.
 */
function impliedShares(weights: readonly number[]): number[] {
  const n = weights.length;
  let u = 0;
  const draw = new WeightedDraw(weighted(...weights), { next: () => u });
  const at = (slot: number, part: number): number => {
    u = (slot + part) / n;
    return draw.index();
  };
  const shares = Array<number>(n).fill(0);
  const add = (i: number, part: number): void => {
    shares[i] = (shares[i] ?? 0) + part / n;
  };
  for (let slot = 0; slot < n; slot++) {
    const low = at(slot, 1e-13);
    const high = at(slot, 1 - 1e-12);
    let [from, to] = [0, 1];
    if (low !== high) {
      for (let i = 0; i < 50; i++) {
        const middle = (from + to) / 2;
        if (at(slot, middle) === low) from = middle;
        else to = middle;
      }
    } else from = 1;
    add(low, from);
    add(high, 1 - from);
  }
  return shares;
}

function sharesOf(weights: readonly number[]): number[] {
  const largest = Math.max(...weights);
  const sum = weights.reduce((total, weight) => total + weight / largest, 0);
  return weights.map((weight) => weight / largest / sum);
}

describe('the alias table', () => {
  it('implies exactly the weights', () => {
    const weight = fc.oneof(
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 30 }), (weights) => {
        const expected = sharesOf(weights);
        impliedShares(weights).forEach((share, i) => {
          expect(Math.abs(share - (expected[i] ?? 0))).toBeLessThan(1e-9);
        });
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it.each([
    ['a sum beyond the range of doubles', [1.7e308, 1.7e308, 0.85e308]],
    ['subnormal weights', [5e-324, 1e-323, 1.5e-323]],
    ['one weight far above the rest', [1e15, 1, 1]],
  ])('is right for %s', (_what, weights) => {
    const expected = sharesOf(weights);
    impliedShares(weights).forEach((share, i) => {
      expect(Math.abs(share - (expected[i] ?? 0))).toBeLessThan(1e-9);
    });
  });

  it.each([
    ['one a hair lighter than the rest', [1 - 2 ** -53, 1, 1]],
    ['all but one a hair lighter', [...Array<number>(29).fill(1 - 2 ** -53), 1]],
  ])('never draws beyond the list for %s', (_what, weights) => {
    // What is short of a whole share by 2^-53 is rounded to it.
    const expected = sharesOf(weights);
    impliedShares(weights).forEach((share, i) => {
      expect(Math.abs(share - (expected[i] ?? 0))).toBeLessThan(1e-9);
    });
    const draw = new WeightedDraw(weighted(...weights), seededRng(3));
    for (let i = 0; i < 1_000; i++) expect(draw.index()).toBeLessThan(weights.length);
  });

  it('draws 1,000 weights within chi-square of their shares', () => {
    const weights = Array.from({ length: 1_000 }, (_, i) => 1 + (i % 10));
    const draw = new WeightedDraw(weighted(...weights), seededRng(77));
    const counts = Array<number>(1_000).fill(0);
    for (let i = 0; i < 200_000; i++) {
      const at = draw.index();
      counts[at] = (counts[at] ?? 0) + 1;
    }
    expect(chiSquare(counts, sharesOf(weights))).toBeLessThan(chiSquareLimit(999));
  });
});

describe('eligible', () => {
  it('follows the weights of what is left', () => {
    const draw = new WeightedDraw(weighted(1, 2, 3, 4), seededRng(5));
    const counts = [0, 0];
    for (let i = 0; i < 30_000; i++) {
      const at = draw.eligible(new Set(['c0', 'c3']));
      expect([1, 2]).toContain(at);
      counts[at - 1] = (counts[at - 1] ?? 0) + 1;
    }
    expect(chiSquare(counts, [0.4, 0.6])).toBeLessThan(chiSquareLimit(1));
  });

  it('finds the few that are left behind a very heavy one, by their weights', () => {
    // The 16 tries nearly always hit the heavy one: this is the path that filters.
    const draw = new WeightedDraw(weighted(1e9, 1, 3), seededRng(6));
    const counts = [0, 0];
    for (let i = 0; i < 10_000; i++) {
      const at = draw.eligible(new Set(['c0'])) - 1;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    expect(chiSquare(counts, [0.25, 0.75])).toBeLessThan(chiSquareLimit(1));
  });

  it('is none only when none is left', () => {
    const draw = new WeightedDraw(weighted(1, 1, 1), seededRng(1));
    expect(draw.eligible(new Set(['c0', 'c1', 'c2']))).toBe(-1);
    expect(draw.eligible(new Set(['c0', 'c1']))).toBe(2);
    expect(new WeightedDraw([], seededRng(1)).eligible(new Set())).toBe(-1);
  });
});
