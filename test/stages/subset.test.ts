import { describe, expect, it } from 'vitest';
import { hash32 } from '../../src/hash.js';
import { whole } from '../../src/stages/part.js';
import { subset } from '../../src/stages/subset.js';
import { settle } from '../../src/testing/manual-clock.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { ResolvedSubset, SubsetOptions } from '../../src/topology-options.js';
import type { Candidate, Part, Rng } from '../../src/types.js';
import { candidate } from '../support/candidates.js';
import { refused } from '../support/errors.js';
import { clientOver, specs } from '../support/fixtures.js';
import { shareTolerance } from '../support/statistics.js';

const context = { nowMs: 0, expireAt: () => undefined, panic: () => undefined };

const named = (...ids: string[]): Candidate[] => ids.map((id) => candidate(id));
const many = (n: number): Candidate[] => Array.from({ length: n }, (_, i) => candidate(`c${i}`));
const without = (list: readonly Candidate[], ...ids: string[]): Candidate[] =>
  list.filter(({ instance }) => !ids.includes(instance.id));

function applied(part: Part, settings: ResolvedSubset, rng: Rng = seededRng(1)): Part {
  const parts = subset(settings, rng).apply(part, context);
  const [kept = part, reserve] = parts;
  expect(parts).toHaveLength(reserve === undefined ? 1 : 2);
  const all = [...kept.candidates, ...(reserve?.candidates ?? [])];
  expect(new Set(all)).toEqual(new Set(part.candidates));
  expect(all).toHaveLength(part.candidates.length);
  return kept;
}

function chosen(part: Part, settings: ResolvedSubset, rng?: Rng): string[] {
  return applied(part, settings, rng).candidates.map(({ instance }) => instance.id);
}

const KINDS: [string, (size: number) => ResolvedSubset][] = [
  ['at random', (size) => ({ size, seed: undefined })],
  ['by seed', (size) => ({ size, seed: 'orders-7' })],
  ['by index', (size) => ({ size, index: 2, total: 5 })],
];

describe.each(KINDS)('a subset %s', (_kind, of) => {
  it('hands the very part on when it is small enough', () => {
    for (const size of [10, 11, 1_000]) {
      const part = whole(many(10));
      expect(applied(part, of(size))).toBe(part);
    }
  });

  it('has as many as wanted, in the order of the list', () => {
    for (let size = 1; size < 10; size++) {
      const list = many(10);
      const { candidates } = applied(whole(list), of(size));
      expect(candidates).toHaveLength(size);
      expect(candidates).toEqual(list.filter((one) => candidates.includes(one)));
    }
  });

  it('does not depend on the order of the list', () => {
    const list = many(30);
    const other = [...list].reverse();
    expect(chosen(whole(other), of(7)).sort()).toEqual(chosen(whole(list), of(7)).sort());
  });

  it('changes neither name, nor ratio, nor what is eligible', () => {
    const part = { ...whole(many(10)), name: 'zone x', ratio: 0.97 };
    const { name, ratio, eligible } = applied(part, of(3));
    expect({ name, ratio }).toEqual({ name: 'zone x', ratio: 0.97 });
    expect(eligible).toBe(part.eligible);
  });

  it('keeps the others as a reserve', () => {
    const part = { ...whole(many(10)), ratio: 0.97 };
    const names = (given: Part): unknown[] =>
      subset(of(3), seededRng(1))
        .apply(given, context)
        .map(({ name, ratio, candidates }) => [name, ratio, candidates.length]);
    expect(names(part)).toEqual([
      ['', 0.97, 3],
      ['beyond the subset', 0, 7],
    ]);
    expect(names({ ...part, name: 'zone x' })[1]).toEqual(['zone x, beyond the subset', 0, 7]);
  });

  it('replaces one that is out by another, and takes it back', () => {
    const part = whole(many(30));
    const stage = subset(of(5), seededRng(1));
    const idsOf = (given: Part): string[] =>
      stage.apply(given, context)[0]?.candidates.map((c) => c.instance.id) ?? [];
    const before = idsOf(part);
    for (const out of before) {
      const after = idsOf({ ...part, candidates: without(part.candidates, out) });
      expect(after).toHaveLength(5);
      expect(before.filter((id) => !after.includes(id))).toEqual([out]);
    }
    expect(idsOf(part)).toEqual(before);
  });

  it('stays when one that it does not use goes out', () => {
    const part = whole(many(30));
    const before = chosen(part, of(5));
    const rest = without(part.candidates, ...before);
    for (const { instance } of rest) {
      const left = { ...part, candidates: without(part.candidates, instance.id) };
      expect(chosen(left, of(5))).toEqual(before);
    }
  });
});

