import { describe, expect, it, vi } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { listenForRefresh } from '../../adapters/consul/refresh.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { begin, half, park } from './consul-scene.js';
import { entry, fakeConsul, type FakeConsul } from './fake-consul.js';
import { watchWith } from './watched.js';

const reading = (client: FakeConsul): unknown => {
  const { index, wait } = client.newest().query;
  return { calls: client.calls.length, index, wait };
};

describe('reads', () => {
  it('begin without blocking, then wait on the index of the reply', async () => {
    const { client } = await begin({ waitMs: 30_000 });
    expect(reading(client)).toEqual({ calls: 1, index: undefined, wait: undefined });
    client.newest().reply([entry()], 10);
    await settle();
    expect(reading(client)).toEqual({ calls: 2, index: '10', wait: '30000ms' });
  });

  it('carry the options, and the token as a header', async () => {
    const { client } = await begin({ tags: ['v2'], near: '_agent', token: 'abc' });
    expect(client.newest()).toMatchObject({
      path: '/health/service/web',
      query: { tag: ['v2'], near: '_agent' },
      token: 'abc',
    });
  });

  it.each([
    ['backwards', 9],
    ['missing', undefined],
    ['0', 0],
    ['no number', 'x'],
    ['negative', -1],
  ])('do not block after an index that is %s', async (_what, index) => {
    const { client, clock } = await park();
    client.newest().reply([entry()], index);
    await clock.advance(5_000);
    expect(reading(client)).toEqual({ calls: 3, index: undefined, wait: undefined });
  });

  it('do not block after an error, whatever index it carries', async () => {
    const { client, clock } = await park();
    client.newest().refuse(500, 'out of order', { 'x-consul-index': '1' });
    await clock.advance(1_000);
    expect(reading(client)).toEqual({ calls: 3, index: undefined, wait: undefined });
    client.newest().reply([entry()], 3);
    await settle();
    expect(reading(client)).toEqual({ calls: 4, index: '3', wait: '60000ms' });
  });
});

describe('a parked query that ends before its time, with the very index it waits on', () => {
  it('ended because a snapshot was restored: the next read does not block', async () => {
    const { client, clock, watched } = await park();
    await clock.advance(59_999);
    client.newest().reply([entry()], 10);
    await settle();
    expect(reading(client)).toEqual({ calls: 3, index: undefined, wait: undefined });
    client.newest().reply([entry({ port: 81 })], 7);
    await clock.advance(1_000);
    expect(watched.snapshots).toHaveLength(2);
    expect(reading(client)).toEqual({ calls: 4, index: '7', wait: '60000ms' });
    await watched.abort();
  });

  it('makes no hot loop where it happens all the time', async () => {
    const { client, clock, watched } = await park();
    for (let tenth = 0; tenth < 300; tenth++) {
      client.newest().reply([entry()], 10);
      await clock.advance(100);
    }
    expect(client.calls.length).toBeGreaterThan(25);
    expect(client.calls.length).toBeLessThanOrEqual(33);
    expect(watched.faults).toEqual([]);
    await watched.abort();
  });

  it('is none whose wait is over, nor one that brings news', async () => {
    const { client, clock, watched } = await park();
    await clock.advance(60_000);
    client.newest().reply([entry()], 10);
    await settle();
    expect(reading(client)).toEqual({ calls: 3, index: '10', wait: '60000ms' });
    await clock.advance(2_000);
    client.newest().reply([entry({ port: 81 })], 11);
    await settle();
    expect(reading(client)).toEqual({ calls: 4, index: '11', wait: '60000ms' });
    await watched.abort();
  });
});

describe('an index that goes backwards', () => {
  it('is told once a minute at most, as a fault that does no harm', async () => {
    const { client, clock, watched } = await park();
    const told: number[] = [];
    for (let second = 0; second <= 62; second++) {
      client.newest().reply([entry()], 10 - (second % 2));
      await clock.advance(1_000);
      if (watched.faults.length > told.length) told.push(second);
    }
    expect(told).toEqual([1, 61]);
    expect(watched.faults[0]).toEqual({
      message:
        'Consul was started anew, or its data restored: the index of "web" went from 10 back to 9.',
      field: 'X-Consul-Index',
      value: 9,
    });
    expect(watched.snapshots).toHaveLength(1);
    await watched.abort();
  });

  it('is told after failed reads, too: an agent that is started anew', async () => {
    const { client, clock, watched } = await park();
    client.newest().fail(new Error('down'));
    await clock.advance(125);
    client.newest().reply([entry()], 3);
    await settle();
    expect(watched.faults.map(({ field }) => field)).toEqual([undefined, 'X-Consul-Index']);
    await watched.abort();
  });
});

