import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { Clock } from '../../src/types.js';
import { begin, half, park, type Scene } from './consul-scene.js';
import { entry, fakeConsul, type FakeConsul } from './fake-consul.js';
import { watchWith } from './watched.js';

describe('failed reads', () => {
  it('are told, cost no snapshot and back off to 30 s', async () => {
    const { client, clock, watched } = await park();
    const pauses: number[] = [];
    for (let failure = 0; failure < 9; failure++) {
      const calls = client.calls.length;
      client.newest().fail(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }));
      await settle();
      const startMs = clock.now();
      while (client.calls.length === calls) await clock.advance(125);
      pauses.push(clock.now() - startMs);
    }
    expect(pauses).toEqual([125, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(watched.snapshots).toHaveLength(1);
    expect(watched.faults).toHaveLength(9);
    expect(watched.faults[0]?.message).toBe(
      'Consul gave no list of "web": connect (ECONNREFUSED); reading again in 0.1 s.',
    );
    client.newest().reply([entry()], 10);
    await settle();
    client.newest().fail(new Error('again'));
    await clock.advance(125);
    expect(client.calls).toHaveLength(13);
  });

  it.each([
    [429, { 'retry-after': '7' }, 7_000],
    [503, {}, 1_000],
    [503, { 'retry-after': '0' }, 1_000],
    [429, { 'retry-after': '86400' }, 60_000],
    [
      503,
      { 'retry-after': 'Wed, 21 Oct 2026 07:28:09 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' },
      9_000,
    ],
    [503, { 'retry-after': 'soon' }, 1_000],
  ])('with status %i and %o rest as asked', async (status, headers, ms) => {
    const { client, clock, watched } = await begin();
    client.newest().refuse(status, 'too much', headers);
    await settle();
    watched.refresh();
    await clock.advance(ms - 1);
    expect(client.calls).toHaveLength(1);
    await clock.advance(1 + 125);
    expect(client.calls).toHaveLength(2);
  });

  it.each<[string, number, string, string]>([
    ['an unknown token', 403, 'ACL not found', 'check the option "token"'],
    [
      'an unknown datacenter',
      500,
      'No path to datacenter',
      'check the option "datacenter" (or "failover")',
    ],
    [
      'a bad filter',
      500,
      'Failed to create boolean expression evaluator: 1:9 …',
      'check the option "filter"',
    ],
    ['a bad request', 400, 'Invalid wait time', 'check the options; reading'],
    ['a foreign server', 404, '<html>', 'status 404; check the options; reading'],
  ])(
    'for %s are tried again after 20 to 40 s, told once a minute',
    async (_what, status, body, message) => {
      const { client, clock, watched } = await begin();
      const told: number[] = [];
      for (const calls of [1, 2, 3, 4, 5]) {
        client.newest().refuse(status, body);
        await settle();
        told.push(watched.faults.length);
        await clock.advance(29_999);
        expect(client.calls).toHaveLength(calls);
        await clock.advance(1);
      }
      expect(told).toEqual([1, 1, 2, 2, 3]);
      expect(watched.faults[0]?.message).toContain(message);
    },
  );

  it.each<[string, (client: FakeConsul) => void, string]>([
    [
      'a page',
      (c) => c.newest().reply('<html>', 1, { contentType: 'text/html' }),
      'no JSON but text/html',
    ],
    ['an object', (c) => c.newest().reply({}, 1), 'no list but an object'],
    ['null', (c) => c.newest().reply(null, 1), 'no list but null'],
    ['nothing', (c) => c.newest().reply(undefined, 1), 'the reply is no JSON'],
    ['an accepted', (c) => c.newest().reply([], 1, { statusCode: 202 }), 'status 202'],
    ['garbage', (c) => c.newest().refuse(200), 'the reply is no JSON'],
  ])('include %s in place of a list', async (_what, answer, message) => {
    const { client, watched } = await park();
    answer(client);
    await settle();
    expect(watched.snapshots).toHaveLength(1);
    expect(watched.faults[0]?.message).toContain(message);
  });

  it('include a client that gives no response', async () => {
    const client = { ...fakeConsul(), _request: () => Promise.resolve({}) };
    const watched = watchWith(consul({ client }), { rng: half });
    await settle();
    expect(watched.faults[0]?.message).toContain('the client gave no response');
    await watched.abort();
  });
});

describe('deadlines', () => {
  it.each([
    ['a plain read', begin, 10_000],
    ['a blocking query', park, 60_000 * (17 / 16) + 8_000],
  ])('cancel %s that hangs', async (_what, scene, ms) => {
    const { client, clock, watched } = await scene();
    const hanging = client.newest();
    await clock.advance(ms - 1);
    expect(hanging.cancelled).toBe(false);
    await clock.advance(1);
    expect(hanging.cancelled).toBe(true);
    expect(watched.faults[0]?.message).toContain(`no whole reply within ${ms / 1_000} s`);
    await clock.advance(125);
    expect(client.newest()).not.toBe(hanging);
  });
});

