import { expect, it } from 'vitest';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { chiSquare, chiSquareLimit } from '../support/statistics.js';

function draw(seed: number, n: number): number[] {
  const rng = seededRng(seed);
  return Array.from({ length: n }, () => rng.next());
}

it('repeats itself under the same seed, and not under another', () => {
  expect(draw(42, 20)).toEqual(draw(42, 20));
  expect(draw(42, 20)).not.toEqual(draw(43, 20));
});

it('takes the seed modulo 2^32', () => {
  expect(draw(2 ** 32 + 5, 5)).toEqual(draw(5, 5));
  expect(draw(-1, 5)).toEqual(draw(2 ** 32 - 1, 5));
});

it('is mulberry32', () => {
  // First values of the reference implementation for seed 0, times 2^32.
  expect(draw(0, 3).map((u) => u * 2 ** 32)).toEqual([1_144_304_738, 1_416_247, 958_946_056]);
});

it('draws uniformly from [0, 1), by chi-square over 100 bins', () => {
  const bins = Array<number>(100).fill(0);
  for (const u of draw(7, 100_000)) {
    expect(u >= 0 && u < 1).toBe(true);
    const bin = Math.floor(u * 100);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  expect(chiSquare(bins, Array<number>(100).fill(0.01))).toBeLessThan(chiSquareLimit(99));
});
