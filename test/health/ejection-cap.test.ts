import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toInstance } from '../../src/discovery.js';
import { EjectionCap } from '../../src/health/ejection-cap.js';
import { settle } from '../../src/testing/manual-clock.js';
import type { BreakerState, Candidate } from '../../src/types.js';
import { candidate } from '../support/candidates.js';
import { refused } from '../support/errors.js';
import { rig, row, specs } from '../support/fixtures.js';

const OPEN: BreakerState = { kind: 'open', untilMs: 1 };
const PROBING: BreakerState = { kind: 'half-open', probeUntilMs: undefined };

function capOver(members: readonly Candidate[], maxEjectedRatio: number): EjectionCap {
  return new EjectionCap(
    maxEjectedRatio,
    () => members,
    () => 1,
  );
}

/** How many of `n` equals go out when all want to, one after another. */
function goOut(n: number, maxEjectedRatio: number): number {
  const members = Array.from({ length: n }, (_, i) => candidate(`c${i}`));
  let version = 0;
  const cap = new EjectionCap(
    maxEjectedRatio,
    () => members,
    () => version,
  );
  for (const { instance, state } of members) {
    if (!cap.allows(instance)) continue;
    state.breaker = OPEN;
    version++;
  }
  return members.filter(({ state }) => state.breaker.kind === 'open').length;
}

describe('how many may be out', () => {
  it.each([
    [0.5, { 1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 10: 5, 1_000: 500 }],
    [0.3, { 1: 0, 2: 0, 3: 0, 4: 1, 10: 3, 1_000: 300 }], // 3 of 10 exactly, whatever 0.3 is in binary
    [0.1, { 9: 0, 10: 1, 30: 3 }],
    [0, { 1: 0, 2: 0, 1_000: 0 }],
    [1, { 1: 0, 2: 1, 3: 2, 10: 9 }],
    [0.99, { 1: 0, 2: 1, 10: 9, 100: 99, 1_000: 990 }],
  ])('at ratio %d', (ratio, expected) => {
    const sizes = Object.keys(expected).map(Number);
    expect(Object.fromEntries(sizes.map((n) => [n, goOut(n, ratio)]))).toEqual(expected);
  });

  it('is never more than the ratio, never all, and never less than would be allowed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, ratio) => {
          const out = goOut(n, ratio);
          expect(out).toBeLessThan(n);
          expect(out === 0 || out / n <= ratio).toBe(true);
          expect(out + 1 >= n || (out + 1) / n > ratio).toBe(true);
        },
      ),
    );
  });
});

describe('who counts', () => {
  it('those that are open or half-open are out', () => {
    for (const breaker of [OPEN, PROBING]) {
      const members = [candidate('a'), candidate('b', 1, { breaker }), candidate('c')];
      expect(capOver(members, 0.5).allows({ priority: 0 })).toBe(false);
    }
  });

  it('those that drain do not, neither in nor out', () => {
    const draining = [candidate('d', 0), candidate('e', 0)];
    expect(capOver([candidate('a'), ...draining], 0.5).allows({ priority: 0 })).toBe(false);
    const out = candidate('f', 0, { breaker: OPEN });
    expect(capOver([candidate('a'), candidate('b'), out], 0.5).allows({ priority: 0 })).toBe(true);
  });

  it('all of a priority may be out while another has one that is in', () => {
    const active = [prioritized('a', 0, OPEN), prioritized('b', 0)];
    const passive = [prioritized('c', 1, OPEN), prioritized('d', 1)];
    expect(capOver([...active, ...passive], 0.5).allows({ priority: 0 })).toBe(true);
    expect(capOver([...active, ...passive], 0).allows({ priority: 0 })).toBe(true);
    const dead = [prioritized('c', 1, OPEN), prioritized('d', 1, OPEN)];
    expect(capOver([...active, ...dead], 0.5).allows({ priority: 0 })).toBe(false);
    expect(capOver([...active, ...dead], 0.5).allows({ priority: 1 })).toBe(true);
  });

  it('one that a health check took out is no help', () => {
    const unhealthy = prioritized('b', 1);
    Object.assign(unhealthy.state, { health: 'unhealthy' });
    expect(capOver([prioritized('a', 0), unhealthy], 0.5).allows({ priority: 0 })).toBe(false);
  });

  it('one that has left the list is not let out, as nobody is left to take over', () => {
    expect(capOver([], 1).allows({ priority: 0 })).toBe(false);
  });

  it('one that a health check took out is counted once when its breaker wants to open too', () => {
    const [a, b] = [prioritized('a', 0), prioritized('b', 0)];
    Object.assign(a.state, { health: 'unhealthy' });
    expect(capOver([a, b], 0.5).allows({ priority: 0 }, true)).toBe(true);
    expect(capOver([a, b], 0.5).allows({ priority: 0 }, false)).toBe(false);
    Object.assign(b.state, { health: 'unhealthy' });
    expect(capOver([a, b], 0.5).allows({ priority: 0 }, true)).toBe(false); // the last one
  });

  it('all are counted as one where priorities are switched off', () => {
    const members = [prioritized('a', 0, OPEN), prioritized('b', 1), prioritized('c', 2)];
    const cap = new EjectionCap(
      0.5,
      () => members,
      () => 1,
      false,
    );
    expect(cap.allows({ priority: 1 })).toBe(false); // two of three
    members.push(prioritized('d', 3));
    expect(capOver(members, 0.5).allows({ priority: 1 })).toBe(true);
  });
});

