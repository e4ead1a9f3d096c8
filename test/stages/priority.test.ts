import { describe, expect, it } from 'vitest';
import { available } from '../../src/stages/available.js';
import { whole } from '../../src/stages/part.js';
import { priority } from '../../src/stages/priority.js';
import type { ResolvedPriority } from '../../src/topology-options.js';
import type { BreakerState, Candidate, Part, Stage } from '../../src/types.js';
import { candidate, type TestCandidate } from '../support/candidates.js';
import { CLOSED, level, leveled, OUT, setUp } from './leveled.js';

const SPILL: ResolvedPriority = {
  mode: 'spill',
  minMembers: 1,
  overprovisioningFactor: 1.4,
  holdDownMs: 10_000,
  rampMs: 30_000,
};
const STRICT: ResolvedPriority = { ...SPILL, mode: 'strict' };

/** The stages `available` and `priority` of one selection. */
class Bench {
  expiries: number[] = [];
  readonly #stages: readonly Stage[];

  constructor(settings: Partial<ResolvedPriority> = {}, panicRatio = 0.5) {
    const resolved = { ...SPILL, ...settings };
    this.#stages = [available(panicRatio, resolved), priority(resolved)];
  }

  parts(nowMs: number, levels: readonly (readonly Candidate[])[], ratio = 1): readonly Part[] {
    this.expiries = [];
    const context = {
      nowMs,
      expireAt: (atMs: number) => {
        if (atMs < Infinity) this.expiries.push(atMs);
      },
      panic: () => undefined,
    };
    return this.#stages.reduce<readonly Part[]>(
      (parts, stage) => parts.flatMap((part) => stage.apply(part, context)),
      [{ ...whole(levels.flat()), ratio }],
    );
  }

  /** Shares by priority. */
  shares(nowMs: number, ...levels: readonly (readonly Candidate[])[]): Record<string, number> {
    return Object.fromEntries(
      this.parts(nowMs, levels).map(({ name, ratio }) => [
        name.replace('priority ', ''),
        Number(ratio.toFixed(9)),
      ]),
    );
  }

  /** Share of the first level. */
  first(nowMs: number, ...levels: readonly (readonly Candidate[])[]): number {
    return this.shares(nowMs, ...levels)[0] ?? 0;
  }
}

/** The stage by itself. */
function apply(part: Part): readonly Part[] {
  return priority(SPILL).apply(part, {
    nowMs: 0,
    expireAt: () => undefined,
    panic: () => undefined,
  });
}

function once(settings: Partial<ResolvedPriority>, ...levels: readonly Candidate[][]) {
  return new Bench(settings).shares(0, ...levels);
}

/** Of the first of them. */
function setBreaker([first]: readonly TestCandidate[], breaker: BreakerState): void {
  if (first !== undefined) first.state.breaker = breaker;
}

describe('a single level', () => {
  it('is handed on as it is', () => {
    const part = whole(level(3, 2, 3));
    expect(apply(part)[0]).toBe(part);
  });

  it('may be empty', () => {
    expect(new Bench().parts(0, [])).toEqual([whole([])]);
  });

  it('is not looked for where no candidate is left', () => {
    const part = { ...whole([...level(0, 1, 2), ...level(1, 1, 2)]), candidates: [] };
    expect(apply(part)).toEqual([part]);
  });
});

describe('parts', () => {
  const levels = [level(0, 10, 10), level(1, 3, 3), level(7, 2, 2)];

  it('are one for each level, the preferred first, the reserves with ratio 0', () => {
    const parts = new Bench().parts(0, [...levels].reverse());
    expect(parts.map(({ name, ratio }) => [name, ratio])).toEqual([
      ['priority 0', 1],
      ['priority 1', 0],
      ['priority 7', 0],
    ]);
    expect(parts.map((part) => part.candidates)).toEqual(levels);
    expect(parts.map((part) => part.eligible)).toEqual(levels);
  });

  it('are in the order of numbers, not of digits', () => {
    const parts = new Bench().parts(0, [level(10, 1, 1), level(2, 1, 1)]);
    expect(parts.map(({ name }) => name)).toEqual(['priority 2', 'priority 10']);
  });

  it('have the candidates that are left, and all that are eligible', () => {
    const [part] = new Bench().parts(0, [level(0, 8, 10), level(1, 2, 2)]);
    expect(part?.candidates).toHaveLength(8);
    expect(part?.eligible).toHaveLength(10);
  });

  it('divide the ratio of the part they come from', () => {
    const parts = new Bench().parts(0, [level(0, 5, 10), level(1, 2, 2)], 0.5);
    expect(parts.map(({ ratio }) => ratio)).toEqual([expect.closeTo(0.35), expect.closeTo(0.15)]);
  });

  it('leave out a level that has no candidates', () => {
    expect(new Bench().shares(0, level(0, 0, 2), level(1, 2, 2), level(2, 1, 1))).toEqual({
      1: 1,
      2: 0,
    });
  });
});

