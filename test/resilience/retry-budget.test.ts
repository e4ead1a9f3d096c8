import { describe, expect, it } from 'vitest';
import type { ResolvedRetryBudget } from '../../src/resilience-options.js';
import { RetryBudget } from '../../src/resilience/retry-budget.js';

/** A budget without a reserve, of 0.2 per success, but for what is given. */
function budget(options: Partial<ResolvedRetryBudget> = {}): RetryBudget {
  return new RetryBudget({ ratio: 0.2, minPerSecond: 0, windowMs: 10_000, ...options });
}

function deposit(to: RetryBudget, times: number, nowMs: number): void {
  for (let i = 0; i < times; i++) to.deposit(nowMs);
}

/** How many of `times` retries it allows. */
function withdraw(from: RetryBudget, times: number, nowMs: number): number {
  return Array.from({ length: times }, () => from.withdraw(nowMs)).filter(Boolean).length;
}

describe('successes', () => {
  it('pay for one retry in five', () => {
    const paid = budget();
    deposit(paid, 4, 0);
    expect(paid.withdraw(0)).toBe(false);
    deposit(paid, 1, 0);
    expect([paid.withdraw(0), paid.withdraw(0)]).toEqual([true, false]);
  });

  it('pay for nothing with ratio 0', () => {
    const paid = budget({ ratio: 0 });
    deposit(paid, 1_000, 0);
    expect(withdraw(paid, 10, 0)).toBe(0);
  });

  it('pay for one retry each with ratio 1', () => {
    const paid = budget({ ratio: 1 });
    deposit(paid, 7, 0);
    expect(withdraw(paid, 10, 0)).toBe(7);
  });

  it('count for the tenth of the window they are in and the nine that follow', () => {
    for (const atMs of [0, 500, 999]) {
      const kept = budget();
      deposit(kept, 5, atMs);
      expect(kept.available(9_999)).toBe(1);
      expect(kept.available(10_000)).toBe(0);
    }
  });

  it('count for as long as a window of another length', () => {
    const kept = budget({ windowMs: 1_000 });
    deposit(kept, 5, 0);
    expect(kept.available(999)).toBe(1);
    expect(kept.available(1_000)).toBe(0);
  });

  it('of the longest ago are spent first', () => {
    const spent = budget();
    deposit(spent, 5, 0);
    deposit(spent, 5, 5_000);
    expect(spent.withdraw(6_000)).toBe(true);
    expect(spent.available(12_000), 'those of 5 s are left').toBe(1);
    expect(spent.available(15_000)).toBe(0);
  });

  it('of several tenths can pay for one retry together', () => {
    const spent = budget();
    for (let second = 0; second < 10; second++) deposit(spent, 1, second * 1_000);
    expect(spent.available(9_000)).toBe(2);
    expect(spent.withdraw(9_000)).toBe(true);
    // Of the ten, those of the first five seconds are spent: they lapse with no loss.
    expect(spent.available(14_000)).toBe(1);
    expect(spent.available(15_000)).toBe(0.8);
  });
});

