import { describe, expect, it } from 'vitest';
import { consul, type ConsulOptions } from '../../adapters/consul.js';
import { AgentError } from '../../adapters/consul/agent-error.js';
import { ConnectionPool } from '../../adapters/consul/connection-pool.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { begin, half } from './consul-scene.js';
import { entry, fakeConsul, type FakeCall, type FakeConsul } from './fake-consul.js';
import { type Watched, watchWith } from './watched.js';

interface Crowd {
  readonly client: FakeConsul;
  readonly clock: ManualClock;
  readonly watches: readonly Watched[];
  /** The reads of one service, `web-0` and so on. */
  of(service: number): readonly FakeCall[];
}

/** Watches of as many services, with the options of each; every first read is answered. */
async function crowd(...options: readonly ConsulOptions[]): Promise<Crowd> {
  const client = fakeConsul();
  const clock = new ManualClock();
  const watches = options.map((own, i) =>
    watchWith(consul({ client, ...own }), { service: `web-${i}`, clock, rng: half }),
  );
  await settle();
  for (const call of [...client.calls]) call.reply([entry()], 10);
  await settle();
  return {
    client,
    clock,
    watches,
    of: (service) => client.calls.filter(({ path }) => path.endsWith(`/web-${service}`)),
  };
}

const end = (watches: readonly Watched[]): Promise<unknown> =>
  Promise.all(watches.map((watched) => watched.abort()));

const isParked = (call: FakeCall | undefined): boolean => call?.query['wait'] !== undefined;