describe('the token', () => {
  it('is asked for before every read, and trimmed', async () => {
    let asked = 0;
    const { client } = await park({ token: () => Promise.resolve(`token-${++asked}\n`) });
    expect(client.calls.map(({ token }) => token)).toEqual(['token-1', 'token-2']);
  });

  it('of a function is asked for again at once after a first refusal, then every 10 s', async () => {
    const { client, clock, watched } = await begin({ token: () => 'abc' });
    client.newest().refuse(403, 'ACL not found');
    await clock.advance(125);
    for (const calls of [2, 3, 4]) {
      expect(client.calls).toHaveLength(calls);
      client.newest().refuse(403, 'ACL not found');
      await clock.advance(9_999);
      expect(client.calls).toHaveLength(calls);
      await clock.advance(1);
    }
    expect(watched.faults.map(({ message }) => message.split('; ').at(-1))).toEqual([
      'reading again in 0.1 s.',
      'reading again in 10.0 s.',
    ]);
    // What its token has nothing to do with is not asked for as often.
    client.newest().refuse(400, 'Invalid wait time');
    await clock.advance(29_999);
    expect(client.calls).toHaveLength(5);
    await watched.abort();
  });

  it('of a text stays what it is: it is not asked for again at once', async () => {
    const { client, clock, watched } = await begin({ token: 'abc' });
    client.newest().refuse(403, 'ACL not found');
    await clock.advance(29_999);
    expect(client.calls).toHaveLength(1);
    await watched.abort();
  });

  it.each<[string, (client: FakeConsul) => void]>([
    ['a refusal', (c) => c.newest().refuse(403, 'token hunter2 is unknown')],
    ['a fault', (c) => c.newest().fail(new Error('bad header hunter2'))],
    ['a type', (c) => c.newest().reply([], 1, { contentType: 'hunter2' })],
  ])('is in no report of %s', async (_what, answer) => {
    for (const token of ['hunter2', () => 'hunter2']) {
      const { client, watched } = await begin({ token });
      answer(client);
      await settle();
      const [fault] = watched.faults;
      expect(fault?.message).toContain('***');
      expect(everythingIn(fault)).not.toContain('hunter2');
    }
  });

  it.each([
    () => Promise.reject(new Error('hunter2 has expired')),
    () => '',
    () => 7 as unknown as string,
  ])('that cannot be had is a failed read: %s', async (token) => {
    const { client, clock, watched } = await begin({ token });
    await clock.advance(1_000);
    expect(client.calls).toHaveLength(0);
    expect(watched.faults[0]?.message).toContain('the token function');
    expect(everythingIn(watched.faults)).not.toContain('hunter2');
  });
});

describe('an abort', () => {
  it.each<[string, () => Promise<Scene>]>([
    ['of a first read', begin],
    ['of a parked query', park],
    [
      'of a backoff',
      async () => {
        const scene = await begin();
        scene.client.newest().fail(new Error('down'));
        await settle();
        return scene;
      },
    ],
  ])('%s ends the watch and leaves neither timer nor listener', async (_what, scene) => {
    const { clock, watched } = await scene();
    await watched.abort();
    await settle();
    expect(watched.faults.length).toBeLessThan(2);
    expect(clock.pendingTimers).toBe(0);
    expect(getEventListeners(watched.signal, 'abort')).toHaveLength(0);
  });

  it('before the beginning asks nothing', async () => {
    const client = fakeConsul();
    const watched = watchWith(consul({ client }));
    await watched.abort();
    await settle();
    expect(client.calls).toHaveLength(0);
  });

  it('is all that is needed to end: no timer of it ever keeps the process alive', async () => {
    const clock = new ManualClock();
    const holding = new Set<object>();
    const recording: Clock = {
      now: () => clock.now(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      setTimer: (ms, fn) => {
        const timer = clock.setTimer(ms, fn);
        holding.add(timer);
        return { cancel: () => timer.cancel(), unref: () => holding.delete(timer) };
      },
    };
    const client = fakeConsul();
    const watched = watchWith(consul({ client }), { clock: recording, rng: half });
    for (let read = 0; read < 6; read++) {
      await settle();
      if (read % 2 === 0) client.newest().reply([entry({ port: 100 + read })], 11 + read);
      else client.newest().refuse(503);
      await settle();
      watched.refresh();
      await clock.advance(3_000);
      expect(holding.size).toBe(0);
    }
    await watched.abort();
  });

  it('keeps listeners constant while reads go on', async () => {
    const { client, clock, watched } = await park();
    const before = getEventListeners(watched.signal, 'abort').length;
    const timers = clock.pendingTimers;
    for (let read = 0; read < 20; read++) {
      client.newest().reply([entry({ port: 100 + read })], 11 + read);
      await clock.advance(1_000);
    }
    expect(watched.snapshots).toHaveLength(21);
    expect(getEventListeners(watched.signal, 'abort')).toHaveLength(before);
    expect(clock.pendingTimers).toBe(timers);
  });
});

/** All texts an object holds, however deep, own properties that are not enumerable among them. */
function everythingIn(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (seen.has(value)) return '';
  seen.add(value);
  return Reflect.ownKeys(value)
    .map((key) => everythingIn(Reflect.get(value, key), seen))
    .join('\n');
}