describe('by rank', () => {
  it('the same seed chooses the same, in every release', () => {
    expect(chosen(whole(many(10)), { size: 3, seed: 'orders-7' })).toEqual(['c0', 'c7', 'c9']);
  });

  it('no seed means one draw, at the start', () => {
    let draws = 0;
    const rng: Rng = { next: () => (draws++, 0.25) };
    const stage = subset({ size: 3, seed: undefined }, rng);
    stage.apply(whole(many(10)), context);
    stage.apply(whole(many(20)), context);
    expect(draws).toBe(1);
    subset({ size: 3, seed: 'a' }, rng);
    subset({ size: 3, index: 0, total: 1 }, rng);
    expect(draws).toBe(1);
  });

  const SIZE = 5;
  const N = 20;
  const CLIENTS = 2_000;

  it.each<[string, (i: number) => [ResolvedSubset, Rng]]>([
    ['random', (i) => [{ size: SIZE, seed: undefined }, seededRng(i)]],
    ['numbered', (i) => [{ size: SIZE, seed: `client-${i}` }, seededRng(1)]],
  ])('%s clients use all instances alike, and independently', (_what, client) => {
    const part = whole(many(N));
    const subsets = Array.from({ length: CLIENTS }, (_, i) => chosen(part, ...client(i)));

    // Whether a client uses an instance is a draw of probability SIZE / N, for each client anew.
    const uses = new Map<string, number>();
    for (const id of subsets.flat()) uses.set(id, (uses.get(id) ?? 0) + 1);
    expect(uses.size).toBe(N);
    for (const count of uses.values()) {
      const share = count / CLIENTS;
      expect(Math.abs(share - SIZE / N)).toBeLessThan(shareTolerance(SIZE / N, CLIENTS));
    }

    // What two independent subsets have in common is hypergeometric: mean k²/N, variance k²/N · (1 - k/N) · (N-k)/(N-1).
    const overlaps = subsets.slice(1).map((ids, i) => ids.filter((id) => subsets[i]?.includes(id)));
    const mean = overlaps.flat().length / overlaps.length;
    const expected = SIZE ** 2 / N;
    const variance = (expected * (1 - SIZE / N) * (N - SIZE)) / (N - 1);
    expect(Math.abs(mean - expected)).toBeLessThan(4.5 * Math.sqrt(variance / overlaps.length));
  });
});

describe('by index', () => {
  it('a place on the ring means the same instances, in every release', () => {
    expect(chosen(whole(many(10)), { size: 3, index: 1, total: 4 })).toEqual(['c1', 'c4', 'c8']);
  });

  it('clients go round the ring, each starting where its part of it does', () => {
    const list = many(10);
    const sets = [0, 1, 2, 3, 4].map((index) => chosen(whole(list), { size: 2, index, total: 5 }));
    expect(sets.flat().sort()).toEqual(list.map(({ instance }) => instance.id).sort());
  });

  it('a lone client uses any of them, and the last one goes over the end of the ring', () => {
    const list = many(10);
    expect(chosen(whole(list), { size: 4, index: 0, total: 1 })).toHaveLength(4);
    const first = chosen(whole(list), { size: 1, index: 0, total: 10 });
    const last = chosen(whole(list), { size: 2, index: 9, total: 10 });
    expect(last).toEqual(expect.arrayContaining(first));
  });

  it('places are exact where a part of the ring is no binary fraction', () => {
    const clients = Array.from({ length: 98 }, (_, index) =>
      chosen(whole(many(2)), { size: 1, index, total: 98 }),
    );
    // 49 * (2 / 98) is a little less than 1.
    expect(clients.flat().filter((id) => id === 'c0')).toHaveLength(49);
  });

  it('neighbours by name are no neighbours on the ring', () => {
    const racks = ['a', 'b', 'c'].flatMap((rack) =>
      Array.from({ length: 20 }, (_, i) => `rack-${rack}-${i}`),
    );
    for (let index = 0; index < 4; index++) {
      const ids = chosen(whole(named(...racks)), { size: 15, index, total: 4 });
      // In the order of names every client would have one rack alone.
      expect(new Set(ids.map((id) => id.slice(0, 6))).size).toBe(3);
    }
  });

  it('ids of equal hash have an order all the same', () => {
    const [a, b] = ['10.1.2.76:802', '10.1.31.253:801'] as const;
    expect(hash32(a)).toBe(hash32(b));
    const settings = { size: 1, index: 0, total: 2 };
    expect(chosen(whole(named(a, b)), settings)).toEqual(chosen(whole(named(b, a)), settings));
    const other = { size: 1, index: 1, total: 2 };
    expect(chosen(whole(named(a, b)), other)).not.toEqual(chosen(whole(named(a, b)), settings));
  });

  it('clients that disagree on who is available keep their places', () => {
    const part = whole(many(40));
    const settings = { size: 4, index: 7, total: 10 };
    const before = chosen(part, settings);
    const out = without(part.candidates, ...before).slice(0, 20);
    const left = without(part.candidates, ...out.map(({ instance }) => instance.id));
    expect(chosen({ ...part, candidates: left }, settings)).toEqual(before);
  });
});

