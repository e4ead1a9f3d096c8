import { describe, expect, it } from 'vitest';
import { available } from '../../src/stages/available.js';
import { whole } from '../../src/stages/part.js';
import type { BreakerState } from '../../src/types.js';
import { candidate, type TestCandidate } from '../support/candidates.js';

const OPEN: BreakerState = { kind: 'open', untilMs: 1_000 };
const PROBING: BreakerState = { kind: 'half-open', probeUntilMs: 9_000 };
const WAITING: BreakerState = { kind: 'half-open', probeUntilMs: undefined };

function list(good: number, bad: number, breaker: BreakerState = OPEN): TestCandidate[] {
  return [
    ...Array.from({ length: good }, (_, i) => candidate(`good${i}`)),
    ...Array.from({ length: bad }, (_, i) => candidate(`bad${i}`, 1, { breaker })),
  ];
}

function applied(candidates: TestCandidate[], panicRatio = 0.5, nowMs = 0) {
  const expiries: number[] = [];
  const panics: string[] = [];
  const [part] = available(panicRatio).apply(whole(candidates), {
    nowMs,
    expireAt: (atMs) => expiries.push(atMs),
    panic: (reason) => panics.push(reason),
  });
  const list = part?.candidates ?? [];
  return { left: list.map(({ instance }) => instance.id), list, expiries, panics };
}

describe('an instance is available', () => {
  it.each([
    ['closed', { kind: 'closed' }, 0, true],
    ['open, its time not over', OPEN, 999, false],
    ['open, its time over', OPEN, 1_000, true],
    ['half-open, its probe out', PROBING, 5_000, false],
    ['half-open, its probe out for too long', PROBING, 9_000, true],
    ['half-open, no probe out', WAITING, 0, true],
  ] as const)('%s', (_what, breaker, nowMs, answer) => {
    const all = [...list(3, 0), candidate('a', 1, { breaker })];
    expect(applied(all, 0.5, nowMs).left.includes('a')).toBe(answer);
  });
});

describe('in good times', () => {
  it('hands the very list on', () => {
    const all = list(3, 0);
    expect(applied(all).list).toBe(all);
  });

  it('drops open and probing instances, keeps half-open ones that may be probed', () => {
    const all = [
      ...list(2, 0),
      candidate('w', 1, { breaker: WAITING }),
      candidate('p', 1, { breaker: PROBING }),
    ];
    expect(applied(all)).toMatchObject({ left: ['good0', 'good1', 'w'], panics: [] });
  });

  it('lets the list expire when the breaker of each open instance ends', () => {
    const all = [
      ...list(3, 1),
      candidate('later', 1, { breaker: { kind: 'open', untilMs: 2_000 } }),
    ];
    expect(applied(all).expiries).toEqual([1_000, 2_000]);
    expect(applied(list(3, 1, PROBING)).expiries).toEqual([9_000]);
  });

  it('lets an open instance back in once its time is over', () => {
    expect(applied(list(1, 1), 0.5, 1_000).left).toEqual(['good0', 'bad0']);
  });
});

describe('panic', () => {
  it.each([
    [5, 5, 0.5, false],
    [4, 6, 0.5, true],
    [1, 1, 0.5, false],
    [1, 2, 0.5, true],
    [9, 1, 0.95, true],
    [1, 99, 0, false],
    [1, 9, 0.1, false],
    [1, 1, 1, true],
  ])('%s of them good, %s bad, panicRatio %s: %s', (good, bad, ratio, panics) => {
    const result = applied(list(good, bad), ratio);
    expect(result.panics).toHaveLength(panics ? 1 : 0);
    expect(result.left).toHaveLength(panics ? good + bad : good);
  });

  it.each([0, 0.5, 1])('never refuses a lone instance (panicRatio %s)', (ratio) => {
    expect(applied(list(0, 1), ratio)).toMatchObject({ left: ['bad0'] });
    expect(applied(list(0, 1, PROBING), ratio)).toMatchObject({ left: ['bad0'] });
  });

  it('says how many were left', () => {
    expect(applied(list(1, 3)).panics[0]).toContain('1 of 4 instances available');
  });

  it('still expires, so that it ends in time', () => {
    expect(applied(list(0, 2)).expiries).toEqual([1_000, 1_000]);
  });

  it('does not arise from an empty list', () => {
    expect(applied([])).toMatchObject({ left: [], panics: [] });
  });
});
