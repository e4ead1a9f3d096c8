import { describe, expect, it } from 'vitest';
import { ringHash } from '../../src/policies/ring-hash.js';
import { candidate, type TestCandidate, weighted } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { chiSquareLimit } from '../support/statistics.js';
import { build, choices, equal, homes, idFor, keyCounts, keys, sharesOf } from './hashing-rig.js';

/**
 * The share of p of P points on a circle is Beta(p, P - p): variance s (1 - s) / (P + 1) about s = p / P. K keys drawn
 * at random add s (1 - s) / K. The sum of the squared deviations in those units, over one instance of each of many
 * sets, is chi-square with one degree per set; half the points assumed would double it.
 */
function spread(
  sets: number,
  points: number,
  list: (set: number) => TestCandidate[],
  minPoints?: number,
): number {
  const all = keys(5_000);
  let statistic = 0;
  for (let set = 0; set < sets; set++) {
    const candidates = list(set);
    const [share = 0] = sharesOf(candidates.map(({ instance }) => instance.weight));
    const picker = build(ringHash(minPoints === undefined ? {} : { minPoints }), candidates);
    const [count = 0] = keyCounts(picker, candidates, all);
    const variance = share * (1 - share) * (1 / (points + 1) + 1 / all.length);
    statistic += (count / all.length - share) ** 2 / variance;
  }
  return statistic;
}

describe('shares', () => {
  it.each([
    [2, 1_024],
    [3, 1_536],
    [8, 4_096],
  ])('of %i equals are as even as %i points make them', (n, points) => {
    expect(spread(60, points, (set) => equal(n, `s${set}-`))).toBeLessThan(chiSquareLimit(60));
  });

  it('follow the weights', () => {
    const list = (set: number) =>
      [4, 1, 2, 3].map((weight, i) => candidate(`s${set}-${i}`, weight));
    expect(spread(60, 2_048, list)).toBeLessThan(chiSquareLimit(60));
  });

  it('are more even with more points, and less with fewer', () => {
    const list = (set: number) => equal(2, `s${set}-`);
    expect(spread(30, 30_000, list, 30_000)).toBeLessThan(chiSquareLimit(30));
    expect(spread(30, 1_024, list, 64)).toBeGreaterThan(chiSquareLimit(30));
  });

  it.each([
    [100, 200_000, 200_000],
    [100, undefined, 51_200],
    [1_000, undefined, 65_536],
  ])(
    'of %i equals with minPoints %s are as even as %i points make them',
    (n, minPoints, points) => {
      // As in spread, but over all instances of one set, whose deviations sum to 0: one degree less than there are.
      const list = equal(n);
      const all = keys(200_000);
      const picker = build(ringHash(minPoints === undefined ? {} : { minPoints }), list);
      const variance = (1 / n) * (1 / points + 1 / all.length);
      const statistic = keyCounts(picker, list, all).reduce(
        (sum, count) => sum + (count / all.length - 1 / n) ** 2 / variance,
        0,
      );
      expect(statistic).toBeLessThan(chiSquareLimit(n - 1));
    },
  );

  it.each([1, 8])(
    'every instance has a point, also when there are fewer, %i, than instances',
    (minPoints) => {
      // The least of 20 arcs of a circle is 1/400 of it on average: 20,000 keys meet it about 50 times.
      const picker = build(ringHash({ minPoints }), equal(20));
      expect(new Set(homes(picker, keys(20_000))).size).toBe(20);
    },
  );

  it('of next to no weight are one point', () => {
    const list = weighted(1e300, 1e-300);
    const picker = build(ringHash({ minPoints: 4 }), list);
    // One of five points: 1/5 on average, exponential; not none and not half.
    const [, small = 0] = keyCounts(picker, list, keys(5_000));
    expect(small).toBeGreaterThan(0);
    expect(small).toBeLessThan(4_000);
  });
});

describe('updates', () => {
  const moves = (before: readonly TestCandidate[], after: readonly TestCandidate[]) => {
    const all = keys(20_000);
    const old = homes(build(ringHash(), before), all);
    return homes(build(ringHash(), after), all).flatMap((to, i) =>
      to === old[i] ? [] : [{ from: old[i], to }],
    );
  };

  it.each([1, 2, 3, 4, 9, 30, 127])('one that joins %i equals takes keys to itself only', (n) => {
    const moved = moves(equal(n), equal(n + 1));
    expect(new Set(moved.map(({ to }) => to))).toEqual(new Set([`c${n}`]));
    // Its share of the ring varies as that of 512 of 512 (n + 1) points does, and the keys add their own.
    const share = 1 / (n + 1);
    const variance = share * (1 - share) * (1 / (512 * (n + 1)) + 1 / 20_000);
    expect(Math.abs(moved.length / 20_000 - share)).toBeLessThan(4.5 * Math.sqrt(variance));
  });

  // These weights are among the few whose points rounding would change by one.
  it.each([[[2, 3, 1]], [[3, 2, 1]], [[1, 5, 6]], [[1, 6, 5]], [[4, 6, 2]], [[5, 1, 6]]])(
    'one of average weight that joins weights %j takes keys to itself only',
    (weights) => {
      const average = weights.reduce((sum, weight) => sum + weight, 0) / 3;
      const moved = moves(weighted(...weights), weighted(...weights, average));
      expect(new Set(moved.map(({ to }) => to))).toEqual(new Set(['c3']));
    },
  );

  it.each([2, 5, 128])('one that leaves %i equals gives up its own keys only', (n) => {
    const moved = moves(equal(n), equal(n).slice(1));
    expect(new Set(moved.map(({ from }) => from))).toEqual(new Set(['c0']));
  });

  it.each([
    ['past 128, where the points of all are shared out', equal(200), equal(201), 1 / 201],
    ['of other weight', weighted(1, 1, 1, 1), weighted(1, 1, 1, 1, 4), 1 / 2],
  ])('one that joins %s moves at most as many keys again between the others', (_w, a, b, share) => {
    const joined = `c${a.length}`;
    const between = moves(a, b).filter(({ to }) => to !== joined).length;
    expect(between / 20_000).toBeLessThan(share);
  });

  it('the second choice is where the key goes once the first has left', () => {
    const list = equal(5);
    const picker = build(ringHash(), list);
    for (const key of keys(200)) {
      const [first, second] = choices(picker, key, 2);
      const rest = list.filter(({ instance }) => instance.id !== first);
      expect(idFor(build(ringHash(), rest), key)).toBe(second);
    }
  });
});

it('the keys of one that is excluded go to all others, not to a neighbour', () => {
  const picker = build(ringHash(), equal(6));
  const seconds = keys(3_000)
    .filter((key) => idFor(picker, key) === 'c0')
    .map((key) => idFor(picker, key, ['c0']));
  expect(new Set(seconds).size).toBe(5);
});

it.each([0, -1, 1.5, NaN, 8_388_609, '1024'])('refuses minPoints %s', (minPoints) => {
  expectInvalidOption(
    thrownBy(() => ringHash({ minPoints: minPoints as number })),
    'ringHash.minPoints',
    minPoints,
  );
});
