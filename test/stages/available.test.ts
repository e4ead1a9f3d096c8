import { describe, expect, it } from 'vitest';
import { available } from '../../src/stages/available.js';
import { whole } from '../../src/stages/part.js';
import type { ResolvedPriority } from '../../src/topology-options.js';
import type { BreakerState } from '../../src/types.js';
import { candidate, type TestCandidate } from '../support/candidates.js';
import { level, leveled } from './leveled.js';

const OPEN: BreakerState = { kind: 'open', untilMs: 1_000 };
const PROBING: BreakerState = { kind: 'half-open', probeUntilMs: 9_000 };
const WAITING: BreakerState = { kind: 'half-open', probeUntilMs: undefined };

function list(good: number, bad: number, breaker: BreakerState = OPEN): TestCandidate[] {
  return [
    ...Array.from({ length: good }, (_, i) => candidate(`good${i}`)),
    ...Array.from({ length: bad }, (_, i) => candidate(`bad${i}`, 1, { breaker })),
  ];
}

function applied(
  candidates: TestCandidate[],
  panicRatio = 0.5,
  nowMs = 0,
  settings?: ResolvedPriority,
) {
  const expiries: number[] = [];
  const panics: string[] = [];
  const [part] = available(panicRatio, settings).apply(whole(candidates), {
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

  it.each([
    ['unknown', true],
    ['healthy', true],
    ['unhealthy', false],
  ] as const)('while its health is %s: %s', (health, answer) => {
    const all = [...list(3, 0), candidate('a', 1, { health })];
    expect(applied(all).left.includes('a')).toBe(answer);
  });

  it('neither by the end of its breaker alone nor by its health alone', () => {
    const sick = candidate('a', 1, { health: 'unhealthy', breaker: OPEN });
    expect(applied([...list(3, 0), sick], 0.5, 1_000).left).not.toContain('a');
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

  describe('where no more may be out', () => {
    const held = (n: number, untilMs = 5_000): TestCandidate[] =>
      Array.from({ length: n }, (_, i) => candidate(`held${i}`, 1, { heldUntilMs: untilMs }));

    it.each([
      // good, held, out
      [3, 0, 3, false],
      [2, 1, 3, false],
      [1, 2, 3, true],
      [0, 3, 3, true],
      [1, 1, 1, false], // two dead of three: the good one is worth more than the one that is out
      [4, 2, 2, false],
      [0, 1, 1, true],
    ])('%s good, %s in doubt, %s out: panic %s', (good, doubted, out, panics) => {
      const result = applied([...list(good, out), ...held(doubted)]);
      expect(result.panics).toHaveLength(panics ? 1 : 0);
      expect(result.left).toHaveLength(panics ? good + doubted + out : good + doubted);
    });

    it('says how many are in doubt, and looks again when they are not any more', () => {
      const all = [...list(0, 2), ...held(2)];
      expect(applied(all).panics).toEqual([
        '2 of 4 instances available, 2 of them in doubt: using all',
      ]);
      expect(applied(all).expiries).toEqual([1_000, 1_000, 5_000, 5_000]);
      const longOut = { kind: 'open', untilMs: 9_000 } as const;
      const later = [...list(0, 2, longOut), ...held(2)];
      expect(applied(later, 0.5, 4_999).panics).toHaveLength(1);
      expect(applied(later, 0.5, 5_000).panics).toEqual([]);
    });

    it('there is none while none is out: all are used already', () => {
      const all = held(4);
      expect(applied(all)).toMatchObject({ list: all, panics: [] });
    });

    it('nor with panicRatio 0 while one is left, whatever it does', () => {
      expect(applied([...list(0, 9), ...held(1)], 0)).toMatchObject({
        left: ['held0'],
        panics: [],
      });
    });
  });

  it.each([0, 0.5, 1])('never refuses a lone instance (panicRatio %s)', (ratio) => {
    expect(applied(list(0, 1), ratio)).toMatchObject({ left: ['bad0'] });
    expect(applied(list(0, 1, PROBING), ratio)).toMatchObject({ left: ['bad0'] });
  });

  it('says how many were left', () => {
    expect(applied(list(1, 3)).panics).toEqual([
      '1 of 4 instances available, less than 50 %: using all',
    ]);
    expect(applied(list(1, 99), 0.07).panics).toEqual([
      '1 of 100 instances available, less than 7 %: using all',
    ]);
    expect(applied(list(0, 2), 0).panics).toEqual(['0 of 2 instances available: using all']);
  });

  it('still expires, so that it ends in time', () => {
    expect(applied(list(0, 2)).expiries).toEqual([1_000, 1_000]);
  });

  it('does not arise from an empty list', () => {
    expect(applied([])).toMatchObject({ left: [], panics: [] });
  });
});

describe('with priorities', () => {
  const SPILL: ResolvedPriority = {
    mode: 'spill',
    minMembers: 1,
    overprovisioningFactor: 1.4,
    holdDownMs: 0,
    rampMs: 0,
  };
  /** Levels of ten instances each; how many of each are available, left, and the panics. */
  function tens(up: readonly number[], settings: Partial<ResolvedPriority> = {}, panicRatio = 0.5) {
    const all = up.flatMap((count, p) => level(p, count, 10, OPEN));
    const { list, panics } = applied(all, panicRatio, 0, { ...SPILL, ...settings });
    const left = up.map((_, p) => list.filter(({ instance }) => instance.priority === p).length);
    return { left, panics: panics.map((reason) => reason.replace(/ instances.*/, '')), list, all };
  }

  it('a single one is treated as without', () => {
    const all = level(3, 4, 10, OPEN);
    expect(applied(all, 0.5, 0, SPILL)).toEqual(applied(all));
    expect(applied(all, 0.5, 0, SPILL).list).toBe(all);
    expect(applied(level(3, 5, 10), 0.5, 0, SPILL).left).toHaveLength(5);
  });

  it('the very list is handed on in good times, and when all of it is used', () => {
    const good = tens([10, 10]);
    expect(good.list).toEqual(good.all);
    const bad = [...level(0, 1, 10), ...level(1, 1, 10)];
    expect(applied(bad, 0.5, 0, SPILL).list).toBe(bad);
  });

  it('each breaker that ends by time is waited for, in panic or not', () => {
    const later: BreakerState = { kind: 'open', untilMs: 2_000 };
    const all = [leveled(0, 'a', 1, OPEN), leveled(1, 'b', 1, later), leveled(1, 'c')];
    expect(applied(all, 0.5, 0, SPILL).expiries).toEqual([1_000, 2_000]);
    expect(applied(all.slice(0, 2), 0.5, 0, SPILL).expiries).toEqual([1_000, 2_000]);
  });

  describe('spill', () => {
    // Envoy, "Panic threshold": https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/panic_threshold
    // (its example of 5 % and 65 % as 0 and 6 of 10).
    it.each([
      [[7, 10], [7, 10], []],
      [[2, 10], [2, 10], []],
      [[0, 10], [0, 10], []],
      [[5, 6], [5, 6], []],
      [[1, 0, 9], [1, 0, 9], []],
      [
        [2, 2],
        [10, 10],
        ['priority 0: 2 of 10', 'priority 1: 2 of 10'],
      ],
      // But unlike Envoy, a level with nothing available is left out: it could take no share anyhow.
      [[0, 6], [0, 6], []],
      [[0, 4], [0, 10], ['priority 1: 4 of 10']],
      [[5, 1], [5, 10], ['priority 1: 1 of 10']],
      [[1, 0, 5], [10, 0, 5], ['priority 0: 1 of 10']],
      [[0, 0], [10, 10], ['0 of 20']],
    ])('%j of 10 available: %j are used', (up, left, panics) => {
      expect(tens(up)).toMatchObject({ left, panics });
    });

    it('says which priority', () => {
      const all = [...level(0, 1, 5), ...level(4, 3, 6)];
      expect(applied(all, 0.5, 0, SPILL).panics).toEqual([
        'priority 0: 1 of 5 instances available, less than 50 %: using all',
      ]);
    });

    it('measures what is left by weight, and whom it panics by count', () => {
      const heavy = [leveled(0, 'a', 8), leveled(0, 'b', 1, OPEN), leveled(0, 'c', 1, OPEN)];
      const dead = level(1, 0, 2);
      expect(applied([...heavy, ...dead], 0.5, 0, SPILL)).toMatchObject({
        left: ['a'],
        panics: [],
      });
      const strict = { ...SPILL, overprovisioningFactor: 1 };
      expect(applied([...heavy, ...dead], 0.5, 0, strict).panics).toHaveLength(1);
    });

    it('has no panic while all together can just carry the calls, whatever rounding does', () => {
      expect(applied([...level(0, 5, 7), ...level(1, 0, 3)], 1, 0, SPILL).panics).toEqual([]);
      const tenths = tens(
        Array.from({ length: 10 }, () => 1),
        { overprovisioningFactor: 1 },
      );
      expect(tenths.panics).toEqual([]); // ten times 0.1 is a little less than 1
    });

    it('has none with a panicRatio of 0 either, except where nothing is left', () => {
      expect(tens([1, 0], {}, 0)).toMatchObject({ left: [1, 0], panics: [] });
      expect(tens([0, 0], {}, 0)).toMatchObject({ left: [10, 10], panics: ['0 of 20'] });
    });
  });

  describe('strict', () => {
    it.each([
      [1, [10, 10], [10, 10], []],
      [1, [1, 0], [1, 0], []],
      [1, [0, 1], [0, 1], []],
      [3, [1, 2], [1, 2], []],
      [3, [1, 1], [10, 10], ['2 of 20']],
      [15, [4, 5], [10, 10], ['9 of 20']],
      [15, [4, 6], [4, 6], []],
      [1, [0, 0], [10, 10], ['0 of 20']],
    ])('with %s needed and %j of 10 available: %j are used', (minMembers, up, left, panics) => {
      expect(tens(up, { mode: 'strict', minMembers })).toMatchObject({ left, panics });
    });
  });
});