describe('no more queries are parked than may be', () => {
  it('and whoever finds no slot polls', async () => {
    const maxParked = 2;
    const { client, clock, watches, of } = await crowd({ maxParked }, { maxParked }, { maxParked });
    expect(client.calls.filter(isParked)).toHaveLength(2);
    expect(watches.map(({ confirmed }) => confirmed[0]?.details?.['parked'])).toEqual([
      true,
      true,
      false,
    ]);
    // Half of ten seconds, and half of the other half.
    await clock.advance(7_499);
    expect(of(2)).toHaveLength(1);
    await clock.advance(1);
    expect(of(2)).toHaveLength(2);
    expect(isParked(of(2)[1])).toBe(false);
    await end(watches);
    expect(clock.pendingTimers).toBe(0);
  });

  it('80 where nothing else is said: an agent takes 200 connections from one address', async () => {
    const { client, watches } = await crowd(...Array.from({ length: 82 }, () => ({})));
    expect(client.calls.filter(isParked)).toHaveLength(80);
    await end(watches);
  });

  it('whatever another adapter of the process allows itself', async () => {
    const { client, watches } = await crowd({ maxParked: 2 }, { maxParked: 1 }, { maxParked: 2 });
    expect(client.calls.filter(isParked)).toHaveLength(2);
    await end(watches);
  });

  it('and a slot that is free again is taken, with the index of the last read', async () => {
    const { clock, watches, of } = await crowd({ maxParked: 1 }, { maxParked: 1 });
    of(0)[1]?.fail(new Error('down'));
    await settle();
    await watches[0]?.abort();
    await clock.advance(7_500);
    expect(of(1)[1]?.query).toMatchObject({ index: '10', wait: '60000ms' });
    await end(watches);
  });

  it('and one of a query that was given up is free when its wait is over, not before', async () => {
    const { clock, watches, of } = await crowd({ maxParked: 1 }, { maxParked: 1 });
    await watches[0]?.abort();
    // It was parked for 60 s, and is done with after 71.75 s: a sixteenth later, and 8 s of the network.
    for (const calls of [2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      await clock.advance(7_500);
      expect(of(1)).toHaveLength(calls);
      expect(isParked(of(1)[calls - 1])).toBe(false);
      of(1)[calls - 1]?.reply([entry()], 10);
      await settle();
    }
    await clock.advance(7_500);
    expect(isParked(of(1)[10])).toBe(true);
    await end(watches);
  });

  it('even if all watches have ended meanwhile', async () => {
    const { client, clock, watches } = await crowd({ maxParked: 1 });
    await end(watches);
    const watched = watchWith(consul({ client, maxParked: 1 }), { clock, rng: half });
    await settle();
    client.newest().reply([entry()], 10);
    await settle();
    expect(watched.confirmed[0]?.details?.['parked']).toBe(false);
    await watched.abort();
    await clock.advance(71_750);
    const later = watchWith(consul({ client, maxParked: 1 }), { clock, rng: half });
    await settle();
    client.newest().reply([entry()], 10);
    await settle();
    expect(later.confirmed[0]?.details?.['parked']).toBe(true);
    await later.abort();
  });

  it('and a read that failed gives its slot back for the time of its pause', async () => {
    const { clock, watches, of } = await crowd({ maxParked: 1 }, { maxParked: 1 });
    of(0)[1]?.refuse(403, 'ACL not found');
    await clock.advance(7_500);
    expect(isParked(of(1)[1])).toBe(true);
    await clock.advance(22_500);
    expect(of(0)).toHaveLength(3);
    expect(isParked(of(0)[2])).toBe(false);
    await end(watches);
  });

  it('while a wish for fresh data ends the pause of a poll', async () => {
    const { clock, watches, of } = await crowd({ maxParked: 1 }, { maxParked: 1, pollMs: 60_000 });
    await clock.advance(2_000);
    watches[1]?.refresh();
    await settle();
    expect(of(1)).toHaveLength(2);
    await end(watches);
  });
});

describe('reads that cannot block', () => {
  it('poll and need no slot', async () => {
    const nodes = { Nodes: [entry()] };
    const { client, clock, watched } = await begin({ preparedQuery: true, pollMs: 20_000 });
    for (const calls of [1, 2, 3]) {
      expect(client.calls).toHaveLength(calls);
      expect(client.newest().query['wait']).toBeUndefined();
      client.newest().reply(nodes);
      await clock.advance(14_999);
      expect(client.calls).toHaveLength(calls);
      await clock.advance(1);
    }
    expect(watched.snapshots).toHaveLength(1);
    expect(watched.confirmed[0]?.details).toMatchObject({ parked: false });
    expect(watched.faults).toEqual([]);
    await watched.abort();
  });

  it('share eight connections', async () => {
    const client = fakeConsul();
    const clock = new ManualClock();
    const watches = Array.from({ length: 12 }, () =>
      watchWith(consul({ client, maxParked: 1 }), { clock, rng: half }),
    );
    await settle();
    expect(client.calls).toHaveLength(1 + 8);
    for (const call of [...client.calls]) call.reply([entry()], 10);
    await settle();
    expect(client.calls).toHaveLength(1 + 8 + 3 + 1);
    // Those three take their time; of the eight polls that come next five find room.
    await clock.advance(7_500);
    expect(client.calls).toHaveLength(13 + 5);
    await end(watches);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a connection pool', () => {
  it('lets nobody wait for ever', async () => {
    const clock = new ManualClock();
    const pool = new ConnectionPool({ client: fakeConsul() }, 1, clock);
    const { signal } = new AbortController();
    let finish: () => void = () => undefined;
    const first = pool.use(signal, () => new Promise<void>((resolve) => (finish = resolve)));
    const second = pool.use(signal, () => Promise.resolve('done'));
    const refused = expect(second).rejects.toThrow('no connection was free within 10 s');
    await clock.advance(10_000);
    await refused;
    const third = pool.use(signal, () => Promise.resolve('done'));
    finish();
    await first;
    expect(await third).toBe('done');
    expect(await pool.use(signal, () => Promise.resolve('again'))).toBe('again');
    expect(clock.pendingTimers).toBe(0);
  });

  it('serves in order of arrival', async () => {
    const pool = new ConnectionPool({ client: fakeConsul() }, 1, new ManualClock());
    const { signal } = new AbortController();
    const order: number[] = [];
    const run = (n: number): Promise<unknown> =>
      pool.use(signal, async () => {
        order.push(n);
        // Comes while the turn is being handed on.
        if (n === 1) queueMicrotask(() => void run(4));
      });
    await Promise.all([run(1), run(2), run(3)]);
    await settle();
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('uses no connection again that failed, but one that brought an answer, whatever it says', async () => {
    const pool = new ConnectionPool({ client: fakeConsul() }, 1, new ManualClock());
    const { signal } = new AbortController();
    const used: unknown[] = [];
    const run = (error: Error): Promise<unknown> =>
      pool
        .use(signal, (connection) => {
          used.push(connection);
          return Promise.reject(error);
        })
        .catch(() => undefined);
    await run(new AgentError('status 404', { status: 404 }));
    await run(new Error('connect'));
    await run(new AgentError('no whole reply'));
    expect([used[0] === used[1], used[1] === used[2]]).toEqual([true, false]);
  });

  it('turns away whoever comes, or waits, when it is closed', async () => {
    const clock = new ManualClock();
    const pool = new ConnectionPool({ client: fakeConsul() }, 1, clock);
    const { signal } = new AbortController();
    void pool.use(signal, () => new Promise(() => undefined));
    const waiting = expect(pool.use(signal, () => Promise.resolve(1))).rejects.toThrow('closed');
    await settle();
    pool.close();
    await waiting;
    expect(clock.pendingTimers).toBe(0);
  });
});
