import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ResolvedRetryBudget } from '../../src/resilience-options.js';
import { RetryBudget } from '../../src/resilience/retry-budget.js';

const settings = fc.record({
  ratio: fc.oneof(fc.constantFrom(0, 0.2, 1), fc.double({ min: 0, max: 1, noNaN: true })),
  minPerSecond: fc.oneof(fc.constantFrom(0, 0.1, 10), fc.double({ min: 0, max: 30, noNaN: true })),
  windowMs: fc.constantFrom(1_000, 1_234.5, 10_000),
});

/** Bursts: how long after the one before, how many successes, then how many retries are wanted. */
const bursts = fc.array(
  fc.record({
    // In windows: within a tenth, within a window, or long after.
    pause: fc.oneof(
      fc.double({ min: 0, max: 0.2, noNaN: true }),
      fc.double({ min: 0, max: 1.5, noNaN: true }),
      fc.constantFrom(0, 0.1, 1, 40),
    ),
    successes: fc.nat(40),
    wanted: fc.nat(60),
  }),
  { minLength: 1, maxLength: 40 },
);

interface Happened {
  readonly atMs: number;
  readonly successes: number;
  readonly retries: number;
}

function play(
  given: ResolvedRetryBudget,
  startMs: number,
  list: readonly { pause: number; successes: number; wanted: number }[],
  check: (budget: RetryBudget, allowed: boolean, before: number, nowMs: number) => void = () =>
    undefined,
): Happened[] {
  const budget = new RetryBudget(given);
  let nowMs = startMs;
  return list.map(({ pause, successes, wanted }) => {
    nowMs += pause * given.windowMs;
    for (let i = 0; i < successes; i++) budget.deposit(nowMs);
    let retries = 0;
    for (let i = 0; i < wanted; i++) {
      const before = budget.available(nowMs);
      const allowed = budget.withdraw(nowMs);
      if (allowed) retries++;
      check(budget, allowed, before, nowMs);
    }
    return { atMs: nowMs, successes, retries };
  });
}

const start = fc.constantFrom(0, 17.3, -4_321, 1e9);

it('in no stretch of time are there more retries than its successes, those of the window before it, and the reserve pay for', () => {
  fc.assert(
    fc.property(settings, start, bursts, (given, startMs, list) => {
      const { ratio, minPerSecond, windowMs } = given;
      const happened = play(given, startMs, list);
      happened.forEach(({ atMs: fromMs }, from) => {
        let retries = 0;
        for (const { atMs: toMs, retries: more } of happened.slice(from)) {
          retries += more;
          const paying = happened.filter(({ atMs }) => atMs > fromMs - windowMs && atMs <= toMs);
          const successes = paying.reduce((sum, burst) => sum + burst.successes, 0);
          const reserve = (minPerSecond * (toMs - fromMs + 1.1 * windowMs)) / 1_000;
          expect(retries).toBeLessThanOrEqual(ratio * successes + reserve + 1e-6);
        }
      });
    }),
    { seed: 21, numRuns: 500 },
  );
});

it('what it shows is what it allows, and each retry takes one', () => {
  fc.assert(
    fc.property(settings, start, bursts, (given, startMs, list) => {
      play(given, startMs, list, (budget, allowed, before, nowMs) => {
        expect(allowed).toBe(before >= 1);
        expect(budget.available(nowMs)).toBeCloseTo(allowed ? before - 1 : before, 6);
        expect(budget.available(nowMs)).toBeGreaterThanOrEqual(0);
      });
    }),
    { seed: 22, numRuns: 300 },
  );
});

it('is never worse than its promise: whoever wants no more than is paid for in every tenth is not refused', () => {
  fc.assert(
    fc.property(
      fc.record({ ratio: fc.constantFrom(0.1, 0.2, 0.5, 1), minPerSecond: fc.nat(20) }),
      fc.array(fc.nat(50), { minLength: 1, maxLength: 60 }),
      ({ ratio, minPerSecond }, successesOf) => {
        const budget = new RetryBudget({ ratio, minPerSecond, windowMs: 10_000 });
        successesOf.forEach((successes, second) => {
          const nowMs = second * 1_000;
          for (let i = 0; i < successes; i++) budget.deposit(nowMs);
          const paidFor = Math.floor(ratio * successes + minPerSecond + 1e-9);
          for (let i = 0; i < paidFor; i++) expect(budget.withdraw(nowMs)).toBe(true);
        });
      },
    ),
    { seed: 23, numRuns: 300 },
  );
});
