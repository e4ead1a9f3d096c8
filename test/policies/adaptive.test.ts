import { describe, expect, it } from 'vitest';
import { adaptive } from '../../src/policies/adaptive.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { candidate, countById, picks } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { shareTolerance } from '../support/statistics.js';

/** How often the fastest of `n` equal candidates is picked. */
function shareOfFastest(n: number, draws: number): number {
  const list = Array.from({ length: n }, (_, i) =>
    candidate(`c${String(i)}`, 1, { measured: 1, ewmaMs: 100 - i }),
  );
  const env = { clock: new ManualClock(), rng: seededRng(n) };
  return (countById(picks(adaptive().build(list, env), draws))[`c${String(n - 1)}`] ?? 0) / draws;
}

describe('the number compared', () => {
  it.each([2, 7, 8])('is all of %s', (n) => {
    expect(shareOfFastest(n, 500)).toBe(1);
  });

  it.each([9, 20])('is three of %s', (n) => {
    const draws = 20_000;
    expect(Math.abs(shareOfFastest(n, draws) - 3 / n)).toBeLessThan(shareTolerance(3 / n, draws));
  });
});

describe('options', () => {
  it('hand tau on to the load', () => {
    const { state } = candidate('a', 1, { measured: 1, ewmaMs: 100 });
    expect(adaptive({ tauMs: 500 }).load?.of(state, 500)).toBeCloseTo(100 / Math.E);
    expect(adaptive().load?.of(state, 1_500)).toBeCloseTo(100 / Math.E);
  });

  it('are refused when unknown or out of range', () => {
    const unknown = { choices: 3 } as object;
    expectInvalidOption(
      thrownBy(() => adaptive(unknown)),
      'adaptive.choices',
      3,
    );
    expectInvalidOption(
      thrownBy(() => adaptive({ tauMs: 0 })),
      'adaptive.tauMs',
      0,
    );
  });
});