it('a client without priorities counts all its instances as one', async () => {
  const { client, source } = await rig([], {
    policy: 'round-robin',
    stages: { priority: false },
    breaker: { consecutiveFailures: 1 },
  });
  source.set(
    [0, 0, 1, 1].map((priority, i) => ({ id: `i${i}`, host: 'h', port: 80 + i, priority })),
  );
  await settle();
  for (let i = 0; i < 20; i++) client.pick().end('failure');
  const rows = client.snapshot().instances;
  expect(rows.filter(({ breaker }) => breaker === 'open')).toHaveLength(2);
  await client.close();
});

/** A cap that is asked how often it has counted its members. */
function counted(
  members: readonly Candidate[],
  version: () => number,
): { cap: EjectionCap; counts: () => number } {
  let asked = 0;
  const cap = new EjectionCap(
    0.5,
    () => {
      asked++;
      return members;
    },
    version,
  );
  return { cap, counts: () => asked };
}

it('counts again only when the version has grown', () => {
  const members = [candidate('a'), candidate('b')];
  let version = 1;
  const { cap, counts } = counted(members, () => version);
  for (let i = 0; i < 100; i++) expect(cap.allows({ priority: 0 })).toBe(true);
  expect(counts()).toBe(1);
  version++;
  members.push(candidate('c', 1, { breaker: OPEN }));
  expect(cap.allows({ priority: 0 })).toBe(false);
  expect(counts()).toBe(2);
});

it('follows breakers without counting again', () => {
  const members = [
    candidate('a'),
    candidate('b'),
    candidate('c'),
    candidate('d'),
    candidate('e', 0),
  ];
  const { cap, counts } = counted(members, () => 1);
  const [a, b, , , drained] = members;
  if (!a || !b || !drained) throw new Error('five members');
  expect(cap.allows(a.instance)).toBe(true);
  cap.noteBreaker(a.state, false, true);
  cap.noteBreaker(a.state, true, true); // half-open, and open again
  cap.noteBreaker(drained.state, false, true); // nobody counts on it
  expect(cap.allows(b.instance)).toBe(true);
  cap.noteBreaker(b.state, false, true);
  expect(cap.allows(a.instance)).toBe(false);
  cap.noteBreaker(b.state, true, false);
  expect(cap.allows(b.instance)).toBe(true);
  Object.assign(b.state, { health: 'unhealthy' });
  cap.noteBreaker(b.state, false, true); // was counted as out when its health changed
  expect(cap.allows(a.instance)).toBe(true);
  expect(counts()).toBe(1);
});

describe('through a client', () => {
  it('one that has left the list is not counted, whatever becomes of its last attempts', async () => {
    const { client, source } = await rig(['a', 'b', 'c', 'd'], {
      breaker: { consecutiveFailures: 2 },
      shrinkGraceMs: 0,
    });
    const only = (id: string): { excluded: string[] } => ({
      excluded: ['a', 'b', 'c', 'd'].filter((other) => other !== id),
    });
    const late = [client.pick(only('d')), client.pick(only('d'))];
    source.set(specs('a', 'b', 'c'));
    await settle();
    client.pick(only('a')).end('success'); // the members are counted before the late failures come
    for (const lease of late) lease.end('failure');
    for (let i = 0; i < 2; i++) client.pick(only('b')).end('failure');
    expect(row(client, 'b').breaker).toBe('open');
    for (let i = 0; i < 2; i++) client.pick(only('a')).end('failure');
    expect(row(client, 'a')).toMatchObject({ breaker: 'closed', held: true });
    await client.close();
  });

  async function failing(
    names: readonly string[],
    options: Parameters<typeof rig>[1] = {},
  ): Promise<{ open: number; held: Set<string> }> {
    const { client } = await rig(names, { policy: 'round-robin', retry: false, ...options });
    const held = new Set<string>();
    client.on('breaker.held', ({ instanceId }) => held.add(instanceId));
    for (let i = 0; i < names.length * 20; i++) {
      await client
        .call(() => {
          throw refused();
        })
        .catch(() => undefined);
    }
    const open = names.filter((id) => row(client, id).breaker === 'open').length;
    await client.close();
    return { open, held };
  }

  it('a service that fails as a whole keeps half of its instances in, and says which', async () => {
    const { open, held } = await failing(['a', 'b', 'c', 'd', 'e']);
    expect(open).toBe(2);
    expect(held.size).toBe(3);
  });

  it('without outlier detection nothing is held', async () => {
    const { open, held } = await failing(['a', 'b', 'c'], { outlierDetection: false });
    expect(open).toBe(3);
    expect(held.size).toBe(0);
  });

  it('what was held goes out when there is room again', async () => {
    const { client, clock } = await rig(['a', 'b'], { policy: 'round-robin', retry: false });
    const bad = new Set(['a', 'b']);
    const calls = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i++) {
        await client
          .call(({ instance }) => {
            if (bad.has(instance.id)) throw refused();
          })
          .catch(() => undefined);
      }
    };
    await calls(40);
    const [out, held] = row(client, 'a').breaker === 'open' ? ['a', 'b'] : ['b', 'a'];
    expect(row(client, held).breaker).toBe('closed');
    bad.delete(out);
    await clock.advance(1_000);
    await calls(10); // the probe succeeds, and the other goes
    expect(row(client, out).breaker).toBe('closed');
    expect(row(client, held).breaker).toBe('open');
    await client.close();
  });
});

function prioritized(id: string, priority: number, breaker?: BreakerState): Candidate {
  const { state } = candidate(id, 1, breaker && { breaker });
  return { instance: toInstance({ id, host: 'localhost', port: 80, priority }, id), state };
}
