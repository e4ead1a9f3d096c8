import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Client } from '../src/client.js';
import { Events, type FairleadEvents } from '../src/events.js';
import { InstanceSet } from '../src/instance-set.js';
import type { Lease } from '../src/lease.js';
import { adaptiveLoad } from '../src/policies/adaptive-load.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import { expectCode, expectInvalidInstance } from './support/errors.js';
import {
  clientOver,
  idsOf,
  listing,
  rig,
  row,
  scripted,
  specs,
  yielding,
} from './support/fixtures.js';
import { thrownBy, watched } from './support/promises.js';

function changesOf(client: Client): FairleadEvents['instances.changed'][] {
  const changes: FairleadEvents['instances.changed'][] = [];
  client.on('instances.changed', (event) => changes.push(event));
  return changes;
}

function faultsOf(client: Client): FairleadEvents['discovery.fault'][] {
  const faults: FairleadEvents['discovery.fault'][] = [];
  client.on('discovery.fault', (event) => faults.push(event));
  return faults;
}

/** Gives instance `a` a history: 40 ms, then a failure, then one attempt still in flight. */
async function teach({ client, clock }: Awaited<ReturnType<typeof rig>>): Promise<Lease> {
  const others = idsOf(client).filter((id) => id !== 'a');
  const lease = client.pick({ excluded: others });
  await clock.advance(40);
  lease.end('success');
  client.pick({ excluded: others }).end('failure');
  const open = client.pick({ excluded: others });
  expect(open.instance.id).toBe('a');
  return open;
}

describe('the difference between two lists', () => {
  it('is told by id', async () => {
    const { client, source } = await rig(['a', 'b', 'c']);
    const changes = changesOf(client);
    source.set(specs('b*2', 'c', 'd'));
    await settle();
    expect(changes).toEqual([
      { service: 'orders', size: 3, added: ['d'], removed: ['a'], updated: ['b'] },
    ]);
    await client.close();
  });

  it.each([
    ['the same list', ['a', 'b', 'c']],
    ['another order', ['c', 'a', 'b']],
  ])('is nothing for %s: no event, no rebuild', async (_what, again) => {
    const { client, source } = await rig(['a', 'b', 'c']);
    client.pick().end('ignored');
    const { rebuilds } = client.snapshot();
    const changes = changesOf(client);
    source.set(specs(...again));
    await settle();
    client.pick().end('ignored');
    expect(changes).toEqual([]);
    expect(client.snapshot().rebuilds).toBe(rebuilds);
    await client.close();
  });

  it.each([
    ['weight', { weight: 2 }],
    ['port', { port: 81 }],
    ['protocol', { protocol: 'https' }],
    ['priority', { priority: 1 }],
    ['zone', { locality: { zone: 'z' } }],
    ['region', { locality: { region: 'r' } }],
    ['tags', { tags: ['t'] }],
    ['metadata', { metadata: { k: 'v' } }],
  ])('sees a changed %s as an update, once', async (_field, change) => {
    const { client, source } = await rig(['a', 'b']);
    const changes = changesOf(client);
    const updated = [{ ...specs('a')[0], host: 'a', port: 80, ...change }, ...specs('b')];
    source.set(updated);
    await settle();
    source.set(updated.map((spec) => structuredClone(spec)));
    await settle();
    expect(changes).toMatchObject([{ updated: ['a'], added: [], removed: [] }]);
    await client.close();
  });

  it.each([
    ['tags', { tags: ['x', 'y'] }, { tags: ['x', 'z'] }],
    ['metadata values', { metadata: { k: 'v' } }, { metadata: { k: 'w' } }],
    ['metadata keys', { metadata: { k: 'v' } }, { metadata: { l: 'v' } }],
  ])('sees other %s of the same size', async (_what, before, after) => {
    const { client, source } = await rig([]);
    source.set([{ host: 'a', port: 80, ...before }]);
    await settle();
    const changes = changesOf(client);
    source.set([{ host: 'a', port: 80, ...after }]);
    await settle();
    expect(changes).toMatchObject([{ updated: ['a:80'] }]);
    await client.close();
  });
});

