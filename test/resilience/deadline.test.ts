import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadline } from '../../src/resilience/deadline.js';

function deadline(attemptTimeoutMs: number | undefined, shares: number): Deadline {
  return new Deadline(1_000, { timeoutMs: 900, inheritedMs: Infinity, attemptTimeoutMs, shares });
}

describe('limitOf', () => {
  it.each([
    ['a share of what is left', undefined, 3, 1, 1_000, 300, false],
    ['a share of what is left later on', undefined, 3, 2, 1_300, 300, false],
    ['what the first attempt did not use, too', undefined, 3, 2, 1_100, 400, false],
    ['all that is left, for the last share', undefined, 3, 3, 1_700, 200, true],
    ['all that is left, beyond the last share', undefined, 2, 5, 1_700, 200, true],
    ['all that is left, when there is nothing to save for', undefined, 1, 1, 1_000, 900, true],
    ["the attempt's own time", 100, 3, 1, 1_000, 100, false],
    ['no more than is left', 100, 3, 2, 1_850, 50, true],
  ])('gives %s', (_what, attemptTimeoutMs, shares, attempt, nowMs, ms, isDeadline) => {
    expect(deadline(attemptTimeoutMs, shares).limitOf(attempt, nowMs, true)).toEqual({
      ms,
      isDeadline,
    });
  });

  it('gives all that is left when there is no other instance, but no more than the own time', () => {
    expect(deadline(undefined, 3).limitOf(1, 1_000, false)).toEqual({ ms: 900, isDeadline: true });
    expect(deadline(100, 3).limitOf(1, 1_000, false)).toEqual({ ms: 100, isDeadline: false });
  });

  it('never reaches beyond the deadline', () => {
    const ms = fc.double({ min: 0.001, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        ms,
        fc.option(ms, { nil: undefined }),
        ms,
        fc.integer({ min: 1, max: 9 }),
        (timeoutMs, attemptTimeoutMs, nowMs, n) => {
          const made = new Deadline(0, {
            timeoutMs,
            inheritedMs: Infinity,
            attemptTimeoutMs,
            shares: n,
          });
          const limit = made.limitOf(n, nowMs, true);
          expect(limit.ms).toBeLessThanOrEqual(timeoutMs - nowMs);
          expect(limit.isDeadline).toBe(limit.ms === timeoutMs - nowMs);
        },
      ),
      { seed: 9 },
    );
  });
});

describe('verdictOf', () => {
  it.each([
    ['its full share', undefined, 300, 'failure'],
    ['most of its share', undefined, 151, 'failure'],
    ['much less than its share', undefined, 149, 'ignored'],
    ['its own full time', 100, 100, 'failure'],
    ['much less than its own time', 100, 49, 'ignored'],
    ['the whole deadline, below its own time', 5_000, 900, 'failure'],
  ])('after %s', (_what, attemptTimeoutMs, ms, outcome) => {
    const verdict = deadline(attemptTimeoutMs, 3).verdictOf({ ms, isDeadline: false }, Infinity);
    expect(verdict).toEqual({ outcome, retry: 'if-idempotent' });
  });

  it('allows no retry once the deadline is reached', () => {
    expect(deadline(undefined, 1).verdictOf({ ms: 900, isDeadline: true }, Infinity)).toEqual({
      outcome: 'failure',
      retry: 'never',
    });
  });
});

describe('a deadline that is inherited', () => {
  const inherited = (inheritedMs: number): Deadline =>
    new Deadline(1_000, { timeoutMs: 900, inheritedMs, attemptTimeoutMs: undefined, shares: 2 });

  it('is kept where it is the earlier one', () => {
    expect(inherited(300)).toMatchObject({ atMs: 1_300, timeoutMs: 300, isInherited: true });
    expect(inherited(900)).toMatchObject({ atMs: 1_900, timeoutMs: 900, isInherited: false });
    expect(inherited(-5)).toMatchObject({ atMs: 995, isInherited: true });
  });

  it('that leaves much less time than attempts are meant to have blames no instance', () => {
    expect(inherited(300).verdictOf({ ms: 150, isDeadline: false }, Infinity).outcome).toBe(
      'ignored',
    );
    expect(inherited(800).verdictOf({ ms: 400, isDeadline: false }, Infinity).outcome).toBe(
      'failure',
    );
  });

  it('blames the instance all the same when that was many times what answers usually take', () => {
    expect(inherited(300).verdictOf({ ms: 150, isDeadline: false }, 15).outcome).toBe('failure');
    expect(inherited(300).verdictOf({ ms: 149, isDeadline: false }, 15).outcome).toBe('ignored');
    expect(inherited(300).verdictOf({ ms: 150, isDeadline: false }, 100).outcome).toBe('ignored');
  });
});
