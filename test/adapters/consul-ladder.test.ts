import { describe, expect, it } from 'vitest';
import { whyStale } from '../../adapters/consul/freshness.js';
import { Ladder } from '../../adapters/consul/ladder.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { begin, consulOf, half, park } from './consul-scene.js';
import { entry, fakeConsul, type FakeCall } from './fake-consul.js';
import { watchWith } from './watched.js';

/** As Consul 1.8.7 worded it on a client agent and on servers. */
const LEADERLESS = [
  'No cluster leader',
  'No known Consul servers',
  'rpc error making call: leadership lost while committing log',
  'leadership lost while committing log',
  'rpc error getting client: failed to get conn: dial tcp 127.0.0.1:0->127.0.0.1:34645: connect: connection refused',
  "rpc error making call: rpc error getting client: failed to get conn: rpc error: lead thread didn't get connection",
];
const NO_LEADER = 'No cluster leader';

const FOLLOWER = {
  headers: { 'x-consul-knownleader': 'false', 'x-consul-lastcontact': '416' },
};
const CACHE = { headers: { 'x-cache': 'HIT', age: '3', 'x-consul-knownleader': 'true' } };

const modeOf = ({ query }: FakeCall): string =>
  ['consistent', 'stale', 'cached'].filter((mode) => mode in query).join('&') || 'default';

describe('the ladder', () => {
  it('has four rungs, and begins where reads begin', () => {
    const descent = (wanted: 'consistent' | 'default' | 'stale' | 'cached'): string[] => {
      const ladder = new Ladder(wanted);
      const rungs: string[] = [ladder.consistency];
      while (ladder.lower(0)) rungs.push(ladder.consistency);
      return rungs;
    };
    expect(descent('consistent')).toEqual(['consistent', 'default', 'stale', 'cached']);
    expect(descent('default')).toEqual(['default', 'stale', 'cached']);
    expect(descent('stale')).toEqual(['stale', 'cached']);
    expect(descent('cached')).toEqual(['cached']);
  });
});

describe('reads', () => {
  it.each([
    ['consistent', 'consistent'],
    ['stale', 'stale'],
    ['default', 'default'],
  ] as const)('of consistency %s ask for it', async (consistency, mode) => {
    const { client, watched } = await park({ consistency });
    expect(client.calls.map(modeOf)).toEqual([mode, mode]);
    expect(watched.confirmed).toMatchObject([{ stale: undefined, details: { consistency } }]);
    await watched.abort();
  });

  it('of consistency cached never block', async () => {
    const { client, clock, watched } = await park({ consistency: 'cached' });
    expect(client.calls).toHaveLength(1);
    await clock.advance(7_500);
    expect(client.calls.map(modeOf)).toEqual(['cached', 'cached']);
    expect(client.newest().query['wait']).toBeUndefined();
    await watched.abort();
  });
});