describe('learned state', () => {
  it.each([
    ['others are added', ['a', 'b', 'c', 'd']],
    ['others are removed', ['a', 'b']],
    ['the list is reordered', ['c', 'b', 'a']],
    ['the weight changes', ['a*5', 'b', 'c']],
  ])('survives when %s', async (_what, next) => {
    const made = await rig(['a', 'b', 'c']);
    const { client, source } = made;
    const lease = await teach(made);
    const before = row(client, 'a');
    expect(before).toMatchObject({ pending: 1, attempts: 3 });
    expect(before.successRatio).toBeCloseTo(0.9, 10);
    source.set(specs(...next));
    await settle();
    const weight = next.includes('a*5') ? 5 : 1;
    expect(row(client, 'a')).toEqual({ ...before, weight, capacity: weight });
    lease.end('success');
    expect(row(client, 'a').pending).toBe(0);
    await client.close();
  });

  it('survives a change of metadata', async () => {
    const made = await rig(['a', 'b', 'c']);
    const lease = await teach(made);
    const before = row(made.client, 'a');
    made.source.set([
      { id: 'a', host: 'a', port: 80, metadata: { build: '2' } },
      ...specs('b', 'c'),
    ]);
    await settle();
    expect(row(made.client, 'a')).toEqual(before);
    lease.end('success');
    await made.client.close();
  });

  it('is remembered when a removed instance comes back within 10 minutes', async () => {
    const made = await rig(['a', 'b', 'c']);
    const { client, source, clock } = made;
    (await teach(made)).end('ignored');
    const before = row(client, 'a');
    source.set(specs('b', 'c'));
    await clock.advance(599_999);
    source.set(specs('b', 'c')); // forgets what is older
    await settle();
    source.set(specs('a', 'b', 'c'));
    await settle();
    // All of it, but that its success ratio has had the time to recover, and that it joins warm ones.
    expect(before.successRatio).toBe(0.9);
    const successRatio: unknown = expect.closeTo(1, 9);
    expect(row(client, 'a')).toEqual({ ...before, successRatio, capacity: 0.1 });
    await client.close();
  });

  it('is forgotten from then on', async () => {
    const made = await rig(['a', 'b', 'c']);
    const { client, source, clock } = made;
    (await teach(made)).end('ignored');
    source.set(specs('b', 'c'));
    await clock.advance(600_000);
    source.set(specs('b', 'c'));
    await settle();
    source.set(specs('a', 'b', 'c'));
    await settle();
    expect(row(client, 'a')).toMatchObject({ attempts: 0, ewmaMs: undefined, successRatio: 1 });
    await client.close();
  });

  it('is kept as long as an attempt is in flight', async () => {
    const made = await rig(['a', 'b', 'c']);
    const { client, source, clock } = made;
    const lease = await teach(made);
    source.set(specs('b', 'c'));
    await clock.advance(700_000);
    source.set(specs('b', 'c', 'd'));
    await settle();
    expect(row(client, 'a')).toMatchObject({ membership: 'leaving', pending: 1 });
    lease.end('success');
    expect(idsOf(client)).toEqual(['b', 'c', 'd']);
    await client.close();
  });
});

describe('an instance that leaves', () => {
  it('gets no new calls at once, and drains', async () => {
    const { client, source } = await rig(['a', 'b']);
    const lease = client.pick({ excluded: ['b'] });
    source.set(specs('b'));
    await settle();
    for (let i = 0; i < 20; i++) {
      const other = client.pick();
      expect(other.instance.id).toBe('b');
      other.end('success');
    }
    expect(row(client, 'a')).toMatchObject({ membership: 'leaving', pending: 1 });
    lease.end('success');
    expect(idsOf(client)).toEqual(['b']);
    await client.close();
  });

  it('is not picked when its weight becomes 0, and shows as draining', async () => {
    const { client, source } = await rig(['a', 'b']);
    source.set(specs('a*0', 'b'));
    await settle();
    for (let i = 0; i < 20; i++) expect(client.pick().instance.id).toBe('b');
    expect(row(client, 'a').membership).toBe('draining');
    await client.close();
  });
});

