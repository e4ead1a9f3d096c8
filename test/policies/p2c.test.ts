import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { p2c } from '../../src/policies/p2c.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Candidate, Load, Picker } from '../../src/types.js';
import { candidate, context, countById, picks, weighted } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { chiSquare, chiSquareLimit, shareTolerance } from '../support/statistics.js';

function build(list: readonly Candidate[], seed = 1, load?: Load): Picker {
  const policy = p2c(load === undefined ? {} : { load });
  return policy.build(list, { clock: new ManualClock(), rng: seededRng(seed) });
}

function shares(picker: Picker, list: readonly Candidate[], n: number): number[] {
  const counts = countById(picks(picker, n));
  return list.map(({ instance }) => counts[instance.id] ?? 0);
}

describe('at equal load', () => {
  it.each([2, 3, 10])('%s equal candidates are picked uniformly', (n) => {
    const list = weighted(...Array<number>(n).fill(1));
    const counts = shares(build(list, n), list, 20_000);
    expect(chiSquare(counts, Array<number>(n).fill(1 / n))).toBeLessThan(chiSquareLimit(n - 1));
  });

  it.each([[[3, 1]], [[3, 1, 1]], [[1, 2, 3, 4]]])(
    'idle candidates of weights %j are picked by weight',
    (weights) => {
      const list = weighted(...weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const counts = shares(build(list, 12), list, 40_000);
      expect(
        chiSquare(
          counts,
          weights.map((weight) => weight / total),
        ),
      ).toBeLessThan(chiSquareLimit(weights.length - 1));
    },
  );
});

describe('at unequal load', () => {
  it('of two, always the one with the lower load', () => {
    const [busy, idle] = [
      candidate('busy', 1, { pending: 5 }),
      candidate('idle', 1, { pending: 4 }),
    ];
    expect(new Set(picks(build([busy, idle]), 200))).toEqual(new Set(['idle']));
    expect(new Set(picks(build([idle, busy]), 200))).toEqual(new Set(['idle']));
  });

  it('sees the load of the moment, not of the build', () => {
    const list = weighted(1, 1);
    const picker = build(list);
    if (list[0]) list[0].state.pending = 1;
    expect(new Set(picks(picker, 50))).toEqual(new Set(['c1']));
    if (list[1]) list[1].state.pending = 2;
    expect(new Set(picks(picker, 50))).toEqual(new Set(['c0']));
  });

  it('the busiest of n is never picked, as it always has a rival', () => {
    const list = weighted(1, 1, 1, 1, 1);
    if (list[2]) list[2].state.pending = 9;
    // A second draw that finds no other in 16 tries has chance 5^-16.
    expect(countById(picks(build(list), 20_000))['c2']).toBeUndefined();
  });

  it('one that outweighs all others by far has a rival too', () => {
    const list = weighted(1_000, 1, 1);
    if (list[0]) list[0].state.pending = 5_000;
    expect(countById(picks(build(list), 5_000))['c0']).toBeUndefined();
  });

  it('which is any of the others, the first and the last of the list included', () => {
    const list = weighted(1, 1_000, 1);
    if (list[1]) list[1].state.pending = 5_000;
    const draws = 5_000;
    const counts = countById(picks(build(list), draws));
    expect(counts['c1']).toBeUndefined();
    expect(Math.abs((counts['c0'] ?? 0) / draws - 0.5)).toBeLessThan(shareTolerance(0.5, draws));
  });

  it('the idlest of n is picked as often as it is drawn: 1 - C(n-1,2)/C(n,2)', () => {
    const list = weighted(1, 1, 1, 1, 1);
    for (const { state } of list.slice(1)) state.pending = 3;
    const n = 20_000;
    const share = (countById(picks(build(list), n))['c0'] ?? 0) / n;
    expect(Math.abs(share - 0.4)).toBeLessThan(shareTolerance(0.4, n));
  });

  it.each([2, 3])('asks the load for the clock reading of the pick, of %s', (n) => {
    const times = new Set<number>();
    const load: Load = {
      name: 'spy',
      of: (_state, nowMs) => {
        times.add(nowMs);
        return 0;
      },
    };
    build(weighted(...Array<number>(n).fill(1)), 1, load).pick(context([], 123));
    expect(times).toEqual(new Set([123]));
  });
});

describe('exclusion', () => {
  it('never yields an excluded candidate nor misses one that is left', () => {
    const list = fc.array(
      fc.record({ weight: fc.integer({ min: 1, max: 1_000 }), pending: fc.nat(20) }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(list, fc.array(fc.nat(7)), fc.nat(), (given, exclude, seed) => {
        const all = given.map(({ weight, pending }, i) => candidate(`c${i}`, weight, { pending }));
        const excluded = exclude.map((i) => `c${i}`);
        const left = all.map(({ instance }) => instance.id).filter((id) => !excluded.includes(id));
        const [id = ''] = picks(build(all, seed), 1, context(excluded));
        if (left.length === 0) expect(id).toBe('none');
        else expect(left).toContain(id);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  it('of three with one excluded takes the idler of the other two', () => {
    const list = weighted(1, 1, 1);
    if (list[1]) list[1].state.pending = 1;
    const counts = countById(picks(build(list), 5_000, context(['c0'])));
    // Unopposed only when 16 draws miss the one rival: (2/3)^16 = 0.15 %, half of which would be c1.
    expect((counts['c1'] ?? 0) / 5_000).toBeLessThan(0.005);
    expect(counts['c0']).toBeUndefined();
  });
});

describe('small lists', () => {
  it('a lone candidate is picked whatever its load', () => {
    expect(picks(build([candidate('a', 1, { pending: 99 })]), 3)).toEqual(['a', 'a', 'a']);
  });

  it('an empty list yields undefined', () => {
    expect(build([]).pick(context())).toBeUndefined();
  });
});

describe('options', () => {
  it('refuses an unknown option', () => {
    const options = { choices: 3 } as object;
    expectInvalidOption(
      thrownBy(() => p2c(options)),
      'p2c.choices',
      3,
    );
  });

  it.each([
    ['p2c.load', 'ewma', 'ewma'],
    ['p2c.load.of', { name: 'x' }, undefined],
    ['p2c.load.name', { of: () => 0 }, undefined],
  ])('refuses a load without %s', (option, load, value) => {
    expectInvalidOption(
      thrownBy(() => p2c({ load: load as unknown as Load })),
      option,
      value,
    );
  });

  it('uses leastRequest by default', () => {
    expect(p2c().load?.name).toBe('leastRequest');
  });
});