describe('without a leader', () => {
  it.each(LEADERLESS)('a read that fails with %j asks for less at once', async (text) => {
    const { client, watched } = await park();
    client.newest().refuse(500, text);
    await settle();
    expect(client.calls.map(modeOf)).toEqual(['default', 'default', 'stale']);
    expect(client.newest().query['index']).toBeUndefined();
    expect(watched.faults[0]?.message).toMatch(/; reading again with consistency "stale"\.$/);
    await watched.abort();
  });

  it('what a follower says is used, and shows as stale', async () => {
    const { client, watched } = await park();
    client.newest().refuse(500, NO_LEADER);
    await settle();
    client.newest().reply([entry({ port: 81 })], 11, FOLLOWER);
    await settle();
    const stale = 'no leader answers: from a server 416 ms behind';
    expect(watched.snapshots[1]).toMatchObject({ kind: 'instances', stale });
    expect(watched.confirmed[1]).toMatchObject({
      stale,
      details: { consistency: 'stale', knownLeader: false, lastContactMs: 416 },
    });
    expect(client.newest().query).toMatchObject({ stale: '1', index: '11', wait: '15000ms' });
    await watched.abort();
  });

  it('and without any server the agent is asked for what it remembers', async () => {
    const { client, clock, watched } = await park();
    for (const _ of ['default', 'stale']) {
      client.newest().refuse(500, 'No known Consul servers');
      await settle();
    }
    client.newest().reply([entry()], 10, CACHE);
    await clock.advance(7_499);
    expect(client.calls.map(modeOf)).toEqual(['default', 'default', 'stale', 'cached']);
    expect(watched.confirmed[1]).toMatchObject({
      stale: "no server answers: from the agent's cache, 3 s old",
      details: { consistency: 'cached', parked: false },
    });
    await clock.advance(1);
    expect(modeOf(client.newest())).toBe('cached');
    await watched.abort();
  });

  it('and when even that fails there is a pause, and all begins anew', async () => {
    const { client, clock, watched } = await begin();
    for (const _ of ['default', 'stale', 'cached']) {
      client.newest().refuse(500, NO_LEADER);
      await settle();
    }
    expect(client.calls).toHaveLength(3);
    await clock.advance(124);
    expect(client.calls).toHaveLength(3);
    await clock.advance(1);
    expect(client.calls.map(modeOf)).toEqual(['default', 'stale', 'cached', 'default']);
    await watched.abort();
  });

  it('the first rung is tried every 15 s, and once it holds nothing is stale', async () => {
    const { client, clock, watched } = await park();
    client.newest().refuse(500, NO_LEADER);
    await settle();
    client.newest().reply([entry()], 10, FOLLOWER);
    await clock.advance(15_000);
    expect(client.newest().query['wait']).toBe('15000ms');
    client.newest().reply([entry()], 10, FOLLOWER);
    await settle();
    expect(modeOf(client.newest())).toBe('default');
    expect(client.newest().query['index']).toBeUndefined();
    client.newest().refuse(500, NO_LEADER);
    await settle();
    client.newest().reply([entry()], 10, FOLLOWER);
    await clock.advance(15_000);
    client.newest().reply([entry()], 10, FOLLOWER);
    await settle();
    client.newest().reply([entry()], 12);
    await settle();
    expect(client.calls.map(modeOf).slice(-2)).toEqual(['default', 'default']);
    expect(client.newest().query).toMatchObject({ index: '12', wait: '60000ms' });
    expect(watched.confirmed.at(-1)?.stale).toBeUndefined();
    expect(watched.snapshots).toHaveLength(1);
    await watched.abort();
  });

  it('other faults lower nothing', async () => {
    const { client, clock, watched } = await park();
    client.newest().refuse(500, 'out of order');
    await clock.advance(125);
    client.newest().fail(new Error('down'));
    await clock.advance(250);
    expect(client.calls.map(modeOf)).toEqual(Array(4).fill('default'));
    await watched.abort();
  });

  it('the other agents are asked for all before any is asked for less', async () => {
    const [first, second] = [fakeConsul(), fakeConsul()];
    const watched = watchWith(consulOf([first, second]), { clock: new ManualClock(), rng: half });
    await settle();
    for (const agent of [first, second, first, second, first]) {
      agent.newest().refuse(500, NO_LEADER);
      await settle();
    }
    expect(first.calls.map(modeOf)).toEqual(['default', 'stale', 'cached']);
    expect(second.calls.map(modeOf)).toEqual(['default', 'stale', 'cached']);
    await watched.abort();
  });
});

describe('a good reply', () => {
  const age = { knownLeader: true, lastContactMs: 0, cacheAgeMs: undefined };
  const wanted = { isLowered: false };
  it.each([
    [{ ...age, lastContactMs: 10_000 }, { ...wanted, consistency: 'stale' }, undefined],
    [
      { ...age, lastContactMs: 10_001 },
      { ...wanted, consistency: 'stale' },
      'no leader answers: from a server 10001 ms behind',
    ],
    [
      { ...age, knownLeader: false, lastContactMs: 20 },
      { ...wanted, consistency: 'stale' },
      'no leader answers: from a server 20 ms behind',
    ],
    [{ ...age, knownLeader: undefined }, { ...wanted, consistency: 'default' }, undefined],
    [{ ...age, cacheAgeMs: 10_000 }, { ...wanted, consistency: 'cached' }, undefined],
    [
      { ...age, cacheAgeMs: 11_000 },
      { ...wanted, consistency: 'cached' },
      "no server answers: from the agent's cache, 11 s old",
    ],
    [{ ...age }, { isLowered: true, consistency: 'cached' }, undefined],
    [
      { ...age },
      { isLowered: true, consistency: 'default' },
      'the leader could not make sure that it is one',
    ],
  ] as const)('with %o, read %o, is stale for: %s', (freshness, ladder, why) => {
    expect(whyStale(freshness, ladder)).toBe(why);
  });
});