it('no instance has a breaker any more once the client is closed, one that has left neither', async () => {
  const { client, source } = await rig(['a', 'b', 'c'], { breaker: { consecutiveFailures: 1 } });
  const [onA] = [client.pick({ excluded: ['b', 'c'] }), client.pick({ excluded: ['b', 'c'] })];
  const onB = client.pick({ excluded: ['a', 'c'] });
  source.set(specs('b', 'c'));
  await settle();
  await client.close();
  onA.end('failure');
  onB.end('failure');
  expect(row(client, 'a')).toMatchObject({ membership: 'leaving', breaker: 'closed' });
  expect(row(client, 'b').breaker).toBe('closed');
});

describe('an instance has drained', () => {
  /** Listens for it: the URLs, in order. */
  function drainedOf(client: Client): string[] {
    const urls: string[] = [];
    client.on('instance.drained', ({ url }) => urls.push(url));
    return urls;
  }

  it('when it has left, or weighs nothing, and its last attempt has ended', async () => {
    const { client, source } = await rig(['a', 'b', 'c', 'd']);
    const drained = drainedOf(client);
    const first = client.pick({ excluded: ['b', 'c', 'd'] });
    const second = client.pick({ excluded: ['b', 'c', 'd'] });
    const onB = client.pick({ excluded: ['a', 'c', 'd'] });
    client.pick({ excluded: ['a', 'b', 'd'] }).end('success'); // idle, and listed
    source.set(specs('b*0', 'c', 'd'));
    await settle();
    first.end('success');
    expect(drained).toEqual([]);
    second.end('success');
    expect(drained).toEqual(['http://a:80']);
    onB.end('success');
    expect(drained).toEqual(['http://a:80', 'http://b:80']);
    await client.close();
  });

  it('at once where nothing is in flight, and the set is as listeners will see it', async () => {
    const { client, source } = await rig(['a', 'b', 'c', 'd']);
    const seen: string[][] = [];
    client.on('instance.drained', ({ instanceId }) => seen.push([instanceId, ...idsOf(client)]));
    source.set(specs('b*0', 'c', 'd'));
    await settle();
    expect(seen).toEqual([
      ['a', 'b', 'c', 'd'],
      ['b', 'b', 'c', 'd'],
    ]);
    source.set(specs('c', 'd')); // one that drained has nothing more to tell when it leaves
    await settle();
    expect(seen).toHaveLength(2);
    await client.close();
  });

  it('when its id has moved to another address', async () => {
    const { client, source } = await rig(['a', 'b']);
    const drained = drainedOf(client);
    const old = client.pick({ excluded: ['b'] });
    source.set(['a', 'b'].map((id) => ({ id, host: 'elsewhere', port: 80 })));
    await settle();
    expect(drained).toEqual(['http://b:80']); // with nothing in flight
    old.end('success');
    expect(drained).toEqual(['http://b:80', 'http://a:80']);
    await client.close();
  });

  it('not when it came back before its last attempt ended', async () => {
    const { client, source } = await rig(['a', 'b']);
    const drained = drainedOf(client);
    const lease = client.pick({ excluded: ['b'] });
    source.set(specs('b'));
    await settle();
    source.set(specs('a', 'b'));
    await settle();
    expect(idsOf(client).sort()).toEqual(['a', 'b']); // once each
    lease.end('success');
    expect(drained).toEqual([]);
    await client.close();
  });

  it('is told to nobody once the client is closed', async () => {
    const { client, source } = await rig(['a', 'b']);
    const drained = drainedOf(client);
    const lease = client.pick({ excluded: ['b'] });
    source.set(specs('b'));
    await settle();
    await client.close();
    lease.end('success');
    expect(drained).toEqual([]);
  });
});

