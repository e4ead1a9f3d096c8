import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptive } from '../../src/policies/adaptive.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { successRatioAfter } from '../../src/success-ratio.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Candidate, Picker } from '../../src/types.js';
import { candidate, context, countById, picks, type TestCandidate } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { chiSquare, chiSquareLimit, shareTolerance } from '../support/statistics.js';

function build(list: readonly Candidate[], seed = 1): Picker {
  return adaptive().build(list, { clock: new ManualClock(), rng: seededRng(seed) });
}

/** Idle candidates of equal weight that answer in these times. */
function answeringIn(...latencies: readonly number[]): TestCandidate[] {
  return latencies.map((ewmaMs, i) => candidate(`c${String(i)}`, 1, { measured: 1, ewmaMs }));
}

/** How often the one of `n` that is twice as fast as the others is picked. */
function shareOfFastest(n: number, draws: number): number {
  const list = answeringIn(...Array.from({ length: n }, (_, i) => (i === n - 1 ? 50 : 100)));
  return (countById(picks(build(list, n), draws))[`c${String(n - 1)}`] ?? 0) / draws;
}

function expectShares(list: readonly Candidate[], shares: readonly number[], draws: number): void {
  const counts = countById(picks(build(list, list.length), draws));
  const ids = list.map(({ instance }) => instance.id);
  const possible = ids.filter((_, i) => shares[i] !== 0);
  expect(Object.keys(counts).sort()).toEqual(possible.sort());
  const all = ids.map((id) => counts[id] ?? 0).filter((_, i) => shares[i] !== 0);
  if (possible.length === 1) return;
  const limit = chiSquareLimit(possible.length - 1);
  expect(chiSquare(all, shares.filter(Boolean))).toBeLessThan(limit);
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

describe('a difference of latency that is small', () => {
  it.each([2, 4, 8, 9, 20])('decides nothing between %s idle ones', (n) => {
    const latencies = Array.from({ length: n }, (_, i) => 3 + (i * 0.99) / (n - 1));
    expectShares(answeringIn(...latencies), Array<number>(n).fill(1 / n), 20_000);
  });

  it('is one of less than a third: a slower one gets nothing, and favours nobody by its place', () => {
    expectShares(answeringIn(4.01, 3, 3.5, 3), [0, 1 / 3, 1 / 3, 1 / 3], 20_000);
    expectShares(answeringIn(3, 3.5, 4.01, 3), [1 / 3, 1 / 3, 0, 1 / 3], 20_000);
  });

  it('leaves it to the weights', () => {
    const list = [10, 11, 12].map((weight, i) =>
      candidate(`c${String(i)}`, weight, { measured: 1, ewmaMs: 3 }),
    );
    expectShares(list, [10 / 33, 11 / 33, 12 / 33], 40_000);
  });

  it('decides where many are in flight, for there it adds up', () => {
    const list = answeringIn(3.1, 3, 3.1);
    for (const { state } of list) state.pending = 16;
    expectShares(list, [0, 1, 0], 500);
  });

  it('excuses a failure, but not a second in a row', () => {
    const list = answeringIn(3, 3, 3);
    const [first] = list;
    const fail = (): void => {
      if (first === undefined) return;
      first.state.successRatio = successRatioAfter(first.state, false, 0);
      first.state.failuresInARow++;
    };
    fail();
    expectShares(list, [1 / 3, 1 / 3, 1 / 3], 10_000);
    fail();
    expectShares(list, [0, 1 / 2, 1 / 2], 10_000);
  });
});

describe('a call more in flight', () => {
  it.each([0, 1, 16, 1_000])('decides between equals: %s or one more', (pending) => {
    const list = answeringIn(3, 3, 3, 3);
    for (const [i, { state }] of list.entries()) state.pending = pending + (i === 2 ? 0 : 1);
    expectShares(list, [0, 0, 1, 0], 500);
  });
});

describe('unequal weights', () => {
  /** So much of the calls, by weight. */
  const byWeight = (weights: readonly number[]): number[] => {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  };
  /** Idle, of these weights and latencies. */
  const idle = (...members: readonly [weight: number, ewmaMs: number][]): TestCandidate[] =>
    members.map(([weight, ewmaMs], i) =>
      candidate(`c${String(i)}`, weight, { measured: 1, ewmaMs }),
    );

  it.each([
    [[19, 1]],
    [[3, 1, 2]],
    [[1, 1, 1, 1, 1, 1, 1, 10]],
    [[100, 10, 1, 100, 10, 1, 100, 10, 1]],
    [Array.from({ length: 20 }, (_, i) => 1 + (i % 4))],
  ])('are the shares of idle ones that are equally fast: %s', (weights) => {
    expectShares(
      idle(...weights.map((weight): [number, number] => [weight, 3])),
      byWeight(weights),
      40_000,
    );
  });

  it('are those of who is fast, where another is slow', () => {
    expectShares(idle([4, 6], [4, 3], [4, 3], [1, 3]), [0, 4 / 9, 4 / 9, 1 / 9], 40_000);
  });

  it('hold for the second try, too', () => {
    const picker = build(idle([4, 3], [3, 3], [1, 3]));
    const counts = countById(picks(picker, 20_000, context(['c0'])));
    expect(Object.keys(counts).sort()).toEqual(['c1', 'c2']);
    expect(Math.abs((counts['c2'] ?? 0) / 20_000 - 1 / 4)).toBeLessThan(
      shareTolerance(1 / 4, 20_000),
    );
  });

  it('are those of a light one that is faster, too, but not by more than the other is heavier', () => {
    expectShares(idle([4, 15], [1, 3]), [4 / 5, 1 / 5], 40_000);
    expectShares(idle([4, 17], [1, 3]), [0, 1], 500);
  });

  it('give a light one nothing that is slower', () => {
    expectShares(idle([4, 3], [1, 6]), [1, 0], 500);
  });

  it('do not hold calls back where the heavy one hangs', () => {
    const [heavy, light] = idle([100, 3], [1, 3]);
    if (heavy === undefined || light === undefined) throw new Error('there are two');
    const picker = build([heavy, light]);
    Object.assign(heavy.state, { pending: 1, waitingSinceMs: 0 });
    expect(countById(picks(picker, 500, context([], 600)))).toEqual({ c1: 500 });
  });
});

describe('one that warms up', () => {
  /** The last of so many that answer in 3 ms, the others with so many calls in flight. */
  const warming = (n: number, ramp: number, pending = 0): TestCandidate[] =>
    Array.from({ length: n }, (_, i) =>
      candidate(`c${String(i)}`, 1, {
        measured: 1,
        ewmaMs: 3,
        ...(i === n - 1 ? { capacity: ramp } : { pending }),
      }),
    );
  const others = (n: number, share: number): number[] => [
    ...Array<number>(n - 1).fill((1 - share) / (n - 1)),
    share,
  ];

  it.each([0.1, 0.4, 0.9])('has its part of the calls between idle ones: %s', (ramp) => {
    for (const n of [2, 4, 20]) {
      expectShares(warming(n, ramp), others(n, ramp / (n - 1 + ramp)), 20_000);
    }
  });

  it('has no more than that where it alone is idle', () => {
    expectShares(warming(4, 0.1, 1), others(4, 0.1 / 3.1), 20_000);
  });

  it('has all of it where the others hang', () => {
    const list = warming(4, 0.1, 1);
    for (const { state } of list.slice(0, 3)) state.waitingSinceMs = 0;
    expect(countById(picks(build(list), 50, context([], 300)))).toEqual({ c3: 50 });
  });

  it('weighs as the others where all do', () => {
    const list = warming(3, 0.1);
    for (const { state } of list) state.capacity = 0.1;
    expectShares(list, [1 / 3, 1 / 3, 1 / 3], 20_000);
  });

  it('is picked where no other is left', () => {
    const picker = build(warming(3, 0.1));
    expect(countById(picks(picker, 50, context(['c0', 'c1'])))).toEqual({ c2: 50 });
    expect(picker.pick(context(['c0', 'c1', 'c2']))).toBeUndefined();
  });
});

it('picks one that, with a quarter of a call less in flight, would be the best', () => {
  const record = fc.record({
    ewmaMs: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
    pending: fc.nat(20),
    successRatio: fc.double({ min: 0.1, max: 1, noNaN: true }),
    measured: fc.nat(1),
    attempts: fc.nat(1),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), record), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(7)),
      fc.nat(),
      (members, exclude, seed) => {
        const list = members.map(([weight, each], i) => candidate(`c${String(i)}`, weight, each));
        const excluded = exclude.map((i) => `c${String(i)}`);
        const left = list.filter(({ instance }) => !excluded.includes(instance.id));
        const picked = build(list, seed).pick(context(excluded));
        if (picked === undefined) {
          expect(left).toEqual([]);
          return;
        }
        expect(left).toContain(picked);
        const of = ({ state }: Candidate): number => adaptive().load?.of(state, 0) ?? NaN;
        // At one that was drawn the call to come counts as its part, at the others as 1.
        const part =
          picked.instance.weight / Math.max(...list.map(({ instance }) => instance.weight));
        const least = Math.min(...left.map(of));
        const { pending } = picked.state;
        const ratio = ((pending + part) / (pending + 1)) * (1 - 0.25 / (pending + 1));
        expect(of(picked) * ratio).toBeLessThanOrEqual(least * (1 + 1e-12));
      },
    ),
    { seed: 5, numRuns: 500 },
  );
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
