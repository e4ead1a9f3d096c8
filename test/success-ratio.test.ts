import { describe, expect, it } from 'vitest';
import { successRatioAfter, successRatioAt } from '../src/success-ratio.js';

const rated = (successRatio: number, failuresInARow = 0): Parameters<typeof successRatioAt>[0] => ({
  successRatio,
  failuresInARow,
  ewmaAtMs: 1_000,
});

describe('with time', () => {
  it('it returns to 1 with a time constant of 20 s', () => {
    expect(successRatioAt(rated(0.2), 1_000)).toBeCloseTo(0.2);
    expect(successRatioAt(rated(0.2), 21_000)).toBeCloseTo(1 - 0.8 / Math.E);
    expect(successRatioAt(rated(0.2), 1e9)).toBe(1);
  });

  it('a clock reading before the last outcome changes nothing', () => {
    expect(successRatioAt(rated(0.2), 0)).toBeCloseTo(0.2);
  });
});

describe('with outcomes', () => {
  it('a success takes it a tenth of the way to 1', () => {
    expect(successRatioAfter(rated(0.5), true, 1_000)).toBeCloseTo(0.55);
    expect(successRatioAfter(rated(1), true, 1_000)).toBe(1);
  });

  it('the first failure takes a tenth, and each in a row what two of the one before would', () => {
    const failures = [0, 1, 2, 3].map((row) => successRatioAfter(rated(1, row), false, 1_000));
    expect(failures.map((ratio) => Math.log(ratio) / Math.log(0.9))).toEqual(
      [1, 2, 4, 8].map((weight) => expect.closeTo(weight, 9) as number),
    );
  });

  it('it stays a number however many fail in a row', () => {
    expect(successRatioAfter(rated(0.5, 5_000), false, 1_000)).toBe(0);
  });

  it('recovers first, up to the time of the outcome', () => {
    expect(successRatioAfter(rated(0), false, 21_000)).toBeCloseTo(0.9 * (1 - 1 / Math.E));
  });
});