describe('a list that collapses', () => {
  it.each([
    ['empties', []],
    ['loses more than half', ['a']],
  ])('%s: is held, told, and confirmed by watching anew after the grace', async (_what, after) => {
    const { client, source, clock } = await rig(['a', 'b', 'c'], { shrinkGraceMs: 5_000 });
    const held: unknown[] = [];
    client.on('instances.held', (event) => held.push(event));
    source.set(specs(...after));
    await settle();
    expect(idsOf(client)).toEqual(['a', 'b', 'c']);
    expect(client.snapshot().discovery.holding).toBe(true);
    expect(held).toMatchObject([{ kept: 3, reported: after.length, graceMs: 5_000 }]);
    await clock.advance(4_999);
    expect(source.watches).toBe(1);
    expect(idsOf(client)).toEqual(['a', 'b', 'c']);
    await clock.advance(1);
    expect(source.watches).toBe(2);
    expect(idsOf(client)).toEqual(after);
    expect(client.snapshot().discovery.holding).toBe(false);
    await client.close();
  });

  it('into not-found is held too, then believed', async () => {
    const { client, source, clock } = await rig(['a', 'b'], { shrinkGraceMs: 5_000 });
    source.emit({ kind: 'not-found' });
    await settle();
    expect(client.snapshot()).toMatchObject({ status: 'listed' });
    expect(idsOf(client)).toEqual(['a', 'b']);
    await clock.advance(5_000);
    expect(client.snapshot().status).toBe('not-found');
    expectCode(
      thrownBy(() => client.pick()),
      'ERR_FAIRLEAD_SERVICE_NOT_FOUND',
    );
    await client.close();
  });

  it('goes on being held when the source cannot be read a second time', async () => {
    const { client, source, clock } = await rig(['a', 'b'], { shrinkGraceMs: 5_000 });
    source.set([]);
    await clock.advance(4_000);
    source.fail(new Error('down'));
    expect(idsOf(client)).toEqual(['a', 'b']);
    await client.close();
  });

  it('in which everything drains still takes calls', async () => {
    const { client, source } = await rig(['a', 'b'], { shrinkGraceMs: 5_000 });
    source.set(specs('a*0', 'b*0'));
    await settle();
    expect(client.snapshot().discovery.holding).toBe(true);
    expect(() => client.pick()).not.toThrow();
    await client.close();
  });

  it('is believed at once with shrinkGraceMs 0', async () => {
    const { client, source } = await rig(['a', 'b'], { shrinkGraceMs: 0 });
    source.set([]);
    await settle();
    expect(idsOf(client)).toEqual([]);
    expectCode(
      thrownBy(() => client.pick()),
      'ERR_FAIRLEAD_NO_INSTANCES',
    );
    await client.close();
  });
});

it('takes an id that moves to another address for another process', async () => {
  const { client, source } = await rig(['a'], {
    outlierDetection: false,
    breaker: { consecutiveFailures: 1 },
  });
  const old = client.pick();
  client.pick().end('failure');
  expect(row(client, 'a').breaker).toBe('open');
  source.set([{ id: 'a', host: 'elsewhere', port: 80 }]);
  await settle();
  const [moved] = client.snapshot().instances;
  expect(moved).toMatchObject({ url: 'http://elsewhere:80', breaker: 'closed', attempts: 0 });
  old.end('failure');
  expect(client.snapshot().instances).toHaveLength(1);
  expect(client.snapshot().instances[0]).toMatchObject({ breaker: 'closed', successRatio: 1 });
  await client.close();
});

