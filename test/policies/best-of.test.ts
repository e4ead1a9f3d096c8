import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestOf } from '../../src/policies/best-of.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Candidate, Load, Picker } from '../../src/types.js';
import { candidate, context, countById, picks, weighted } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { chiSquare, chiSquareLimit, shareTolerance } from '../support/statistics.js';

function build(list: readonly Candidate[], choices: number, seed = 1): Picker {
  return bestOf({ choices }).build(list, { clock: new ManualClock(), rng: seededRng(seed) });
}

/** `busy` candidates with a call in flight, then `idle` ones without. */
function mixed(busy: number, idle: number): Candidate[] {
  return Array.from({ length: busy + idle }, (_, i) =>
    candidate(i < busy ? `busy${String(i)}` : `idle${String(i)}`, 1, { pending: i < busy ? 1 : 0 }),
  );
}

function shareOfBusy(picker: Picker, draws: number): number {
  return picks(picker, draws).filter((id) => id.startsWith('busy')).length / draws;
}

it.each([
  [2, 3, 2],
  [2, 4, 2],
  [3, 10, 5],
  [4, 10, 6],
  [5, 6, 5],
  [9, 10, 9],
])('best of %s: with the %s of them and %s busy, C(k, d) / C(n, d) go to a busy one', (d, n, k) => {
  const choose = (from: number): number =>
    Array.from({ length: d }, (_, i) => (from - i) / (i + 1)).reduce((a, b) => a * b, 1);
  const expected = choose(k) / choose(n);
  const draws = 40_000;
  const share = shareOfBusy(build(mixed(k, n - k), d), draws);
  expect(Math.abs(share - expected)).toBeLessThan(shareTolerance(expected, draws));
});

it('compares two by default', () => {
  const draws = 20_000;
  const picker = bestOf().build(mixed(2, 2), { clock: new ManualClock(), rng: seededRng(3) });
  expect(Math.abs(shareOfBusy(picker, draws) - 1 / 6)).toBeLessThan(shareTolerance(1 / 6, draws));
});

it('of three drawn, all are distinct, whichever of the first two is the better', () => {
  // The best of 3 distinct of 4 is the first or the second. 16 tries miss the two that are left in one of 65,536.
  const list = [0, 1, 2, 3].map((pending) => candidate(`c${String(pending)}`, 1, { pending }));
  const draws = 4_000;
  const counts = countById(picks(build(list, 3, 4), draws));
  expect(Object.keys(counts).sort()).toEqual(['c0', 'c1']);
  expect(Math.abs((counts['c0'] ?? 0) / draws - 0.75)).toBeLessThan(shareTolerance(0.75, draws));
});

it('the second is drawn by weight too, four times before the chances are equal', () => {
  // One of 4 in 8 is busy, so the first draw is the busy one in 1/2; a draw by weight then misses in 1/2. The
  // rivals have weights 1 and 3: of the second draws, 15/16 go 1 : 3 and 1/16 go 1 : 1.
  const list = [candidate('busy', 4, { pending: 40 }), candidate('light', 1), candidate('b', 3)];
  const draws = 40_000;
  const light = 1 / 8 + (1 / 2) * ((15 / 16) * (1 / 4) + (1 / 16) * (1 / 2));
  const counts = countById(picks(build(list, 2, 6), draws));
  expect(counts['busy']).toBeUndefined();
  expect(Math.abs((counts['light'] ?? 0) / draws - light)).toBeLessThan(
    shareTolerance(light, draws),
  );
});

describe('as many choices as candidates', () => {
  it('the least loaded is always found', () => {
    expect(shareOfBusy(build(mixed(7, 1), 8), 2_000)).toBe(0);
    expect(shareOfBusy(build(mixed(7, 1), 99), 2_000)).toBe(0);
  });

  it.each([[[1, 1, 1]], [[3, 1]], [[1, 2, 3, 4, 5]]])(
    'ties of weights %j go by weight',
    (weights) => {
      const list = weighted(...weights);
      const counts = countById(picks(build(list, 8, 7), 20_000));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      expect(
        chiSquare(
          list.map(({ instance }) => counts[instance.id] ?? 0),
          weights.map((weight) => weight / total),
        ),
      ).toBeLessThan(chiSquareLimit(weights.length - 1));
    },
  );

  it('less by a hair is less', () => {
    const load: Load = { name: 'fixed', of: ({ ewmaMs }) => ewmaMs };
    const list = [1_000, 1_000 - 1e-9, 1_000].map((ewmaMs, i) =>
      candidate(`c${String(i)}`, 1, { ewmaMs }),
    );
    const picker = bestOf({ choices: 3, load }).build(list, {
      clock: new ManualClock(),
      rng: seededRng(1),
    });
    expect(countById(picks(picker, 100))).toEqual({ c1: 100 });
  });

  it('ties among some go by weight, whatever comes before them in the list', () => {
    const list = [candidate('busy', 5, { pending: 50 }), candidate('a', 1), candidate('b', 3)];
    const draws = 20_000;
    const counts = countById(picks(build(list, 3, 9), draws));
    expect(counts['busy']).toBeUndefined();
    const share = (counts['b'] ?? 0) / draws;
    expect(Math.abs(share - 0.75)).toBeLessThan(shareTolerance(0.75, draws));
  });
});

it.each([
  [2, 3],
  [3, 4],
  [8, 3],
])('best of %s of %s: a load that is no number is the largest, and still leaves a pick', (d, n) => {
  const load: Load = { name: 'broken', of: ({ instance }) => (instance.id === 'c2' ? 5 : NaN) };
  const env = { clock: new ManualClock(), rng: seededRng(1) };
  const list = weighted(...Array.from({ length: n }, () => 1));
  const picker = bestOf({ choices: d, load }).build(list, env);
  // c2 is drawn in d picks of n, and then taken.
  const draws = 5_000;
  const share = (countById(picks(picker, draws))['c2'] ?? 0) / draws;
  const expected = Math.min(1, d / n);
  expect(Math.abs(share - expected)).toBeLessThanOrEqual(shareTolerance(expected, draws));
  expect(picker.pick(context(['c2']))).toBeDefined();
});

it('never picks an excluded candidate nor misses one that is left', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(11)),
      fc.integer({ min: 2, max: 14 }),
      (pending, exclude, choices) => {
        const list = pending.map((n, i) => candidate(`c${String(i)}`, 1 + (i % 3), { pending: n }));
        const excluded = exclude.map((i) => `c${String(i)}`);
        const left = list.map(({ instance }) => instance.id).filter((id) => !excluded.includes(id));
        const [id = ''] = picks(build(list, choices), 1, context(excluded));
        if (left.length === 0) expect(id).toBe('none');
        else expect(left).toContain(id);
      },
    ),
    { seed: 2, numRuns: 300 },
  );
});

it.each([1, 0, 2.5, NaN, '2'])('refuses %s choices', (choices) => {
  expectInvalidOption(
    thrownBy(() => bestOf({ choices: choices as number })),
    'bestOf.choices',
    choices,
  );
});

it.each([
  ['load', {}, 'bestOf.load.name'],
  ['of', { name: 'x' }, 'bestOf.load.of'],
  ['observe', { name: 'x', of: (): number => 1, observe: 1 }, 'bestOf.load.observe'],
  ['seed', { name: 'x', of: (): number => 1, seed: true }, 'bestOf.load.seed'],
])('refuses a load whose %s is wrong', (_what, load, option) => {
  expect(() => bestOf({ load: load as Load })).toThrow(`"${option}"`);
});