describe('snapshots', () => {
  it('tell an unknown service from one without healthy instances', async () => {
    const { client, watched } = await begin();
    client.newest().reply([], 5);
    await settle();
    client.newest().reply([entry({ checks: ['critical'] })], 6);
    await settle();
    expect(watched.snapshots).toEqual([
      { kind: 'not-found' },
      { kind: 'instances', instances: [], version: '6' },
    ]);
  });

  it('come only with new content', async () => {
    const { client, clock, watched } = await park();
    client.newest().reply([entry({ checks: [{ Status: 'passing', Output: 'new' }] })], 11);
    await clock.advance(1_000);
    expect(watched.snapshots).toHaveLength(1);
    client.newest().reply([entry({ tags: ['v2'] })], 12);
    await settle();
    expect(watched.snapshots).toHaveLength(2);
  });

  it('leave a bad entry out and tell of it once', async () => {
    const { client, clock, watched } = await begin();
    const broken = entry({ id: 'broken', port: 70_000 });
    client.newest().reply([entry(), broken], 10);
    await settle();
    client.newest().reply([broken, entry()], 11);
    await clock.advance(1_000);
    expect(watched.snapshots).toMatchObject([{ instances: [{ id: 'dc1/n1/web-1' }] }]);
    expect(watched.faults).toMatchObject([
      {
        message: expect.stringContaining('"dc1/n1/broken" of "web"'),
        field: 'entries[1].Service.Port',
        value: 70_000,
      },
    ]);
  });

  it('do not come from a reply of bad entries alone', async () => {
    const { client, watched } = await park();
    client.newest().reply([entry({ port: 0 })], 11);
    await settle();
    expect(watched.snapshots).toHaveLength(1);
    expect(reading(client)).toMatchObject({ calls: 3, index: '11' });
  });

  it('come first from every watch, changed or not', async () => {
    const client = fakeConsul();
    const adapter = consul({ client });
    for (const _ of [1, 2]) {
      const watched = watchWith(adapter);
      await settle();
      client.newest().reply([entry()], 10);
      await settle();
      expect(watched.snapshots).toHaveLength(1);
      await watched.abort();
    }
  });
});

describe('successful reads', () => {
  it('have a burst of two updates, then one a second', async () => {
    const { client, clock } = await begin();
    const answer = async (): Promise<number> => {
      client.newest().reply([entry({ port: 1_000 + client.calls.length })], client.calls.length);
      await settle();
      return client.calls.length;
    };
    expect([await answer(), await answer(), await answer()]).toEqual([2, 3, 3]);
    await clock.advance(999);
    expect(client.calls).toHaveLength(3);
    await clock.advance(1);
    expect(client.calls).toHaveLength(4);
    await clock.advance(10_000);
    expect([await answer(), await answer(), await answer()]).toEqual([5, 6, 6]);
  });

  it('above 5,000 entries have one in five seconds', async () => {
    const { client, clock, watched } = await begin();
    const many = Array.from({ length: 5_001 }, (_, id) => entry({ id: `web-${id}` }));
    for (const index of [1, 2]) {
      client.newest().reply(many, index);
      // Lists as long as this are read in turns, which take real time.
      await vi.waitFor(() => expect(client.calls).toHaveLength(index + 1), 5_000);
    }
    client.newest().reply(many, 3);
    await vi.waitFor(() => expect(watched.confirmed).toHaveLength(3), 5_000);
    await clock.advance(4_999);
    expect(client.calls).toHaveLength(3);
    await clock.advance(1);
    expect(client.calls).toHaveLength(4);
  });

  it('without an index poll every five seconds and say so once', async () => {
    const { client, clock, watched } = await begin();
    for (const calls of [1, 2, 3]) {
      expect(client.calls).toHaveLength(calls);
      client.newest().reply([entry()]);
      await clock.advance(4_999);
      expect(client.calls).toHaveLength(calls);
      await clock.advance(1);
    }
    expect(watched.faults).toMatchObject([{ field: 'X-Consul-Index' }]);
  });
});