describe('a source at fault', () => {
  it('is the cause of an error only while no snapshot came after', async () => {
    const { client, source, clock } = await rig(['a'], { shrinkGraceMs: 0 });
    const trouble = new Error('registry down');
    source.fail(trouble);
    await settle();
    source.set([]);
    await clock.advance(2_000);
    const error = thrownBy(() => client.pick());
    expectCode(error, 'ERR_FAIRLEAD_NO_INSTANCES');
    expect((error as Error).cause).toBeUndefined();
    source.fail(trouble);
    await settle();
    expect((thrownBy(() => client.pick()) as Error).cause).toBe(trouble);
    expect(client.snapshot().discovery.lastFault).toBe('registry down');
    await client.close();
  });

  it.each([
    ['null', null],
    ['a text', 'list'],
    ['a wrong kind', { kind: 'delta', instances: [] }],
    ['instances that are no array', { kind: 'instances', instances: {} }],
    ['only bad entries', { kind: 'instances', instances: [{ host: 'h', port: 0 }] }],
  ])(
    'that yields %s is reported, keeps the last good list, and is watched again',
    async (_what, bad) => {
      const adapter = scripted(yielding(listing('a', 'b'), bad), yielding(listing('a', 'b', 'c')));
      const { client, clock } = clientOver(adapter);
      const faults = faultsOf(client);
      await settle();
      expect(faults.at(-1)).toMatchObject({ service: 'orders', adapter: 'scripted' });
      expectCode(faults.at(-1)?.cause, 'ERR_FAIRLEAD_DISCOVERY');
      expect(idsOf(client)).toEqual(['a', 'b']);
      await clock.advance(1_000);
      expect(idsOf(client)).toEqual(['a', 'b', 'c']);
      await client.close();
      expect(clock.pendingTimers).toBe(0);
    },
  );

  it('that yields some bad entries is reported and keeps its good ones, and its watch', async () => {
    const bad = { host: 'h', port: 80, weight: -1 };
    const adapter = scripted(yielding({ kind: 'instances', instances: [...specs('a'), bad] }));
    const { client, clock } = clientOver(adapter);
    const faults = faultsOf(client);
    await clock.advance(100_000);
    expect(faults).toMatchObject([{ field: 'instances[1].weight', value: -1 }]);
    expect(idsOf(client)).toEqual(['a']);
    expect(adapter.contexts).toHaveLength(1);
    await client.close();
  });

  it('whose good watch throws keeps the list', async () => {
    const { client, source, clock } = await rig(['a', 'b']);
    const faults = faultsOf(client);
    source.fail(new Error('gone'));
    await settle();
    expect(faults).toMatchObject([{ message: 'gone', adapter: 'memory', service: 'orders' }]);
    expect(idsOf(client)).toEqual(['a', 'b']);
    expect(client.snapshot().discovery.lastFault).toBe('gone');
    await clock.advance(1_000);
    expect(source.watches).toBe(2);
    await client.close();
  });

  it('reports its fault to a listener attached right after construction', async () => {
    const { client } = clientOver({
      name: 'bad',
      watch() {
        throw new Error('at once');
      },
    });
    const faults = faultsOf(client);
    await settle();
    expect(faults).toMatchObject([{ message: 'at once' }]);
    await client.close();
  });
});

describe('ready', () => {
  it('resolves with the first instance that takes calls, not before', async () => {
    const { client, source } = await rig(['a*0']);
    const ready = watched(client.ready());
    await settle();
    expect(ready.status).toBe('pending');
    source.set(specs('a'));
    await settle();
    expect(ready.status).toBe('resolved');
    await client.close();
  });

  it('gives up on a source that never answers, with a typed error', async () => {
    const { client, clock } = clientOver(scripted(yielding()), { readyTimeoutMs: 500 });
    const ready = watched(client.ready());
    await clock.advance(499);
    expect(ready.status).toBe('pending');
    await clock.advance(1);
    expectCode(ready.error, 'ERR_FAIRLEAD_NOT_READY');
    expect((ready.error as Error).message).toContain('readyTimeoutMs 500');
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives the last fault of the source as cause', async () => {
    const boom = new Error('boom');
    const { client, clock } = clientOver({
      name: 'bad',
      watch() {
        throw boom;
      },
    });
    const ready = watched(client.ready());
    await clock.advance(10_000);
    expectCode(ready.error, 'ERR_FAIRLEAD_NOT_READY');
    expect((ready.error as Error).cause).toBe(boom);
    await client.close();
  });

  it('gives the bad entry as cause when no entry is usable', async () => {
    const bad = { kind: 'instances', instances: [{ host: 'h', port: 70_000 }] };
    const { client, clock } = clientOver(scripted(yielding(bad)));
    const ready = watched(client.ready());
    await clock.advance(10_000);
    const cause = (ready.error as Error).cause as Error;
    expectCode(cause, 'ERR_FAIRLEAD_DISCOVERY');
    expectInvalidInstance(cause.cause, 'instances[0].port', 70_000);
    await client.close();
  });

  it('says when the source knows no such service', async () => {
    const { client, source, clock } = await rig([]);
    source.emit({ kind: 'not-found' });
    const ready = watched(client.ready());
    await clock.advance(10_000);
    expectCode(ready.error, 'ERR_FAIRLEAD_SERVICE_NOT_FOUND');
    await client.close();
  });

  it("rejects with the signal's reason and leaves no timer", async () => {
    const { client, clock } = await rig([]);
    const stop = new AbortController();
    const ready = watched(client.ready({ signal: stop.signal }));
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(ready.error).toBe(reason);
    expect(clock.pendingTimers).toBe(0);
    const again = watched(client.ready({ signal: stop.signal }));
    await settle();
    expect(again.error).toBe(reason);
    expect(clock.pendingTimers).toBe(0);
    await client.close();
  });
});

