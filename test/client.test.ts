import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { createClient } from '../src/client.js';
import type { CallOptions } from '../src/call-options.js';
import { p2c } from '../src/policies/p2c.js';
import { settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import type { CallContext, Load, Policy } from '../src/types.js';
import { expectCode, expectInvalidOption, refused, reset } from './support/errors.js';
import { clientOver, rig, row, scripted, specs, yielding } from './support/fixtures.js';
import { deferred, never, thrownBy, watched } from './support/promises.js';

describe('close', () => {
  it('waits for calls in flight', async () => {
    const { client, clock } = await rig(['a']);
    const work = deferred<string>();
    const call = watched(client.call(() => work.promise));
    await settle();
    const closed = watched(client.close());
    await settle();
    expect(closed.status).toBe('pending');
    work.resolve('done');
    await settle();
    expect(call.value).toBe('done');
    expect(closed.status).toBe('resolved');
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits for all of them, retries included', async () => {
    const { client, clock } = await rig(['a', 'b']);
    let sent = 0;
    const retried = watched(
      client.call(
        () => {
          if (++sent === 1) throw reset();
          return 'ok';
        },
        { idempotent: true },
      ),
    );
    const slow = watched(client.call(() => clock.sleep(40)));
    await settle();
    const closed = watched(client.close());
    await clock.advance(25);
    expect(retried.value).toBe('ok');
    expect(closed.status).toBe('pending');
    await clock.advance(15);
    expect(slow.status).toBe('resolved');
    expect(closed.status).toBe('resolved');
    expect(clock.pendingTimers).toBe(0);
  });

  it('refuses new calls and picks at once', async () => {
    const { client } = await rig(['a']);
    void client.call(never, { timeoutMs: 5 }).catch(() => undefined);
    void client.close();
    expectCode(
      thrownBy(() => client.pick()),
      'ERR_FAIRLEAD_CLOSED',
    );
    const call = watched(client.call(() => 1));
    await settle();
    expectCode(call.error, 'ERR_FAIRLEAD_CLOSED');
  });

  it('may be called twice, and gives the same promise', async () => {
    const { client } = await rig(['a']);
    expect(client.close()).toBe(client.close());
    await client.close();
    await client[Symbol.asyncDispose]();
    expect(client.snapshot().status).toBe('closed');
  });

  it('rejects those who wait for the first list', async () => {
    const { client, clock } = clientOver(scripted(yielding()));
    const ready = watched(client.ready());
    const call = watched(client.call(() => 1));
    await settle();
    await client.close();
    await settle();
    expectCode(ready.error, 'ERR_FAIRLEAD_CLOSED');
    expectCode(call.error, 'ERR_FAIRLEAD_CLOSED');
    expect(clock.pendingTimers).toBe(0);
  });

  it('makes a later ready() reject at once, without a timer', async () => {
    for (const names of [[], ['a']]) {
      const { client, clock } = await rig(names);
      await client.close();
      const ready = watched(client.ready());
      await settle();
      expectCode(ready.error, 'ERR_FAIRLEAD_CLOSED');
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('stops watching and leaves no timer, whatever the source was doing', async () => {
    for (const prepare of [
      async (made: Awaited<ReturnType<typeof rig>>) => made.source.fail(new Error('x')),
      async (made: Awaited<ReturnType<typeof rig>>) => made.source.set([]),
      async (made: Awaited<ReturnType<typeof rig>>) => made.source.emit({ kind: 'not-found' }),
    ]) {
      const made = await rig(['a', 'b', 'c']);
      await prepare(made);
      await settle();
      await made.client.close();
      await settle();
      expect(made.source.watching).toBe(0);
      expect(made.clock.pendingTimers).toBe(0);
    }
  });

  it('does not wait for an adapter that is deaf to its signal', async () => {
    const { client } = clientOver(
      // eslint-disable-next-line require-yield
      scripted(async function* () {
        await never();
      }),
    );
    const closed = watched(client.close());
    await settle();
    expect(closed.status).toBe('resolved');
  });

  it('leaves leases usable: they may still end, with no effect on a breaker', async () => {
    const { client } = await rig(['a'], { breaker: { consecutiveFailures: 1 } });
    const lease = client.pick();
    await client.close();
    expect(() => lease.end('failure')).not.toThrow();
    expect(row(client, 'a')).toMatchObject({ pending: 0, breaker: 'closed' });
  });

  it('keeps the tables readable', async () => {
    const { client } = await rig(['a', 'b']);
    client.pick().end('success');
    await client.close();
    expect(client.snapshot()).toMatchObject({ status: 'closed', inFlight: 0 });
    expect(client.explain().candidates).toHaveLength(2);
  });

  it('tells listeners nothing more', async () => {
    const { client, source } = await rig(['a']);
    let heard = 0;
    client.on('instances.changed', () => heard++);
    await client.close();
    source.set(specs('a', 'b'));
    await settle();
    expect(heard).toBe(0);
  });
});

describe('pick', () => {
  it('gives a lease that counts until it ends', async () => {
    const { client, clock } = await rig(['a']);
    const lease = client.pick();
    expect(lease.instance.url).toBe('http://a:80');
    expect(row(client, 'a')).toMatchObject({ pending: 1, attempts: 1 });
    await clock.advance(12);
    lease.end('success');
    expect(row(client, 'a')).toMatchObject({ pending: 0, ewmaMs: 12, successRatio: 1 });
    await client.close();
  });

  it('a lease ended twice ends once: the first word counts', async () => {
    const { client } = await rig(['a']);
    const other = client.pick();
    const lease = client.pick();
    lease.end('success');
    lease.end('failure');
    lease.end('success');
    expect(row(client, 'a')).toMatchObject({ pending: 1, successRatio: 1 });
    other.end('ignored');
    expect(row(client, 'a').pending).toBe(0);
    await client.close();
  });

  it.each([
    ['success', 1, 10],
    ['failure', 0.9, 10],
    ['overload', 0.9, 10],
    ['ignored', 1, undefined],
  ] as const)('an outcome of %s makes the success ratio %s', async (outcome, ratio, ewmaMs) => {
    const { client, clock } = await rig(['a'], { policy: 'peak-ewma' });
    const lease = client.pick();
    await clock.advance(10);
    lease.end(outcome);
    expect(row(client, 'a')).toMatchObject({ successRatio: ratio, ewmaMs });
    await client.close();
  });

  it('learns by Peak EWMA over 10 s where the load of the policy does not', async () => {
    const { client, clock } = await rig(['a'], { policy: 'p2c' });
    for (const [pauseMs, takesMs] of [
      [0, 100],
      [9_980, 20],
    ] as const) {
      await clock.advance(pauseMs);
      const lease = client.pick();
      await clock.advance(takesMs);
      lease.end('success');
    }
    expect(row(client, 'a').ewmaMs).toBeCloseTo(100 / Math.E + 20 * (1 - 1 / Math.E), 9);
    await client.close();
  });

  it('does not pick the excluded, and says so when none is left', async () => {
    const { client } = await rig(['a', 'b']);
    for (let i = 0; i < 20; i++) expect(client.pick({ excluded: ['a'] }).instance.id).toBe('b');
    expectCode(
      thrownBy(() => client.pick({ excluded: ['a', 'b'] })),
      'ERR_FAIRLEAD_NO_INSTANCES',
    );
    await client.close();
  });

  it('throws before the first list, with the last fault as cause', async () => {
    const boom = new Error('boom');
    const { client } = clientOver({
      name: 'bad',
      watch() {
        throw boom;
      },
    });
    await settle();
    const error = thrownBy(() => client.pick());
    expectCode(error, 'ERR_FAIRLEAD_NOT_READY');
    expect((error as Error).cause).toBe(boom);
    await client.close();
  });

  it('refuses an unknown option', async () => {
    const { client } = await rig(['a']);
    const options = { exclude: ['a'] } as object;
    const error = thrownBy(() => client.pick(options));
    expectInvalidOption(error, 'pick.exclude', '(object, not shown)');
    await client.close();
  });
});

describe('call options', () => {
  it('out of range reject, naming field and value, before anything is sent', async () => {
    const { client } = await rig(['a']);
    let sent = 0;
    const call = watched(client.call(() => sent++, { timeoutMs: -1 }));
    const unknown = watched(client.call(() => sent++, { retries: 2 } as CallOptions));
    await settle();
    expectInvalidOption(call.error, 'call.timeoutMs', -1);
    expectInvalidOption(unknown.error, 'call.retries', 2);
    expect(sent).toBe(0);
    expect(client.snapshot().inFlight).toBe(0);
    await client.close();
  });
});

describe('the policy', () => {
  it('is told of the attempts in flight at all instances, calls and leases alike', async () => {
    const inFlight: number[] = [];
    const { client, clock } = await rig(['a', 'b'], {
      policy: {
        name: 'spy',
        build: (candidates) => ({
          pick: (context) => {
            inFlight.push(context.inFlight);
            return candidates[inFlight.length % 2];
          },
        }),
      },
    });
    const lease = client.pick();
    const call = client.call(() => clock.sleep(10));
    client.pick().end('ignored');
    await clock.advance(10);
    await call;
    lease.end('success');
    client.pick().end('success');
    expect(inFlight).toEqual([0, 1, 2, 0]);
    await client.close();
  });

  it('has newcomers start with what its load makes of the others', async () => {
    const peers: number[][] = [];
    const load: Load = {
      name: 'seeding',
      of: ({ ewmaMs }) => ewmaMs,
      observe: (_state, elapsedMs) => elapsedMs,
      seed: (known) => {
        peers.push(known.map(({ ewmaMs }) => ewmaMs));
        return 70;
      },
    };
    const { client, clock, source } = await rig(['a'], { policy: p2c({ load }) });
    const lease = client.pick();
    await clock.advance(40);
    lease.end('success');
    source.set(specs('a', 'b'));
    await settle();
    const costs = client.explain().candidates.map(({ id, load: cost }) => [id, cost]);
    expect(costs).toEqual([
      ['a', 40],
      ['b', 70],
    ]);
    expect(peers).toEqual([[0], [40, 0]]);
    await client.close();
  });
});

describe('snapshot', () => {
  it('is plain JSON and true', async () => {
    const { client, clock, source } = await rig(['a*3', 'b*0']);
    const lease = client.pick();
    void client.call(() => clock.sleep(100));
    await clock.advance(5);
    lease.report({ qps: 10, utilization: 0.5 });
    await clock.advance(15);
    source.fail(new Error('gone'));
    await settle();
    const table = client.snapshot();
    expect(JSON.parse(JSON.stringify(table))).toEqual(
      JSON.parse(JSON.stringify(structuredClone(table))),
    );
    expect(table).toEqual({
      service: 'orders',
      status: 'listed',
      discovery: {
        service: 'orders',
        adapter: 'memory',
        state: 'stale',
        staleForMs: 0,
        cause: 'gone',
        ageMs: 20,
        restored: false,
        size: 2,
        holding: false,
        heldFor: undefined,
        lastFault: 'gone',
        details: {},
      },
      policy: 'adaptive',
      zone: undefined,
      panic: undefined,
      panicPicks: 0,
      rebuilds: 1,
      inFlight: 1,
      budget: { available: 100, reserve: 100 },
      hedgeDelayMs: undefined,
      limit: undefined,
      queued: 0,
      instances: [
        {
          id: 'a',
          url: 'http://a:80',
          weight: 3,
          capacity: 3,
          priority: 0,
          zone: undefined,
          health: 'unknown',
          role: undefined,
          membership: 'listed',
          attempts: 2,
          pending: 2,
          limit: undefined,
          ewmaMs: undefined,
          successRatio: 1,
          breaker: 'closed',
          held: false,
          report: { qps: 10, utilization: 0.5, errorsPerSecond: 0, ageMs: 15 },
        },
        {
          id: 'b',
          url: 'http://b:80',
          weight: 0,
          capacity: 0,
          priority: 0,
          zone: undefined,
          health: 'unknown',
          role: undefined,
          membership: 'draining',
          attempts: 0,
          pending: 0,
          limit: undefined,
          ewmaMs: undefined,
          successRatio: 1,
          breaker: 'closed',
          held: false,
          report: undefined,
        },
      ],
    });
    lease.end('ignored');
    await clock.advance(100);
    expect(client.snapshot().inFlight).toBe(0);
    await client.close();
  });

  it('says waiting before the first list', async () => {
    const { client } = clientOver(scripted(yielding()));
    await settle();
    expect(client.snapshot()).toMatchObject({
      status: 'waiting',
      discovery: { state: 'waiting', ageMs: undefined, lastFault: undefined },
      instances: [],
    });
    await client.close();
  });
});

describe('explain', () => {
  it('says so when nothing was picked yet', async () => {
    const { client } = await rig(['a', 'b']);
    expect(client.explain()).toMatchObject({
      picked: undefined,
      excluded: [],
      reason: 'nothing was picked yet',
    });
    await client.close();
  });

  it('is plain JSON and true: stages, candidates, loads, the pick', async () => {
    const { client } = await rig(['a*2', 'b', 'c', 'd*0'], {
      policy: 'p2c',
      breaker: { consecutiveFailures: 1 },
    });
    client.pick({ excluded: ['a', 'b'] }).end('failure'); // opens c
    const lease = client.pick({ excluded: ['b'] });
    const explained = client.explain();
    expect(JSON.parse(JSON.stringify(explained))).toEqual({
      policy: 'p2c',
      load: 'leastRequest',
      stages: [
        { name: 'listed', left: 4 },
        { name: 'draining', left: 3 },
        { name: 'available', left: 2 },
        { name: 'priority', left: 2 },
      ],
      parts: [{ name: '', ratio: 1, candidates: 2 }],
      picked: 'a',
      excluded: ['b'],
      candidates: [
        { id: 'a', part: '', weight: 2, capacity: 2, pending: 1, load: 1 },
        { id: 'b', part: '', weight: 1, capacity: 1, pending: 0, load: 1 },
      ],
      reason: 'p2c chose among 2 candidate(s), after 1 tried instance(s) were excluded',
    });
    lease.end('ignored');
    await client.close();
  });

  it('says why nothing was picked', async () => {
    const { client } = await rig(['a']);
    thrownBy(() => client.pick({ excluded: ['a'] }));
    expect(client.explain()).toMatchObject({
      picked: undefined,
      reason: 'every candidate had been tried',
    });
    await client.close();
    const empty = await rig([]);
    thrownBy(() => empty.client.pick());
    expect(empty.client.explain().reason).toBe('no candidate was left');
    await empty.client.close();
  });

  it('tells of panic', async () => {
    const { client } = await rig(['a'], {
      breaker: { consecutiveFailures: 1 },
      outlierDetection: false,
    });
    client.pick().end('failure');
    expect(client.explain().panic).toContain('0 of 1 instances available');
    await client.close();
  });

  it('moves no policy on: the next pick is the same with or without', async () => {
    const run = async (explaining: boolean): Promise<string[]> => {
      const { client } = await rig(['a*3', 'b', 'c*2'], { policy: 'weighted-round-robin' });
      const ids = Array.from({ length: 12 }, () => {
        if (explaining) client.explain();
        const lease = client.pick();
        lease.end('success');
        return lease.instance.id;
      });
      await client.close();
      return ids;
    };
    expect(await run(true)).toEqual(await run(false));
  });
});

describe('rebuilds', () => {
  it('happen on a change of the candidates, not on picks', async () => {
    const { client, source } = await rig(['a', 'b', 'c', 'd'], {
      breaker: { consecutiveFailures: 1 },
    });
    for (let i = 0; i < 20; i++) client.pick().end('success');
    expect(client.snapshot().rebuilds).toBe(1);
    source.set(specs('a', 'b', 'c', 'd', 'e'));
    await settle();
    client.pick().end('success');
    expect(client.snapshot().rebuilds).toBe(2);
    client.pick().end('failure');
    client.pick().end('success');
    expect(client.snapshot().rebuilds).toBe(3);
    await client.close();
  });

  it('do not happen when a breaker changes but the candidates stay the same', async () => {
    const { client } = await rig(['a'], {
      breaker: { consecutiveFailures: 1 },
      outlierDetection: false,
    });
    client.pick().end('failure');
    client.pick().end('ignored');
    expect(client.snapshot().panic).toContain('0 of 1');
    expect(client.snapshot().rebuilds).toBe(1);
    await client.close();
  });

  it('happen when an opening ends, at the next pick', async () => {
    const { client, clock } = await rig(['a', 'b'], { breaker: { consecutiveFailures: 1 } });
    client.pick({ excluded: ['b'] }).end('failure');
    client.pick().end('success');
    const { rebuilds } = client.snapshot();
    await clock.advance(1_000);
    client.pick().end('ignored');
    expect(client.snapshot().rebuilds).toBeGreaterThan(rebuilds);
    await client.close();
  });

  it('happen at the very millisecond at which the opening ends', async () => {
    const { client, clock } = await rig(['a', 'b'], { breaker: { consecutiveFailures: 1 } });
    let openMs = 0;
    client.on('breaker.opened', (event) => (openMs = event.openMs));
    client.pick({ excluded: ['b'] }).end('failure');
    client.pick().end('success');
    const { rebuilds } = client.snapshot();
    await clock.advance(openMs - 1);
    client.pick().end('ignored');
    expect(client.snapshot().rebuilds).toBe(rebuilds);
    await clock.advance(openMs - clock.now());
    client.pick().end('ignored');
    expect(client.snapshot().rebuilds).toBe(rebuilds + 1);
    await client.close();
  });

  it('happen as each of several openings ends, not when the last does', async () => {
    const { client, clock } = await rig(['a', 'b', 'c', 'd', 'e'], {
      breaker: { consecutiveFailures: 1 },
    });
    const openMs: number[] = [];
    client.on('breaker.opened', (event) => openMs.push(event.openMs));
    client.pick({ excluded: ['b', 'c', 'd', 'e'] }).end('failure');
    client.pick({ excluded: ['a', 'c', 'd', 'e'] }).end('failure');
    const [first = 0, second = 0] = openMs.sort((a, b) => a - b);
    expect(second).toBeGreaterThan(first);
    const left = (): number => client.explain().candidates.length;
    expect(left()).toBe(3);
    await clock.advance(first);
    expect(left()).toBe(4);
    await clock.advance(second - first);
    expect(left()).toBe(5);
    await client.close();
  });

  it("hand a user's policy its own picker before, and only live candidates", async () => {
    const built: { readonly ids: string[]; readonly previous: unknown }[] = [];
    const pickers: unknown[] = [];
    const policy: Policy = {
      name: 'first',
      build(candidates, _env, previous) {
        built.push({ ids: candidates.map(({ instance }) => instance.id), previous });
        const picker = {
          pick: ({ excluded }: { readonly excluded: ReadonlySet<string> }) =>
            candidates.find(({ instance }) => !excluded.has(instance.id)),
        };
        pickers.push(picker);
        return picker;
      },
    };
    const { client, source } = await rig(['a', 'b*0'], { policy });
    expect(client.pick().instance.id).toBe('a');
    source.set(specs('b', 'a'));
    await settle();
    client.pick();
    expect(built).toEqual([
      { ids: ['a'], previous: undefined },
      { ids: ['a', 'b'], previous: pickers[0] },
    ]);
    expect(client.snapshot().policy).toBe('first');
    await client.close();
  });
});

describe("a load's seed", () => {
  /** A policy that notes what its load's seed is asked, and what the records say when a picker is built. */
  function seeding(): { policy: Policy; asked: unknown[]; built: unknown[] } {
    const asked: unknown[] = [];
    const built: unknown[] = [];
    const load: Load = {
      name: 'seeding',
      of: () => 0,
      observe: (_state, elapsedMs) => elapsedMs,
      seed: (peers, nowMs) => {
        asked.push([peers.map(({ instance }) => instance.id).join(), nowMs]);
        return 70 + nowMs;
      },
    };
    const inner = p2c({ load });
    const policy: Policy = {
      ...inner,
      build(candidates, env, previous) {
        built.push(
          candidates.map(({ state }) => [state.instance.id, state.ewmaMs, state.ewmaAtMs]),
        );
        return inner.build(candidates, env, previous);
      },
    };
    return { policy, asked, built };
  }

  it('is what all never measured start with, asked of all at the time of the list', async () => {
    const { policy, asked, built } = seeding();
    const { client, clock, source } = await rig(['a', 'b'], { policy });
    await clock.advance(10);
    const first = client.pick({ excluded: ['b'] });
    await clock.advance(5);
    first.end('success');
    client.pick({ excluded: ['a'] }); // begun, and never measured
    source.set(specs('a', 'b', 'c'));
    await clock.advance(5);
    client.pick().end('ignored');
    expect(asked).toEqual([
      ['a,b', 10],
      ['a,b,c', 20],
    ]);
    expect(built).toEqual([
      [
        ['a', 80, 10],
        ['b', 80, 10],
      ],
      [
        ['a', 5, 15],
        ['b', 90, 20],
        ['c', 90, 20],
      ],
    ]);
    await client.close();
  });

  it('is not asked again for a change that leaves the same candidates', async () => {
    const { policy, asked } = seeding();
    const { client, source } = await rig(['a', 'b'], { policy });
    client.pick().end('ignored');
    source.set(specs('a', 'b', 'c*0'));
    await settle();
    client.pick().end('ignored');
    expect(asked).toHaveLength(1);
    await client.close();
  });
});

describe('a policy is told', () => {
  /** A policy that takes the first candidate left and notes what it is told of the call. */
  function noting(): { policy: Policy; told: CallContext[] } {
    const told: CallContext[] = [];
    const policy: Policy = {
      name: 'noting',
      build: (candidates) => ({
        pick({ nowMs, excluded, hashKey, inFlight, retry, passing }) {
          told.push({ nowMs, excluded, hashKey, inFlight, retry, passing });
          return candidates.find(({ instance }) => !excluded.has(instance.id));
        },
      }),
    };
    return { policy, told };
  }

  it('the attempts in flight everywhere, by pick and by call, and the key', async () => {
    const { policy, told } = noting();
    const { client, clock } = await rig(['a', 'b'], { policy });
    client.pick({ hashKey: 'k' });
    void client.call(() => clock.sleep(50), { hashKey: 'c' });
    await settle();
    client.pick({ excluded: ['a'] });
    await clock.advance(50);
    void client.call(() => 1);
    await settle();
    const none = new Set();
    expect(told).toEqual([
      { nowMs: 0, excluded: none, hashKey: 'k', inFlight: 0, retry: false, passing: false },
      { nowMs: 0, excluded: none, hashKey: 'c', inFlight: 1, retry: false, passing: false },
      {
        nowMs: 0,
        excluded: new Set(['a']),
        hashKey: undefined,
        inFlight: 2,
        retry: false,
        passing: false,
      },
      { nowMs: 50, excluded: none, hashKey: undefined, inFlight: 2, retry: false, passing: false },
    ]);
    await client.close();
  });

  it('of a retry what is so then: the time, the tried, and one less in flight', async () => {
    const { policy, told } = noting();
    const { client, clock } = await rig(['a', 'b'], { policy });
    client.pick();
    let sent = 0;
    const call = watched(
      client.call(
        async () => {
          await clock.sleep(30);
          if (++sent === 1) throw reset();
        },
        { idempotent: true, hashKey: 'k' },
      ),
    );
    await clock.advance(200);
    expect(call.status).toBe('resolved');
    expect(told.slice(1)).toEqual([
      { nowMs: 0, excluded: new Set(), hashKey: 'k', inFlight: 1, retry: false, passing: false },
      {
        nowMs: expect.any(Number) as number,
        excluded: new Set(['a']),
        hashKey: 'k',
        inFlight: 1,
        retry: true,
        passing: false,
      },
    ]);
    expect(told[2]?.nowMs).toBeGreaterThanOrEqual(30);
    await client.close();
  });

  it('of an attempt whose body is open that it is still in flight', async () => {
    const { policy, told } = noting();
    const { client } = await rig(['a'], { policy });
    const body = deferred<'success'>();
    await client.call((context) => context.hold(body.promise));
    await client.call(() => 1);
    expect(client.snapshot().inFlight).toBe(0);
    body.resolve('success');
    await settle();
    await client.call(() => 1);
    expect(told.map(({ inFlight }) => inFlight)).toEqual([0, 1, 0]);
    await client.close();
  });

  it('to avoid those on trial in a retry, and all else as it is', async () => {
    const { policy, told } = noting();
    const { client, clock } = await rig(['a', 'b', 'c'], {
      policy,
      breaker: { consecutiveFailures: 1 },
    });
    client.pick({ excluded: ['b', 'c'] }).end('failure');
    await clock.advance(1_000);
    client.pick({ excluded: ['b', 'c'] }).end('ignored'); // the trial says nothing: still half open
    expect(row(client, 'a').breaker).toBe('half-open');
    const b = client.pick({ excluded: ['a', 'c'] }); // `a` is what the policy takes first, so it fails `b`
    b.end('ignored');
    const tried: string[] = [];
    const call = client.call(
      ({ instance }) => {
        tried.push(instance.id);
        if (tried.length === 1) throw refused();
        return instance.id;
      },
      { hashKey: 'k' },
    );
    expect(await call).toBe('b');
    expect(tried).toEqual(['a', 'b']);
    const { excluded, ...rest } = told.at(-1) ?? { excluded: new Set<string>() };
    expect([...excluded]).toEqual(['a']);
    expect(rest).toEqual({ nowMs: 1_000, hashKey: 'k', inFlight: 0, retry: true, passing: false });
    await client.close();
  });

  it('of instances excluded by hand nothing more: those on trial get their trial', async () => {
    const { policy } = noting();
    const { client, clock } = await rig(['a', 'b', 'c'], {
      policy,
      breaker: { consecutiveFailures: 1 },
    });
    client.pick({ excluded: ['b', 'c'] }).end('failure');
    await clock.advance(1_000);
    const lease = client.pick({ excluded: ['b'] });
    expect(lease.instance.id).toBe('a');
    lease.end('success');
    expect(row(client, 'a').breaker).toBe('closed');
    await client.close();
  });
});

describe('events', () => {
  it('can be left again', async () => {
    const { client, source } = await rig(['a']);
    let heard = 0;
    const off = client.on('instances.changed', () => heard++);
    source.set(specs('a', 'b'));
    await settle();
    off();
    source.set(specs('a', 'b', 'c'));
    await settle();
    expect(heard).toBe(1);
    await client.close();
  });

  it('are published on diagnostics_channel', async () => {
    const published: unknown[] = [];
    const onMessage = (message: unknown): void => {
      published.push(message);
    };
    subscribe('fairlead:attempt.ended', onMessage);
    const { client } = await rig(['a']);
    try {
      await client.call(() => 1);
    } finally {
      unsubscribe('fairlead:attempt.ended', onMessage);
    }
    await client.call(() => 2);
    expect(published).toMatchObject([{ service: 'orders', attempt: 1, outcome: 'success' }]);
    await client.close();
  });
});

it('works on the real clock when no env is given', async () => {
  const source = memoryAdapter(specs('a'));
  const client = createClient({ service: 'orders', discovery: source });
  await client.ready();
  expect(await client.call(({ instance }) => instance.id)).toBe('a');
  await client.close();
});

it('a probe that never ends does not shut its instance out for ever', async () => {
  const { client, clock } = await rig(['a', 'b', 'c'], { breaker: { consecutiveFailures: 1 } });
  client.pick({ excluded: ['b', 'c'] }).end('failure');
  await clock.advance(1_000);
  const probe = client.pick({ excluded: ['b', 'c'] }); // a socket that lives for hours
  expect(probe.instance.id).toBe('a');
  await clock.advance(3_600_000);
  expect(() => client.pick({ excluded: ['b', 'c'] })).not.toThrow();
  await client.close();
});