describe('spill', () => {
  // Envoy, "Priority levels": https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
  // Healthy instances in percent and calls in percent, by level. Envoy rounds to whole percents, twice.
  it.each([
    [
      [100, 100],
      [100, 0],
    ],
    [
      [72, 100],
      [100, 0],
    ],
    [
      [71, 100],
      [99, 1],
    ],
    [
      [50, 100],
      [70, 30],
    ],
    [
      [25, 100],
      [35, 65],
    ],
    [
      [0, 100],
      [0, 100],
    ],
    [
      [72, 72],
      [100, 0],
    ],
    [
      [71, 71],
      [99, 1],
    ],
    [
      [50, 50],
      [70, 30],
    ],
    [
      [25, 25],
      [50, 50],
    ],
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [72, 72, 100],
      [100, 0, 0],
    ],
    [
      [71, 71, 100],
      [99, 1, 0],
    ],
    [
      [50, 50, 100],
      [70, 30, 0],
    ],
    [
      [25, 100, 100],
      [35, 65, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
    [
      [25, 25, 20],
      [36, 36, 28],
    ],
  ])(
    'divides as Envoy documents: percent of healthy instances %j, of calls %j',
    (healthy, calls) => {
      const shares = once({}, ...healthy.map((percent, p) => level(p, percent, 100)));
      calls.forEach((percent, p) => {
        expect(Math.abs((shares[p] ?? 0) * 100 - percent)).toBeLessThan(1);
        if (percent === 100 || percent === 0) expect((shares[p] ?? 0) * 100).toBe(percent);
      });
    },
  );

  it('does so in doubles', () => {
    expect(once({}, level(0, 71, 100), level(1, 1, 1))).toEqual({ 0: 0.994, 1: 0.006 });
    expect(once({}, level(0, 1, 4), level(1, 1, 4), level(2, 1, 5))).toEqual({
      0: Number((0.35 / 0.98).toFixed(9)),
      1: Number((0.35 / 0.98).toFixed(9)),
      2: Number((0.28 / 0.98).toFixed(9)),
    });
  });

  it('counts no instance that a health check took out, though panic uses it', () => {
    const [first, second] = [level(0, 10, 10), level(1, 2, 10)]; // 0.28 in the second
    for (const { state } of first.slice(4)) state.health = 'unhealthy'; // 0.56
    expect(once({}, first, second)).toEqual({ 0: 0.666666667, 1: 0.333333333 });
  });

  it('leaves a level all calls while 5 of 7 are available, 1.4 times which is 1', () => {
    expect(once({}, level(0, 5, 7), level(1, 1, 1))).toEqual({ 0: 1, 1: 0 });
  });

  it('spills in proportion with an overprovisioning factor of 1', () => {
    const settings = { overprovisioningFactor: 1 };
    expect(once(settings, level(0, 9, 10), level(1, 1, 1))).toEqual({ 0: 0.9, 1: 0.1 });
    expect(once(settings, level(0, 10, 10), level(1, 1, 1))).toEqual({ 0: 1, 1: 0 });
  });

  it('goes by weight, not by count', () => {
    const first = [leveled(0, 'big', 3, OUT), leveled(0, 'a'), leveled(0, 'b')];
    expect(once({ overprovisioningFactor: 1 }, first, level(1, 1, 1))).toEqual({ 0: 0.4, 1: 0.6 });
  });

  it.each([1e308, 5e-324, 1e-300])('is the same for weights around %s', (weight) => {
    const first = [leveled(0, 'a', weight, OUT), leveled(0, 'b', weight), leveled(0, 'c', weight)];
    expect(once({ overprovisioningFactor: 1 }, first, level(1, 1, 1))).toEqual({
      0: 0.666666667,
      1: 0.333333333,
    });
  });

  it('keeps a level alive whose last available instance weighs next to nothing', () => {
    const first = [leveled(0, 'big', 1e300, OUT), leveled(0, 'tiny', 1e-300)];
    expect(once({}, first, level(1, 0, 2))).toMatchObject({ 0: 1 });
    expect(once({}, first, level(1, 2, 2))).toEqual({ 0: 0, 1: 1 });
    const second = [leveled(1, 'big', 1e300, OUT), leveled(1, 'tiny', 1e-300)];
    expect(once({}, level(0, 0, 2), second)).toEqual({ 1: 1 });
  });

  it('divides among fifty levels, each of which carries what it can', () => {
    const levels = Array.from({ length: 50 }, (_, p) => level(p, 1, 70));
    const shares = once({}, ...levels); // 0.02 each, together exactly 1
    expect(Object.values(shares)).toEqual(Array.from({ length: 50 }, () => 0.02));
  });

  it('leaves nothing to the next, not even what rounding makes of 0.7 + 0.2 + 0.1', () => {
    const levels = [level(0, 7, 10), level(1, 2, 10), level(2, 1, 10), level(3, 1, 1)];
    const parts = new Bench({ overprovisioningFactor: 1 }, 0).parts(0, levels);
    expect(parts.map(({ ratio }) => ratio > 0)).toEqual([true, true, true, false]);
  });

  it('divides by weight in panic, where nothing is available: any may be the one that lives', () => {
    const shares = { 2: 0.285714286, 3: 0.714285714 };
    expect(once({}, level(2, 0, 2), level(3, 0, 5))).toEqual(shares);
    expect(once(STRICT, level(2, 0, 2), level(3, 0, 5))).toEqual(shares);
  });

  it('goes by the candidates there, whatever else there is', () => {
    const all = [...level(0, 0, 2), ...level(1, 0, 2), ...level(2, 0, 2)];
    const parts = apply({ ...whole(all), candidates: all.slice(2) });
    expect(parts.map(({ name, ratio }) => [name, ratio])).toEqual([
      ['priority 1', 0.5],
      ['priority 2', 0.5],
    ]);
  });

  it('leaves out a level with none available, while another has some', () => {
    expect(once({}, level(0, 0, 4), level(1, 1, 4))).toEqual({ 1: 1 });
  });
});

describe('strict', () => {
  // Available instances of three levels of four, and the shares of the calls.
  it.each([
    [1, [4, 4, 4], { 0: 1, 1: 0, 2: 0 }],
    [1, [1, 4, 4], { 0: 1, 1: 0, 2: 0 }],
    [1, [0, 4, 4], { 1: 1, 2: 0 }],
    [1, [0, 1, 4], { 1: 1, 2: 0 }],
    [1, [0, 0, 1], { 2: 1 }],
    [2, [2, 4, 4], { 0: 1, 1: 0, 2: 0 }],
    [2, [1, 4, 4], { 0: 0.2, 1: 0.8, 2: 0 }],
    [2, [1, 1, 4], { 0: 0.5, 1: 0.5, 2: 0 }],
    [2, [0, 1, 4], { 1: 0.2, 2: 0.8 }],
    [2, [1, 0, 4], { 0: 0.2, 2: 0.8 }],
    [2, [0, 2, 4], { 1: 1, 2: 0 }],
    [9, [4, 4, 4], { 0: 0.333333333, 1: 0.333333333, 2: 0.333333333 }],
    // Not enough anywhere: all that have an available instance share; below the panic ratio the others are reserves.
    [9, [4, 0, 4], { 0: 0.5, 2: 0.5 }],
    [9, [1, 0, 3], { 0: 0.25, 1: 0, 2: 0.75 }],
    [1, [0, 0, 0], { 0: 0.333333333, 1: 0.333333333, 2: 0.333333333 }],
  ])('needs %s available: %j of 4 each give %j', (minMembers, up, shares) => {
    const levels = up.map((count, p) => level(p, count, 4));
    expect(once({ mode: 'strict', minMembers }, ...levels)).toEqual(shares);
  });

  it('counts instances, and divides among the active levels by available weight', () => {
    const first = [leveled(0, 'a', 30), leveled(0, 'b', 30, OUT)];
    const second = [leveled(1, 'c', 10), leveled(1, 'd', 10)];
    expect(once({ mode: 'strict', minMembers: 2 }, first, second)).toEqual({ 0: 0.6, 1: 0.4 });
  });

  it.each([1e308, 5e-324])('divides weights of %s too, whatever idle levels weigh', (weight) => {
    const levels = [0, 1].map((p) => [leveled(p, `a${p}`, weight)]);
    const idle = [leveled(2, 'idle', 1)];
    expect(once({ mode: 'strict', minMembers: 2 }, ...levels, idle)).toEqual({
      0: 0.5,
      1: 0.5,
      2: 0,
    });
  });
});

describe('the way back', () => {
  function failedOver(settings: Partial<ResolvedPriority> = {}) {
    const bench = new Bench(settings);
    const first = level(0, 10, 10);
    const second = level(1, 10, 10);
    expect(bench.first(0, first, second)).toBe(1);
    setUp(first, 0);
    expect(bench.first(0, first, second)).toBe(0);
    return {
      bench,
      first,
      second,
      /** Share of the first level at this time. */
      at: (nowMs: number) => bench.first(nowMs, first, second),
    };
  }

  it('is not needed where a client begins: it divides by what there is', () => {
    expect(new Bench().first(5, level(0, 5, 10), level(1, 2, 2))).toBe(0.7);
  });

  it.each(['spill', 'strict'] as const)(
    'is held down for 10 s, then ramps over 30 s in steps of 1 s (%s)',
    (mode) => {
      const { bench, first, at } = failedOver({ mode });
      setUp(first, 10);
      expect(at(1_000)).toBe(0);
      expect(bench.expiries).toEqual([11_000]);
      expect(at(10_999)).toBe(0);
      expect(at(11_000)).toBe(0.1);
      expect(bench.expiries).toEqual([12_000]);
      expect(at(12_000)).toBe(0.1);
      expect(bench.expiries).toEqual([13_000]);
      expect(at(15_000)).toBe(0.133333333);
      expect(at(26_000)).toBe(0.5);
      expect(bench.expiries).toEqual([27_000]);
      expect(at(40_500)).toBe(0.983333333);
      expect(bench.expiries).toEqual([41_000]);
      expect(at(41_000)).toBe(1);
      expect(bench.expiries).toEqual([]);
    },
  );

  it('leads from where the share was to where it is to be', () => {
    const bench = new Bench();
    const first = level(0, 2, 10);
    const second = level(1, 10, 10);
    expect(bench.first(0, first, second)).toBe(0.28);
    setUp(first, 6); // 0.84
    expect(bench.first(0, first, second)).toBe(0.28);
    expect(bench.first(10_000, first, second)).toBe(0.336);
    expect(bench.first(25_000, first, second)).toBe(0.56);
    expect(bench.first(40_000, first, second)).toBe(0.84);
  });

  it('is over in one go when the client slept through it', () => {
    const { bench, first, at } = failedOver();
    setUp(first, 10);
    expect(at(1_000)).toBe(0);
    expect(at(1e7)).toBe(1);
    expect(bench.expiries).toEqual([]);
  });

  it('needs no ramp, no hold-down, or neither', () => {
    const noRamp = failedOver({ rampMs: 0 });
    setUp(noRamp.first, 10);
    expect([0, 9_999, 10_000].map(noRamp.at)).toEqual([0, 0, 1]);
    const noHold = failedOver({ holdDownMs: 0 });
    setUp(noHold.first, 10);
    expect([0, 15_000, 30_000].map(noHold.at)).toEqual([0.1, 0.5, 1]);
    const neither = failedOver({ holdDownMs: 0, rampMs: 0 });
    setUp(neither.first, 10);
    expect(neither.at(0)).toBe(1);
    expect(neither.bench.expiries).toEqual([]);
  });

  it('ends at once when the level fails again', () => {
    const { first, at } = failedOver();
    setUp(first, 10);
    expect(at(0)).toBe(0);
    expect(at(25_000)).toBe(0.5);
    setUp(first, 0);
    expect(at(25_500)).toBe(0);
    setUp(first, 10);
    expect([26_000, 35_999, 36_000, 51_000].map(at)).toEqual([0, 0, 0.1, 0.5]);
  });

  it('waits anew only for what it lost during the hold-down', () => {
    const { bench, first, at } = failedOver();
    setUp(first, 10);
    expect(at(0)).toBe(0);
    setUp(first, 5); // 0.7 was there all the time
    expect(at(9_000)).toBe(0);
    expect(bench.expiries).toEqual([10_000]);
    expect([9_999, 10_000].map(at)).toEqual([0, 0.07]);
    setUp(first, 10);
    expect(at(10_000)).toBe(0.07);
    expect(at(25_000)).toBeCloseTo(0.7 * 0.5 + 0.3 * (5 / 30), 9);
  });

  it('goes on from where it stands after a fall during the ramp to more than that', () => {
    const { first, at } = failedOver();
    setUp(first, 10);
    expect(at(0)).toBe(0);
    expect(at(25_000)).toBe(0.5);
    setUp(first, 6); // 0.84
    expect([25_000, 26_000, 30_000, 35_000, 40_000, 70_000].map(at)).toEqual([
      0.5, 0.5, 0.56, 0.7, 0.84, 0.84,
    ]);
  });

  it('is not put off for ever by one of several that flaps', () => {
    const { first, at } = failedOver();
    let share = 0;
    for (let nowMs = 0; nowMs <= 42_000; nowMs += 2_000) {
      setUp(first, nowMs % 4_000 === 0 ? 5 : 6); // the sixth comes and goes
      share = at(nowMs);
      expect(share).toBeLessThanOrEqual(0.84);
    }
    expect(share).toBe(0.7); // what is steady, back after 10 s and 30 s
  });

  it('holds and ramps what comes later by itself: no jump late in a ramp, no restart by each instance', () => {
    const { bench, first, at } = failedOver();
    setUp(first, 5); // 0.7
    expect(at(0)).toBe(0);
    expect(at(25_000)).toBe(0.35);
    setUp(first, 10);
    expect(at(25_000)).toBe(0.35);
    expect(bench.expiries).toEqual([35_000, 26_000]);
    expect(at(34_999)).toBeCloseTo(0.7 * (24_999 / 30_000));
    expect(at(35_000)).toBeCloseTo(0.7 * (25 / 30) + 0.3 * 0.1);
    expect(at(40_000)).toBeCloseTo(0.7 + 0.3 * (5 / 30));
    expect([50_000, 65_000].map(at)).toEqual([0.85, 1]);
    expect(bench.expiries).toEqual([]);
  });

  it('asks for one step at a time, however many instances come back one by one', () => {
    const { bench, first, at } = failedOver();
    let nowMs = 0;
    for (let up = 1; up <= 7; up++) {
      setUp(first, up);
      at((nowMs = up * 100));
    }
    let applied = 0;
    for (; bench.expiries.length > 0; applied++) at((nowMs = Math.min(...bench.expiries)));
    expect(at(nowMs)).toBe(0.98);
    // The end of each hold-down, the 30 steps of the oldest ramp, then the last one of each other.
    expect(applied).toBeLessThanOrEqual(7 + 30 + 6);
  });

  it.each([0, 1])(
    'is not begun anew by the rounding of sums in another order (%s first)',
    (odd) => {
      const weights = [0.1, 0.3, 0.7, 0.9, 1.1, 1.3, 0.2];
      const list = (reversed: boolean): TestCandidate[] => {
        const all = weights.map((weight, i) =>
          leveled(0, `a${i}`, weight, i === 2 ? OUT : undefined),
        );
        return reversed ? all.reverse() : all;
      };
      const bench = new Bench({ overprovisioningFactor: 1 });
      const second = level(1, 3, 3);
      bench.first(0, level(0, 0, 3), second);
      expect(bench.first(0, list(odd === 1), second)).toBe(0);
      for (let s = 1; s < 40; s++) {
        bench.first(s * 1_000, list((s + odd) % 2 === 1), second);
        expect(bench.expiries).toHaveLength(1);
      }
      expect(bench.first(40_000, list(true), second)).toBeCloseTo(3.9 / 4.6, 8);
      expect(bench.expiries).toEqual([]);
    },
  );

  describe('past a level that can carry less', () => {
    it('is immediate where the reserve has died', () => {
      const { bench, first, second, at } = failedOver();
      setUp(first, 10);
      expect(at(0)).toBe(0);
      setUp(second, 0);
      expect(at(1_000)).toBe(1);
      setUp(second, 10);
      expect(at(2_000)).toBe(1); // and is not taken back
      expect(bench.expiries).toEqual([]);
    });

    it('is immediate for what the reserve cannot carry, and waits for the rest', () => {
      const { first, second, at } = failedOver();
      setUp(first, 10);
      expect(at(0)).toBe(0);
      setUp(second, 5); // can carry 0.7
      expect(at(1_000)).toBe(0.3);
      setUp(second, 10);
      expect(at(10_000)).toBe(0.3);
      expect([19_000, 20_500].map(at)).toEqual([0.3, 0.35]); // the ramp has caught up at 19 s
      expect(at(40_000)).toBe(1);
    });

    it('leads on from there for what comes later', () => {
      const { first, second, at } = failedOver();
      setUp(second, 2); // 0.28
      expect(at(0)).toBe(0);
      setUp(first, 5); // 0.7: still less than all calls together
      expect(at(0)).toBe(0.714285714);
      setUp(first, 10);
      expect(at(0)).toBe(0.72); // the second cannot carry more than 0.28
      expect(at(25_000)).toBeCloseTo(0.5 * (0.7 / 0.98 + 1));
      expect(at(40_000)).toBe(1);
    });

    it('is immediate in panic: the levels share by weight then', () => {
      const { first, second, at } = failedOver();
      setUp(first, 10);
      expect(at(0)).toBe(0);
      setUp(first, 0);
      setUp(second, 0);
      expect(at(0)).toBe(0.5);
    });

    it('goes by what the levels can carry in scarcity, where few members are enough', () => {
      const { first, second, at } = failedOver({ mode: 'strict' });
      setUp(first, 1); // 0.14
      setUp(second, 5); // 0.7
      expect(at(0)).toBe(Number((0.14 / 0.84).toFixed(9)));
    });

    it('is immediate in scarcity: all levels together cannot carry the calls', () => {
      const { first, second, at } = failedOver();
      setUp(second, 2); // 0.28
      expect(at(0)).toBe(0);
      setUp(first, 2); // 0.28
      expect(at(1_000)).toBe(0.5);
    });

    it('is no reason to leave a third level, which can', () => {
      const bench = new Bench();
      const [a, b, c] = [level(0, 0, 10), level(1, 0, 10), level(2, 10, 10)];
      expect(bench.shares(0, a, b, c)).toEqual({ 2: 1 });
      setUp(a, 10);
      expect(bench.shares(0, a, b, c)).toEqual({ 0: 0, 2: 1 });
      expect(bench.shares(25_000, a, b, c)).toEqual({ 0: 0.5, 2: 0.5 });
    });
  });

  describe('among three levels', () => {
    it('passes what comes back to the first from the last in use', () => {
      const bench = new Bench();
      const [a, b, c] = [level(0, 0, 10), level(1, 5, 10), level(2, 10, 10)];
      expect(bench.shares(0, a, b, c)).toEqual({ 1: 0.7, 2: 0.3 });
      setUp(a, 10);
      bench.shares(0, a, b, c);
      // Level 1 and level 2 give way in proportion to what they have: both cumulative shares climb to 1.
      expect(bench.shares(25_000, a, b, c)).toEqual({ 0: 0.5, 1: 0.35, 2: 0.15 });
      expect(bench.shares(40_000, a, b, c)).toEqual({ 0: 1, 1: 0, 2: 0 });
    });

    it('brings two levels back at a time, and takes from the second alone what it lost', () => {
      const bench = new Bench();
      const [a, b, c] = [level(0, 0, 10), level(1, 0, 10), level(2, 10, 10)];
      expect(bench.shares(0, a, b, c)).toEqual({ 2: 1 });
      setUp(a, 5); // 0.7
      setUp(b, 10);
      expect(bench.shares(0, a, b, c)).toEqual({ 0: 0, 1: 0, 2: 1 });
      setUp(b, 1); // 0.14
      expect(bench.shares(5_000, a, b, c)).toEqual({ 0: 0, 1: 0, 2: 1 });
      expect(bench.shares(25_000, a, b, c)).toEqual({ 0: 0.35, 1: 0.07, 2: 0.58 });
      expect(bench.shares(40_000, a, b, c)).toEqual({ 0: 0.7, 1: 0.14, 2: 0.16 });
    });
  });

  it('never takes what rounding leaves for a share: a dead level gets its trial', () => {
    // 1 - (1 - x) is a little more than x for the shares of these.
    const DUE = { kind: 'half-open', probeUntilMs: undefined } as const;
    for (let n = 2; n < 12; n++) {
      for (let m = 2; m < 12; m++) {
        const levels = [level(0, 0, 1), level(1, 1, n), level(2, 1, m)];
        const bench = new Bench();
        bench.shares(0, ...levels);
        setBreaker(levels[0] ?? [], DUE);
        const shares = bench.shares(1, ...levels);
        expect(shares['0 on trial'], `${n}, ${m}`).toBe(0.1);
        expect(shares[0]).toBeUndefined();
      }
    }
  });

  describe('begins with a trial', () => {
    const DUE = { kind: 'half-open', probeUntilMs: undefined } as const;
    const PROBING = { kind: 'half-open', probeUntilMs: 99_999 } as const;

    it('of a tenth of the calls, until one attempt of each instance that may be tried is under way', () => {
      const bench = new Bench();
      const [active, passive] = [level(0, 0, 2), level(1, 1, 1)];
      expect(bench.shares(0, active, passive)).toEqual({ 1: 1 });
      setBreaker(active, DUE);
      expect(bench.shares(1, active, passive)).toEqual({ 1: 0.9, '0 on trial': 0.1 });
      setBreaker(active, PROBING);
      expect(bench.shares(2, active, passive)).toEqual({ 1: 1 });
    });

    it('and only then with the hold-down: an open time that is over proves nothing', () => {
      const bench = new Bench();
      const [active, passive] = [level(0, 0, 1), level(1, 1, 1)];
      bench.shares(0, active, passive);
      setBreaker(active, DUE);
      expect(bench.shares(60_000, active, passive)).toEqual({ 1: 0.9, '0 on trial': 0.1 });
      setBreaker(active, CLOSED);
      expect(bench.shares(60_001, active, passive)).toEqual({ 0: 0, 1: 1 });
      expect(bench.first(70_000, active, passive)).toBe(0);
      expect(bench.first(70_001, active, passive)).toBe(0.1);
    });

    it('not of a level that comes after those in use, nor of one that has calls to try it with', () => {
      const bench = new Bench();
      const [active, passive] = [level(0, 5, 6, DUE), level(1, 1, 2, DUE)];
      const parts = bench.parts(0, [active, passive]);
      expect(parts.map(({ name, ratio }) => [name, ratio])).toEqual([
        ['priority 0', 1],
        ['priority 1', 0],
      ]);
      expect(parts.map(({ candidates }) => candidates.length)).toEqual([6, 2]);
    });

    it('of a level without calls between two that have some', () => {
      const levels = [level(0, 5, 10), level(1, 0, 2, DUE), level(2, 2, 2)];
      expect(once({}, ...levels)).toEqual({ 0: 0.63, 2: 0.27, '1 on trial': 0.1 });
    });

    it('not of a level that has calls already, though a later one has some too', () => {
      const parts = new Bench().parts(0, [level(0, 2, 6, DUE), level(1, 2, 2)]);
      expect(parts.map(({ name, ratio }) => [name, ratio > 0])).toEqual([
        ['priority 0', true],
        ['priority 1', true],
      ]);
    });

    it('shared by several levels, each candidate in one part alone', () => {
      const levels = [level(0, 0, 2, DUE), level(1, 0, 1, DUE), level(2, 1, 1)];
      const parts = new Bench().parts(0, levels, 0.5);
      expect(parts.map(({ name, ratio }) => [name, Number(ratio.toFixed(9))])).toEqual([
        ['priority 2', 0.45],
        ['priority 0 on trial', 0.025],
        ['priority 1 on trial', 0.025],
      ]);
      expect(parts.flatMap(({ candidates }) => candidates)).toHaveLength(4);
    });

    it('is not needed where nothing is proven: the first level has all calls', () => {
      expect(once({}, level(0, 0, 2, DUE), level(1, 0, 2, DUE))).toEqual({ 0: 1, 1: 0 });
    });
  });

  describe('when the list of levels changes', () => {
    it('starts from nothing for a new first level', () => {
      const bench = new Bench();
      const second = level(1, 3, 3);
      expect(bench.parts(0, [second])).toEqual([whole(second)]);
      const first = level(0, 3, 3);
      expect(bench.shares(5_000, first, second)).toEqual({ 0: 0, 1: 1 });
      expect(bench.expiries).toEqual([15_000]);
      expect(bench.shares(30_000, first, second)).toEqual({ 0: 0.5, 1: 0.5 });
      expect(bench.shares(45_000, first, second)).toEqual({ 0: 1, 1: 0 });
    });

    it('starts from nothing for a first level that was gone for a while', () => {
      const bench = new Bench();
      const [first, second] = [level(0, 3, 3), level(1, 3, 3)];
      expect(bench.first(0, first, second)).toBe(1);
      bench.parts(1_000, [second]);
      expect(bench.first(2_000, first, second)).toBe(0);
    });

    it('leaves the first level what it has when a reserve appears, goes, or both', () => {
      const bench = new Bench();
      const first = level(0, 3, 3);
      bench.parts(0, [first]);
      expect(bench.shares(0, first, level(1, 1, 1))).toEqual({ 0: 1, 1: 0 });
      bench.parts(0, [first]);
      expect(bench.shares(0, first, level(2, 1, 1))).toEqual({ 0: 1, 2: 0 });
    });

    it('does not take back what a level got while it was the only one', () => {
      const bench = new Bench();
      const [first, second] = [level(0, 0, 3), level(1, 3, 3)];
      expect(bench.first(0, first, second)).toBe(0);
      setUp(first, 3);
      expect(bench.first(0, first, second)).toBe(0);
      expect(bench.first(25_000, first, second)).toBe(0.5);
      bench.parts(25_000, [first]);
      expect(bench.first(25_000, first, second)).toBe(1);
    });

    it('lets a level that appears between two take at once what the first loses', () => {
      const bench = new Bench();
      const [first, last] = [level(0, 10, 10), level(2, 10, 10)];
      expect(bench.shares(0, first, last)).toEqual({ 0: 1, 2: 0 });
      setUp(first, 5);
      expect(bench.shares(1, first, level(1, 3, 3), last)).toEqual({ 0: 0.7, 1: 0.3, 2: 0 });
    });

    it('makes a level that appears before the one in use wait', () => {
      const bench = new Bench();
      const [first, last] = [level(0, 5, 10), level(2, 10, 10)];
      expect(bench.shares(0, first, last)).toEqual({ 0: 0.7, 2: 0.3 });
      const between = level(1, 3, 3);
      expect(bench.shares(0, first, between, last)).toEqual({ 0: 0.7, 1: 0, 2: 0.3 });
      expect(bench.shares(25_000, first, between, last)).toEqual({ 0: 0.7, 1: 0.15, 2: 0.15 });
    });

    it('hands on at once what a level had that is gone', () => {
      const bench = new Bench();
      const [a, b, c] = [level(0, 0, 3), level(1, 3, 3), level(2, 3, 3)];
      expect(bench.shares(0, a, b, c)).toEqual({ 1: 1, 2: 0 });
      expect(bench.shares(0, a, c)).toEqual({ 2: 1 });
      setUp(a, 3);
      bench.shares(0, a, c);
      expect(bench.shares(25_000, a, c)).toEqual({ 0: 0.5, 2: 0.5 });
    });
  });

  it('ignores what has no priority of its own: all at 0 are one level', () => {
    const all = [candidate('a'), candidate('b', 1, { breaker: OUT })];
    expect(new Bench().parts(0, [all])).toMatchObject([{ name: '', ratio: 1 }]);
  });
});