describe('the reserve', () => {
  const reserve = { ratio: 0, minPerSecond: 10 };

  it('is there from the start, whatever the clock says', () => {
    for (const nowMs of [0, 1, 123_456.789, 1e12, -5_000]) {
      const given = budget(reserve);
      expect(given.reserve).toBe(100);
      expect(given.available(nowMs)).toBe(100);
      expect(withdraw(given, 200, nowMs)).toBe(100);
    }
  });

  it('comes back a tenth at a time, with none to wait for', () => {
    const given = budget(reserve);
    withdraw(given, 200, 0);
    const allowed = Array.from({ length: 12 }, (_, i) => withdraw(given, 200, (i + 1) * 1_000));
    expect(allowed).toEqual(Array.from({ length: 12 }, () => 10));
  });

  it('is saved up over one window, and no longer', () => {
    const given = budget(reserve);
    withdraw(given, 200, 0);
    expect(given.available(4_000)).toBe(40);
    expect(given.available(10_000)).toBe(100);
    expect(given.available(60_000)).toBe(100);
  });

  it('of less than one retry per window never allows one', () => {
    const given = budget({ minPerSecond: 0.09 });
    for (let nowMs = 0; nowMs < 60_000; nowMs += 500) expect(given.withdraw(nowMs)).toBe(false);
  });

  it('of one retry per window allows one, then one more each window', () => {
    const given = budget({ minPerSecond: 0.1 });
    const allowed = Array.from({ length: 30 }, (_, i) => given.withdraw(i * 1_000));
    expect(allowed.flatMap((isAllowed, i) => (isAllowed ? [i] : []))).toEqual([0, 10, 20]);
  });

  it('adds to what successes pay for', () => {
    const both = budget({ minPerSecond: 1 });
    deposit(both, 25, 0);
    expect(withdraw(both, 100, 0)).toBe(15);
  });

  it('is nothing with minPerSecond 0', () => {
    expect(budget().reserve).toBe(0);
    expect(budget().withdraw(0)).toBe(false);
  });
});

it('goes on allowing what comes in after a burst that used up all savings', () => {
  const steady = budget();
  for (let second = 0; second < 10; second++) deposit(steady, 100, second * 1_000);
  expect(withdraw(steady, 1_000, 9_000)).toBe(200);
  for (let second = 10; second < 30; second++) {
    deposit(steady, 50, second * 1_000);
    expect(withdraw(steady, 1_000, second * 1_000)).toBe(10);
  }
});

describe('the clock', () => {
  it('may jump ahead: what was saved lapses, and the reserve is full', () => {
    const late = budget({ minPerSecond: 10 });
    deposit(late, 1_000, 0);
    withdraw(late, 50, 0);
    expect(late.available(86_400_000)).toBe(100);
    expect(withdraw(late, 200, 86_400_000)).toBe(100);
  });

  it('may jump back: nothing comes in before it is where it was', () => {
    const early = budget({ minPerSecond: 10 });
    withdraw(early, 100, 50_000);
    expect(withdraw(early, 100, 0)).toBe(0);
    deposit(early, 5, 0);
    expect(withdraw(early, 100, 0)).toBe(1);
    expect(withdraw(early, 100, 50_999)).toBe(0);
    expect(withdraw(early, 100, 51_000)).toBe(10);
  });

  it('may be below zero', () => {
    const below = budget();
    deposit(below, 5, -12_345);
    expect(below.available(-3_001)).toBe(1);
    expect(below.available(-3_000)).toBe(0);
    deposit(below, 5, -500);
    expect(below.available(500), 'across zero').toBe(1);
  });
});

describe('counts', () => {
  it.each([0.1, 0.2, 0.05, 1 / 3, 1 / 7, 0.7])(
    'lose nothing to rounding: ratio %f allows floor(n * ratio)',
    (ratio) => {
      for (const n of [1, 3, 7, 10, 20, 21, 999, 1_000]) {
        const exact = budget({ ratio });
        deposit(exact, n, 0);
        expect(withdraw(exact, n, 0), `${String(n)} successes`).toBe(Math.floor(n * ratio + 1e-9));
      }
    },
  );

  it('may be large', () => {
    const large = budget();
    deposit(large, 1_000_000, 0);
    // A sum of n doubles is off by n * 2^-53 of itself at the worst: here by 2e-5.
    expect(large.available(0)).toBeCloseTo(200_000, 4);
    expect(withdraw(large, 300_000, 500)).toBe(200_000);
    expect(large.available(500)).toBeCloseTo(0, 4);
  });

  it('never show less than nothing, nor the dust of sums', () => {
    const dusty = budget({ ratio: 0.1 });
    deposit(dusty, 3, 0);
    expect(dusty.available(0)).toBe(0.3);
    deposit(dusty, 7, 0);
    dusty.withdraw(0);
    expect(dusty.available(0)).toBe(0);
    expect(Object.is(dusty.available(0), 0), 'not -0').toBe(true);
  });
});