describe('the wish for fresh data', () => {
  it('reads without blocking, beside the query that is parked', async () => {
    const { client, watched } = await park();
    const parked = client.newest();
    watched.refresh();
    await settle();
    expect(reading(client)).toEqual({ calls: 3, index: undefined, wait: undefined });
    client.newest().reply([entry({ port: 81 })], 11);
    await settle();
    expect(watched.snapshots).toHaveLength(2);
    // An agent keeps the connection of a query that is given up until its wait is over.
    expect(parked.cancelled).toBe(false);
    expect(client.calls).toHaveLength(3);
    parked.reply([entry({ port: 82 })], 12);
    await settle();
    expect(watched.snapshots).toHaveLength(3);
    expect(watched.faults).toEqual([]);
  });

  it('gives the parked query up when the index went backwards: it waits for what will not come', async () => {
    const { client, clock, watched } = await park();
    const parked = client.newest();
    watched.refresh();
    await settle();
    client.newest().reply([entry({ port: 81 })], 5);
    await clock.advance(1_000);
    expect(parked.cancelled).toBe(true);
    expect(reading(client)).toEqual({ calls: 4, index: undefined, wait: undefined });
    client.newest().reply([entry({ port: 81 })], 5);
    await clock.advance(1_000);
    expect(watched.snapshots).toHaveLength(2);
    await watched.abort();
  });

  it('is granted again and again without one more parked query', async () => {
    const { client, clock, watched } = await park();
    for (let second = 0; second < 50; second++) {
      watched.refresh();
      await clock.advance(1_000);
      client.newest().reply([entry()], 10);
      await settle();
    }
    expect(client.calls.filter(({ query }) => query['wait'] !== undefined)).toHaveLength(1);
    expect(client.calls.length).toBeGreaterThan(40);
    await watched.abort();
  });

  it('leaves a read alone that does not block', async () => {
    const { client, watched } = await begin();
    watched.refresh();
    await settle();
    expect(client.calls).toHaveLength(1);
    client.newest().reply([entry()], 10);
    await settle();
    expect(watched.snapshots).toHaveLength(1);
  });

  it('is granted once a second, however long it lasts', async () => {
    const clock = new ManualClock();
    let sleeps = 0;
    const sleep = (): Promise<void> =>
      ++sleeps > 100 ? Promise.reject(new Error('a hot loop')) : Promise.resolve();
    const { signal } = new AbortController();
    const context = { clock, signal, sleep, rng: half, report: () => {}, confirm: () => {} };
    const refresh = listenForRefresh(context, () => {});
    await clock.advance(10_000);
    refresh.stop();
    expect(sleeps).toBe(11);
  });

  it('is not heard from a timer that comes a little early', async () => {
    const { client, clock, watched } = await park();
    const parked = client.newest();
    await clock.advance(59_900);
    watched.refresh();
    await settle();
    expect(parked.cancelled).toBe(false);
  });

  it('is granted by a read that fails before it asks: the pauses after it are whole', async () => {
    const counts = [];
    for (const wishes of [0, 1]) {
      const { client, clock, watched } = await begin({ peer: 'east' });
      const answer = async (): Promise<void> => {
        client.newest().reply({ Config: { Version: '1.8.7' } });
        await settle();
      };
      await answer();
      for (let wish = 0; wish < wishes; wish++) watched.refresh();
      for (let step = 0; step < 600; step++) {
        await clock.advance(500);
        await answer();
      }
      counts.push(client.calls.length);
      await watched.abort();
    }
    const [unwanted = 0, wanted = 0] = counts;
    expect(unwanted).toBeGreaterThan(5);
    expect(wanted).toBeLessThanOrEqual(unwanted + 1);
  });

  it('ends a backoff, but makes no hot loop', async () => {
    const { client, clock, watched } = await begin();
    for (let second = 0; second < 60; second++) {
      client.newest().fail(new Error('down'));
      for (let call = 0; call < 10; call++) {
        watched.refresh();
        await clock.advance(100);
      }
    }
    expect(client.calls.length).toBeGreaterThan(30);
    expect(client.calls.length).toBeLessThan(70);
  });
});