it('who has waited for the list is asked no more, and lets go of the signal', async () => {
  const clock = new ManualClock();
  const source = memoryAdapter([]);
  const set = new InstanceSet(
    { service: 'orders', discovery: source, shrinkGraceMs: 0, slowStartMs: 0 },
    { clock, rng: seededRng(1) },
    new Events(),
    { traffic: { inFlight: 0 }, clock, learner: adaptiveLoad(), createBreaker: undefined },
  );
  const { signal } = new AbortController();
  let asked = 0;
  const until = (): boolean => {
    asked++;
    return set.members().some(({ instance }) => instance.weight > 0);
  };
  const ready = watched(
    set.whenListed({ until, deadlineMs: 1_000, error: () => new Error('late'), signal }),
  );
  await settle();
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  source.set(specs('a'));
  await settle();
  expect(ready.status).toBe('resolved');
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  const before = asked;
  source.set(specs('a', 'b'));
  await settle();
  expect(asked).toBe(before);
  await set.close(new Error('over'));
  expect(clock.pendingTimers).toBe(0);
});

describe('fresh data', () => {
  it('is asked for while a breaker is held, at most once a second', async () => {
    let reads = 0;
    const adapter = scripted(async function* (context) {
      for (;;) {
        reads++;
        yield listing('a');
        await context.sleep(60_000);
      }
    });
    const { client, clock } = clientOver(adapter, { breaker: { consecutiveFailures: 2 } });
    await settle();
    const fail = async (): Promise<number> => {
      client.pick().end('failure');
      await settle();
      return reads;
    };
    expect(await fail()).toBe(1);
    expect(await fail()).toBe(2); // the second in a row: it would open, were it not the last one
    expect(await fail()).toBe(2); // within the second
    await clock.advance(1_000);
    expect(await fail()).toBe(3);
    expect(row(client, 'a').breaker).toBe('closed');
    await client.close();
  });

  it('is asked for when every instance is out, at most once a second', async () => {
    let reads = 0;
    const adapter = scripted(async function* (context) {
      for (;;) {
        reads++;
        yield listing('a', 'b', 'c', 'd');
        await context.sleep(60_000);
      }
    });
    const { client, clock } = clientOver(adapter, {
      breaker: { consecutiveFailures: 1 },
      outlierDetection: false,
    });
    await settle();
    expect(reads).toBe(1);
    for (const excluded of [
      ['b', 'c', 'd'],
      ['a', 'c', 'd'],
      ['a', 'b', 'd'],
    ]) {
      client.pick({ excluded }).end('failure');
    }
    client.pick().end('ignored'); // one of four left: panic
    await settle();
    expect(reads).toBe(2);
    client.pick({ excluded: ['a', 'b', 'c'] }).end('failure');
    client.pick().end('ignored'); // none left, but within the second
    await settle();
    expect(reads).toBe(2);
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is asked for again and again while the list is empty and calls come', async () => {
    let reads = 0;
    const adapter = scripted(async function* (context) {
      for (;;) {
        reads++;
        yield listing();
        await context.sleep(60_000);
      }
    });
    const { client, clock } = clientOver(adapter);
    await settle();
    for (let i = 0; i < 5; i++) {
      thrownBy(() => client.pick());
      await clock.advance(1_000);
    }
    expect(reads).toBeGreaterThanOrEqual(5);
    await client.close();
  });
});
