import { describe, expect, it } from 'vitest';
import { hash32 } from '../../src/hash.js';
import { maglev } from '../../src/policies/maglev.js';
import { countById, type TestCandidate, weighted } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';
import { chiSquare, chiSquareLimit, shareTolerance } from '../support/statistics.js';
import { build, choices, equal, homes, idFor, keyCounts, keys, sharesOf } from './hashing-rig.js';

/** The table, read out by a key for each of its slots. */
function tableOf(list: readonly TestCandidate[], tableSize: number, slots = tableSize): string[] {
  const picker = build(maglev({ tableSize }), list);
  const table: string[] = [];
  for (let i = 0, found = 0; found < slots; i++) {
    const slot = hash32(`key-${i}`) % slots;
    if (table[slot] !== undefined) continue;
    table[slot] = idFor(picker, `key-${i}`);
    found++;
  }
  return table;
}

/**
 * The table as the paper and Envoy's `maglev_lb.cc` tell it: in each round everybody in order of id is asked whether
 * its turns so far are fewer than its weight allows.
 */
function plainTable(list: readonly TestCandidate[], size: number): string[] {
  const entries = list
    .toSorted((a, b) => (a.instance.id < b.instance.id ? -1 : 1))
    .map(({ instance: { id, weight } }) => ({
      id,
      weight,
      turns: 0,
      slot: hash32(id) % size,
      skip: (hash32(id, 0x9e3779b9) % (size - 1)) + 1,
    }));
  const largest = Math.max(...entries.map(({ weight }) => weight));
  const table: string[] = [];
  let filled = 0;
  for (let round = 0; ; round++) {
    for (const entry of entries) {
      if (entry.turns * largest > round * entry.weight) continue;
      entry.turns++;
      while (table[entry.slot] !== undefined) entry.slot = (entry.slot + entry.skip) % size;
      table[entry.slot] = entry.id;
      if (++filled === size) return table;
    }
  }
}

describe('the table', () => {
  it.each([
    [[1], 2],
    [[1, 1, 1], 101],
    [[1, 2, 4], 101],
    [[1, 1, 3], 101],
    [[1, 4, 6], 101],
    [[3, 7, 7, 1, 49, 3], 251],
    [[0.1, 0.3, 0.7], 101],
    [[1000, 1, 1, 1], 101],
    [Array<number>(100).fill(1), 101],
    [Array<number>(101).fill(1), 101],
    [Array.from({ length: 60 }, (_, i) => 1 + (i % 7)), 1_009],
  ])('of weights %j over %i slots is filled as the paper says', (weights, size) => {
    const list = weighted(...weights);
    expect(tableOf(list, size)).toEqual(plainTable(list, size));
  });

  it.each([[[1, 1, 1]], [[1, 2, 4]], [[5, 3, 1, 1]]])(
    'holds the shares of weights %j to one slot',
    (weights) => {
      const counts = countById(tableOf(weighted(...weights), 503));
      sharesOf(weights).forEach((share, i) => {
        expect(Math.abs((counts[`c${i}`] ?? 0) - share * 503)).toBeLessThan(2);
      });
    },
  );

  it('has a slot for each, however light', () => {
    const counts = countById(tableOf(weighted(1e300, 1e-300, 1), 101));
    expect(counts).toEqual({ c0: 99, c1: 1, c2: 1 });
  });

  it.each([
    [7, 7],
    [8, 17],
    [17, 17],
    [18, 37],
    [40, 79],
  ])('of 7 slots has, for %i instances, the %i that doubling leads to', (n, size) => {
    expect(tableOf(equal(n), 7, size)).toEqual(plainTable(equal(n), size));
  });
});

it('the order of a key is that of the slots from its own on, around the end', () => {
  const list = equal(5);
  const table = tableOf(list, 17);
  const picker = build(maglev({ tableSize: 17 }), list);
  for (const key of keys(100)) {
    const slot = hash32(key) % 17;
    const order = new Set([...table.slice(slot), ...table.slice(0, slot)]);
    expect(choices(picker, key, 5)).toEqual([...order]);
  }
});

it.each([[[1, 1]], [[1, 2, 7]], [[0.1, 0.2, 0.3, 0.4, 50]], [Array<number>(40).fill(3)]])(
  'keys follow the weights %j',
  (weights) => {
    const list = weighted(...weights);
    const counts = keyCounts(build(maglev(), list), list, keys(60_000));
    expect(chiSquare(counts, sharesOf(weights))).toBeLessThan(chiSquareLimit(weights.length - 1));
  },
);

describe('updates', () => {
  // The paper derives no bound for the keys that move needlessly. Held to here is what the docstring promises.
  it.each([2, 10, 100, 1_000])('one that joins %i moves under 1 % between the others', (n) => {
    const all = keys(20_000);
    const before = homes(build(maglev(), equal(n)), all);
    const after = homes(build(maglev(), equal(n + 1)), all);
    const moved = after.filter((id, i) => id !== before[i]);
    const joined = moved.filter((id) => id === `c${n}`).length / all.length;
    const share = 1 / (n + 1);
    expect(Math.abs(joined - share)).toBeLessThan(shareTolerance(share, all.length));
    expect(moved.length / all.length - joined).toBeLessThan(0.01);
  });

  it('one that leaves ten gives up its keys, to all others, and moves under 1 % more', () => {
    const all = keys(20_000);
    const before = homes(build(maglev(), equal(10)), all);
    const after = homes(build(maglev(), equal(10).slice(1)), all);
    const moved = all.flatMap((_, i) =>
      before[i] === after[i] ? [] : [{ from: before[i], to: after[i] ?? '' }],
    );
    expect(moved.filter(({ from }) => from !== 'c0').length).toBeLessThan(200);
    const heirs = countById(moved.filter(({ from }) => from === 'c0').map(({ to }) => to));
    expect(Object.keys(heirs)).toHaveLength(9);
    expect(chiSquare(Object.values(heirs), Array<number>(9).fill(1 / 9))).toBeLessThan(
      chiSquareLimit(8),
    );
  });
});

describe('options', () => {
  it.each([0, 1, -7, 2.5, NaN, 5_000_012, '7', 4, 9, 65_535, 65_536])(
    'refuses tableSize %s',
    (tableSize) => {
      expectInvalidOption(
        thrownBy(() => maglev({ tableSize: tableSize as number })),
        'maglev.tableSize',
        tableSize,
      );
    },
  );

  it.each([2, 3, 251, 65_537, 5_000_011])('takes the prime %i', (tableSize) => {
    expect(maglev({ tableSize }).name).toBe('maglev');
  });
});