describe('a client', () => {
  it.each<[string, SubsetOptions]>([
    ['by seed', { size: 3, seed: 'me' }],
    ['by index', { size: 3, index: 1, total: 2 }],
  ])('uses its subset only (%s)', async (_kind, options) => {
    const names = Array.from({ length: 12 }, (_, i) => `i${i}`);
    const source = memoryAdapter(specs(...names));
    const { client } = clientOver(source, { policy: 'round-robin', stages: { subset: options } });
    await settle();
    const { stages, candidates } = client.explain();
    const kept = candidates.filter(({ part }) => part === '');
    expect(stages.at(-1)).toEqual({ name: 'subset', left: 3 });
    const used = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const lease = client.pick();
      used.add(lease.instance.id);
      lease.end('success');
    }
    expect([...used].sort()).toEqual(kept.map(({ id }) => id).sort());
    expect(used.size).toBe(3);
    await client.close();
  });

  it('keeps its picker while its subset stays', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `i${i}`);
    const source = memoryAdapter(specs(...names));
    const { client } = clientOver(source, { stages: { subset: { size: 3, seed: 'me' } } });
    await settle();
    const keptOf = (): string[] =>
      client
        .explain()
        .candidates.filter(({ part }) => part === '')
        .map(({ id }) => id);
    const used = keptOf();
    const { rebuilds } = client.snapshot();
    const spare = names.find((name) => !used.includes(name));
    source.set(specs(...names.filter((name) => name !== spare)));
    await settle();
    expect(keptOf()).toEqual(used);
    expect(client.snapshot().rebuilds).toBe(rebuilds);
    await client.close();
  });

  it('has a subset of each zone', async () => {
    const instances = ['x', 'y'].flatMap((zone) =>
      specs(...Array.from({ length: 9 }, (_, i) => `${zone}${i}`)).map((spec) => ({
        ...spec,
        locality: { zone },
      })),
    );
    const { client } = clientOver(memoryAdapter(instances), {
      stages: { zone: { local: 'x' }, subset: { size: 4, seed: 'me' } },
    });
    await settle();
    expect(client.explain().parts.map(({ name, candidates }) => [name, candidates])).toEqual([
      ['zone x', 4],
      ['zone x, beyond the subset', 5],
      ['zone y', 4],
      ['zone y, beyond the subset', 5],
    ]);
    await client.close();
  });

  it('leaves it in a call that has tried all of it', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `i${i}`);
    const { client } = clientOver(memoryAdapter(specs(...names)), {
      stages: { subset: { size: 2, seed: 'me' } },
      retry: { maxAttempts: 3 },
    });
    await settle();
    const kept = client.explain().candidates.filter(({ part }) => part === '');
    const tried: string[] = [];
    await client.call(({ instance }) => {
      tried.push(instance.id);
      if (tried.length < 3) throw refused();
    });
    expect(tried.slice(0, 2).sort()).toEqual(kept.map(({ id }) => id).sort());
    expect(tried.slice(0, 2)).not.toContain(tried[2]);
    await client.close();
  });
});
