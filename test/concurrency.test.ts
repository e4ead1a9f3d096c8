import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { AttemptContext } from '../src/attempt-context.js';
import type { Client } from '../src/client.js';
import type { FairleadError } from '../src/errors.js';
import { type ManualClock, settle } from '../src/testing/manual-clock.js';
import { refused, reset } from './support/errors.js';
import { rig, row, specs } from './support/fixtures.js';
import {
  type Deferred,
  deferred,
  never,
  thrownBy,
  type Watched,
  watched,
} from './support/promises.js';

const LIMIT = 'ERR_FAIRLEAD_CONCURRENCY_LIMIT';
const DEADLINE = 'ERR_FAIRLEAD_DEADLINE_EXCEEDED';

function codeOf({ error }: Watched<unknown>): string | undefined {
  return (error as FairleadError | undefined)?.code;
}

function statusOf(calls: readonly Watched<unknown>[]): string[] {
  return calls.map(({ status }) => status);
}

/** A function whose attempts are answered by the test, in the order they are sent. */
function server(): {
  readonly sent: { readonly id: string; readonly body: Deferred<string> }[];
  readonly fn: (context: AttemptContext) => Promise<string>;
  answer(which: number): Promise<void>;
} {
  const sent: { readonly id: string; readonly body: Deferred<string> }[] = [];
  return {
    sent,
    fn: ({ instance }) => {
      const body = deferred<string>();
      sent.push({ id: instance.id, body });
      return body.promise;
    },
    async answer(which) {
      sent[which]?.body.resolve('ok');
      await settle();
    },
  };
}

describe('a limit on the calls of a client', () => {
  it('is held: the others wait, and have their turn in the order they came', async () => {
    const { client } = await rig(['a', 'b'], { maxConcurrency: { client: 2 } });
    const { sent, fn, answer } = server();
    const order: string[] = [];
    const calls = ['1', '2', '3', '4'].map((name) =>
      watched(
        client.call((context) => {
          order.push(name);
          return fn(context);
        }),
      ),
    );
    await settle();
    expect(order).toEqual(['1', '2']);
    expect(client.snapshot()).toMatchObject({ limit: 2, queued: 2, inFlight: 4 });
    await answer(1);
    expect(order).toEqual(['1', '2', '3']);
    await answer(0);
    await answer(2);
    await answer(3);
    expect(order).toEqual(['1', '2', '3', '4']);
    expect(statusOf(calls)).toEqual(Array(4).fill('resolved'));
    expect(client.snapshot()).toMatchObject({ limit: 2, queued: 0, inFlight: 0 });
    expect(sent).toHaveLength(4);
    await client.close();
  });

  it('is kept through the pauses between attempts', async () => {
    const { client, clock } = await rig(['a'], { maxConcurrency: { client: 1 } });
    let attempts = 0;
    const first = watched(
      client.call(
        () => {
          if (++attempts === 1) throw reset();
          return 'ok';
        },
        { idempotent: true },
      ),
    );
    const fn = vi.fn(() => 'ok');
    const second = watched(client.call(fn));
    await settle();
    expect([attempts, fn.mock.calls.length]).toEqual([1, 0]);
    await clock.advance(25);
    expect(statusOf([first, second])).toEqual(['resolved', 'resolved']);
    await client.close();
  });

  it('turns away whom the queue has no place for: at once, with nothing sent and nobody blamed', async () => {
    const { client } = await rig(['a'], {
      maxConcurrency: { client: 1, queueSize: 1 },
      breaker: { consecutiveFailures: 1 },
    });
    const { sent, fn, answer } = server();
    const rejected: unknown[] = [];
    const attempts: unknown[] = [];
    client.on('call.rejected', (event) => rejected.push(event));
    client.on('attempt.ended', (event) => attempts.push(event));
    const [first, second] = [watched(client.call(fn)), watched(client.call(fn))];
    await settle();
    const before = row(client, 'a');
    const third = watched(client.call(fn, { onAttempt: () => attempts.push('own') }));
    await settle();
    expect(codeOf(third)).toBe(LIMIT);
    expect((third.error as FairleadError).message).toContain('"orders"');
    expect((third.error as FairleadError).attempts).toEqual([]);
    expect(rejected).toEqual([{ service: 'orders', queued: 1 }]);
    expect(attempts).toEqual([]);
    expect(sent).toHaveLength(1);
    expect(row(client, 'a')).toEqual(before);
    await answer(0);
    await answer(1);
    expect(statusOf([first, second])).toEqual(['resolved', 'resolved']);
    await client.close();
  });

  it('lets a call use its fallback instead', async () => {
    const { client } = await rig(['a'], { maxConcurrency: { client: 1, queueSize: 0 } });
    const { fn, answer } = server();
    const first = watched(client.call(fn));
    const fallback = vi.fn(() => 'from the cache');
    expect(await client.call(fn, { fallback })).toBe('from the cache');
    expect(fallback).toHaveBeenCalledWith(expect.objectContaining({ code: LIMIT }));
    await answer(0);
    expect(first.status).toBe('resolved');
    await client.close();
  });

  it('is waited for no longer than the deadline, the caller and the client last', async () => {
    const { client, clock } = await rig(['a'], { maxConcurrency: { client: 1 } });
    const { sent, fn } = server();
    const first = watched(client.call(fn, { timeoutMs: 60_000 }));
    await settle();
    const timers = clock.pendingTimers;
    const stop = new AbortController();
    const late = watched(client.call(fn, { timeoutMs: 100 }));
    const cancelled = watched(client.call(fn, { signal: stop.signal }));
    const closed = watched(client.call(fn));
    await clock.advance(99);
    expect(statusOf([late, cancelled, closed])).toEqual(Array(3).fill('pending'));
    await clock.advance(1);
    expect(codeOf(late)).toBe(DEADLINE);
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(cancelled.error).toBe(reason);
    expect(client.snapshot().queued).toBe(1);
    const closing = client.close();
    await settle();
    expect(codeOf(closed)).toBe('ERR_FAIRLEAD_CLOSED');
    expect([sent.length, clock.pendingTimers]).toEqual([1, timers]);
    sent[0]?.body.resolve('ok');
    await closing;
    expect([first.status, clock.pendingTimers]).toEqual(['resolved', 0]);
  });

  it('loses no turn to a call that is cancelled the moment it has it', async () => {
    const { client } = await rig(['a'], { maxConcurrency: { client: 1 } });
    const { sent, fn, answer } = server();
    const stop = new AbortController();
    const first = watched(client.call(fn));
    const second = watched(client.call(fn, { signal: stop.signal }));
    await settle();
    sent[0]?.body.resolve('ok');
    for (let step = 0; step < 8 && client.snapshot().queued > 0; step++) await Promise.resolve();
    expect(client.snapshot().queued).toBe(0); // the second has its turn, and has not begun
    stop.abort();
    await settle();
    expect([first.status, second.status, sent.length]).toEqual(['resolved', 'rejected', 1]);
    const third = watched(client.call(fn));
    await settle();
    await answer(1);
    expect(third.status).toBe('resolved');
    await client.close();
  });

  it('takes a call whose deadline is short before one that waited till it is too late for it', async () => {
    const { client, clock } = await rig(['a'], { maxConcurrency: { client: 1 } });
    const { fn, answer } = server();
    watched(client.call(fn, { timeoutMs: 60_000 }));
    const early = watched(client.call(() => 'early', { timeoutMs: 100 }));
    await clock.advance(60);
    const fresh = watched(client.call(fn, { timeoutMs: 100 }));
    await clock.advance(10);
    await answer(0);
    await clock.advance(20);
    expect([early.status, fresh.status]).toEqual(['pending', 'pending']); // the fresh one has been sent
    await answer(1);
    expect(statusOf([early, fresh])).toEqual(['resolved', 'resolved']);
    await client.close();
  });
});

describe('a limit on the attempts at each instance', () => {
  it('spreads them over the others, then has them wait', async () => {
    const { client } = await rig(['a', 'b', 'c'], {
      policy: 'round-robin',
      maxConcurrency: { perInstance: 2 },
    });
    const { sent, fn, answer } = server();
    const calls = Array.from({ length: 8 }, () => watched(client.call(fn)));
    await settle();
    expect(sent.map(({ id }) => id).sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    expect(client.snapshot().queued).toBe(2);
    expect(row(client, 'a')).toMatchObject({ limit: 2, pending: 2 });
    await answer(3);
    expect(sent[6]?.id).toBe(sent[3]?.id);
    await answer(0);
    expect(sent[7]?.id).toBe(sent[0]?.id);
    for (let i = 0; i < 8; i++) await answer(i);
    expect(statusOf(calls)).toEqual(Array(8).fill('resolved'));
    await client.close();
  });

  it.each(['adaptive', 'p2c', 'weighted-round-robin', 'maglev', 'sticky', 'random'] as const)(
    'holds under %s, keys or not',
    async (policy) => {
      const { client } = await rig(['a', 'b*5'], { policy, maxConcurrency: { perInstance: 1 } });
      const { sent, fn, answer } = server();
      const calls = Array.from({ length: 4 }, () => watched(client.call(fn, { hashKey: 'k' })));
      await settle();
      expect(sent.map(({ id }) => id).sort()).toEqual(['a', 'b']);
      for (let i = 0; i < 4; i++) await answer(i);
      expect(statusOf(calls)).toEqual(Array(4).fill('resolved'));
      await client.close();
    },
  );

  it('serves those who wait in the order they came', async () => {
    const { client } = await rig(['a'], { maxConcurrency: { perInstance: 1 } });
    const { fn, answer } = server();
    const order: number[] = [];
    for (let i = 0; i < 4; i++) {
      void client.call((context) => {
        order.push(i);
        return fn(context);
      });
    }
    await settle();
    for (let i = 0; i < 4; i++) await answer(i);
    expect(order).toEqual([0, 1, 2, 3]);
    await client.close();
  });

  it('counts what pick gives; with everything full, pick says so', async () => {
    const { client } = await rig(['a', 'b'], { maxConcurrency: { perInstance: 1 } });
    const leases = [client.pick(), client.pick()];
    expect(leases.map(({ instance }) => instance.id).sort()).toEqual(['a', 'b']);
    expect((thrownBy(() => client.pick()) as FairleadError).code).toBe(LIMIT);
    const excluded = ['a', 'b'];
    expect((thrownBy(() => client.pick({ excluded })) as FairleadError).code).not.toBe(LIMIT);
    const call = watched(client.call(({ instance }) => instance.id));
    await settle();
    expect(call.status).toBe('pending');
    leases[1]?.end('success');
    await settle();
    expect(call.value).toBe(leases[1]?.instance.id);
    leases[0]?.end('success');
    await client.close();
  });

  it('turns away a call at once, but never the attempt of one that has room', async () => {
    const { client } = await rig(['a', 'b'], { maxConcurrency: { perInstance: 1, queueSize: 0 } });
    const rejected = vi.fn();
    client.on('call.rejected', rejected);
    const held = client.pick();
    expect(await client.call(({ instance }) => instance.id)).not.toBe(held.instance.id);
    const other = client.pick();
    const call = watched(client.call(() => 'never sent'));
    await settle();
    expect(codeOf(call)).toBe(LIMIT);
    expect(rejected).toHaveBeenCalledTimes(1);
    held.end('ignored');
    other.end('ignored');
    await client.close();
  });

  it('makes a retry wait for the instance that it has not tried', async () => {
    const { client, clock } = await rig(['a', 'b'], { maxConcurrency: { perInstance: 1 } });
    const held = client.pick();
    const sent: string[] = [];
    const call = watched(
      client.call(({ instance }) => {
        sent.push(instance.id);
        if (sent.length === 1) throw refused();
        return 'ok';
      }),
    );
    await clock.advance(50);
    expect(sent).toHaveLength(1);
    held.end('success');
    await settle();
    expect([call.value, sent[1]]).toEqual(['ok', held.instance.id]);
    await client.close();
  });

  it('tells with the error of a retry that finds no place to wait what went before', async () => {
    const { client } = await rig(['a', 'b'], { maxConcurrency: { perInstance: 1, queueSize: 0 } });
    const held = client.pick();
    const error = refused();
    const call = watched(client.call(() => Promise.reject(error)));
    await settle();
    expect(codeOf(call)).toBe(LIMIT);
    expect((call.error as Error).cause).toBe(error);
    expect((call.error as FairleadError).attempts).toHaveLength(1);
    held.end('success');
    await client.close();
  });

  it('is waited for no longer than the deadline, the caller and the client last', async () => {
    const { client, clock } = await rig(['a'], { maxConcurrency: { perInstance: 1 } });
    const held = client.pick();
    const before = row(client, 'a');
    const stop = new AbortController();
    const fn = vi.fn(() => 'never sent');
    const late = watched(client.call(fn, { timeoutMs: 100 }));
    const cancelled = watched(client.call(fn, { signal: stop.signal }));
    const closed = watched(client.call(fn));
    await clock.advance(100);
    expect(codeOf(late)).toBe(DEADLINE);
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(cancelled.error).toBe(reason);
    expect(client.snapshot().queued).toBe(1);
    expect(row(client, 'a')).toEqual(before);
    const closing = client.close();
    await settle();
    expect(codeOf(closed)).toBe('ERR_FAIRLEAD_CLOSED');
    held.end('success');
    await closing;
    expect(fn).not.toHaveBeenCalled();
    expect(clock.pendingTimers).toBe(0);
  });

  it('blames and leaks nothing when a call is cancelled the moment it has room', async () => {
    const { client } = await rig(['a'], { maxConcurrency: { perInstance: 1 } });
    const held = client.pick();
    const stop = new AbortController();
    const fn = vi.fn(() => 'never sent');
    const call = watched(client.call(fn, { signal: stop.signal }));
    await settle();
    held.end('success'); // the call has its lease now, and has not begun
    stop.abort();
    await settle();
    expect([call.status, fn.mock.calls.length]).toEqual(['rejected', 0]);
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 1 });
    expect(await client.call(() => 'ok')).toBe('ok');
    await client.close();
  });

  it('shares a signal among calls: none has what another gives up', async () => {
    const { client } = await rig(['a'], { maxConcurrency: { perInstance: 1 } });
    const stop = new AbortController();
    const { signal } = stop;
    const fn = vi.fn(never);
    const calls = [1, 2, 3].map(() => watched(client.call(fn, { signal })));
    await settle();
    stop.abort();
    await settle();
    expect(statusOf(calls)).toEqual(Array(3).fill('rejected'));
    expect(fn).toHaveBeenCalledTimes(1);
    expect(row(client, 'a').pending).toBe(0);
    await client.close();
  });
});

describe('those who wait for an instance', () => {
  const LIMITED = { maxConcurrency: { perInstance: 1 }, shrinkGraceMs: 0 };

  it('go to one that has joined', async () => {
    const { client, source } = await rig(['a'], LIMITED);
    const held = client.pick();
    const call = watched(client.call(({ instance }) => instance.id));
    await settle();
    source.set(specs('a', 'b'));
    await settle();
    expect(call.value).toBe('b');
    held.end('success');
    await client.close();
  });

  it('fail when all have gone', async () => {
    const { client, source, clock } = await rig(['a'], LIMITED);
    const held = client.pick();
    const call = watched(client.call(() => 'never sent'));
    await settle();
    source.set([]);
    await clock.advance(0);
    expect(codeOf(call)).toBe('ERR_FAIRLEAD_NO_INSTANCES');
    held.end('success');
    await client.close();
  });

  it('go to one of the same id at another address, however much the old one has in flight', async () => {
    const { client, source } = await rig(['a'], LIMITED);
    const held = client.pick();
    const call = watched(client.call(({ instance }) => instance.port));
    await settle();
    source.set([{ id: 'a', host: 'a', port: 81 }]);
    await settle();
    expect(call.value).toBe(81);
    held.end('success');
    await client.close();
  });

  it('go to one that a health check finds well again', async () => {
    const health = new Map([
      ['a', true],
      ['b', false],
    ]);
    const { client, clock } = await rig(['a', 'b'], {
      ...LIMITED,
      panicRatio: 0,
      healthCheck: {
        check: ({ instance }) => health.get(instance.id) === true,
        intervalMs: 1_000,
        healthyThreshold: 1,
        unhealthyThreshold: 1,
      },
    });
    await clock.advance(2_000);
    const held = client.pick();
    expect(held.instance.id).toBe('a');
    const call = watched(client.call(({ instance }) => instance.id, { timeoutMs: 60_000 }));
    await settle();
    expect(call.status).toBe('pending');
    health.set('b', true);
    await clock.advance(3_000);
    expect(call.value).toBe('b');
    held.end('ignored');
    await client.close();
  });

  it('go to another when the breaker of the one they wait for opens', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      ...LIMITED,
      breaker: { consecutiveFailures: 1, openMs: 1_000 },
      outlierDetection: false,
      panicRatio: 0,
    });
    const open = client.pick();
    open.end('failure'); // out
    const held = client.pick();
    expect(held.instance.id).not.toBe(open.instance.id);
    const call = watched(client.call(({ instance }) => instance.id, { timeoutMs: 60_000 }));
    await clock.advance(500);
    expect(call.status).toBe('pending');
    held.end('failure'); // so is the other: the call has nobody left to wait for
    await clock.advance(0);
    expect(call.status).not.toBe('pending');
    await client.close();
  });
});

describe('an adaptive limit', () => {
  /** So many calls under way for 10 s, each of which takes 50 ms however many they are. */
  async function crowd(client: Client, clock: ManualClock, count: number): Promise<void> {
    const calls: Promise<unknown>[] = [];
    for (let atMs = 0; atMs < 10_000; atMs += 10) {
      while (client.snapshot().inFlight < count) {
        calls.push(client.call(() => clock.sleep(50), { timeoutMs: 60_000 }));
      }
      await clock.advance(10);
    }
    await clock.advance(10_000);
    await Promise.all(calls);
  }

  it('of each instance is shown, and grows while latency does not', async () => {
    const { client, clock } = await rig(['a'], {
      maxConcurrency: { perInstance: { initial: 3, max: 12 } },
    });
    expect(row(client, 'a').limit).toBe(3);
    await crowd(client, clock, 30);
    expect(row(client, 'a').limit).toBe(12);
    expect(client.snapshot().limit).toBeUndefined();
    await client.close();
  });

  it('of the client is shown, learns from the attempts, and grows while their latency does not', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      maxConcurrency: { client: { initial: 4, max: 12 }, perInstance: 20 },
    });
    expect(client.snapshot()).toMatchObject({ limit: 4, queued: 0 });
    await crowd(client, clock, 30);
    expect(client.snapshot().limit).toBe(12);
    await client.close();
  });

  it('learns of an answer when it comes, not when what follows it ends', async () => {
    const { client, clock } = await rig(['a'], {
      maxConcurrency: { perInstance: { initial: 40, max: 50 } },
    });
    const ends: Deferred<'success'>[] = [];
    for (let i = 0; i < 30; i++) {
      await clock.advance(20);
      const end = deferred<'success'>();
      ends.push(end);
      await client.call(({ hold }) => {
        hold(end.promise); // a stream, for hours
      });
    }
    expect(row(client, 'a')).toMatchObject({ pending: 30 });
    expect(row(client, 'a').limit).toBeGreaterThan(40);
    for (const end of ends) end.resolve('success');
    await settle();
    expect(row(client, 'a').pending).toBe(0);
    await client.close();
  });
});

const load = fc.record({
  limits: fc.record(
    { client: fc.integer({ min: 1, max: 4 }), perInstance: fc.integer({ min: 1, max: 3 }) },
    { requiredKeys: [] },
  ),
  queueSize: fc.integer({ min: 0, max: 6 }),
  calls: fc.array(
    fc.record({
      atMs: fc.nat(300),
      takesMs: fc.nat(100),
      play: fc.constantFrom('ok', 'ok', 'ok', 'reset', 'hang'),
      timeoutMs: fc.integer({ min: 1, max: 400 }),
      abortAfterMs: fc.option(fc.nat(200), { nil: undefined }),
      idempotent: fc.boolean(),
    }),
    { minLength: 1, maxLength: 25 },
  ),
  lists: fc.array(fc.record({ atMs: fc.nat(300), names: fc.subarray(['a', 'b', 'c']) }), {
    maxLength: 3,
  }),
});

it('whatever happens, the limits are held, every call settles in time and no place is lost', async () => {
  await fc.assert(
    fc.asyncProperty(load, async ({ limits, queueSize, calls, lists }) => {
      const { client, clock, source } = await rig(['a', 'b'], {
        maxConcurrency: { ...limits, queueSize },
        shrinkGraceMs: 0,
        retry: { maxAttempts: 3 },
        breaker: { consecutiveFailures: 3 },
      });
      const running = new Map<number, number>();
      const check = (): void => {
        const snapshot = client.snapshot();
        const { client: most = Infinity, perInstance = Infinity } = limits;
        expect(running.size).toBeLessThanOrEqual(most);
        // A queue before the client's calls, and one before the instances.
        expect(snapshot.queued).toBeLessThanOrEqual(2 * queueSize);
        for (const { pending } of snapshot.instances) {
          expect(pending).toBeLessThanOrEqual(perInstance);
        }
      };
      const outcomes = calls.map((call, index) => ({
        call,
        index,
        watch: undefined as Watched<unknown> | undefined,
      }));
      for (const outcome of outcomes) {
        const { call, index } = outcome;
        clock.setTimer(call.atMs, () => {
          const stop = new AbortController();
          if (call.abortAfterMs !== undefined) {
            clock.setTimer(call.abortAfterMs, () => {
              stop.abort();
            });
          }
          const { idempotent, timeoutMs } = call;
          const promise = client.call(
            async () => {
              running.set(index, (running.get(index) ?? 0) + 1);
              check();
              if (call.play === 'hang') return never();
              await clock.sleep(call.takesMs);
              if (call.play === 'reset') throw reset();
              return 'ok';
            },
            { idempotent, timeoutMs, signal: stop.signal },
          );
          outcome.watch = watched(promise.finally(() => running.delete(index)));
        });
      }
      for (const { atMs, names } of lists) {
        clock.setTimer(atMs, () => {
          source.set(specs(...names));
        });
      }
      for (let atMs = 0; atMs <= 800; atMs += 50) {
        await clock.advance(50);
        check();
      }
      for (const { watch } of outcomes) expect(watch?.status).not.toBe('pending');
      expect(client.snapshot()).toMatchObject({ queued: 0, inFlight: 0 });
      // Of the instances with breakers open, or gone, none is sure to be left but one.
      await expectUsable(client, Math.min(limits.client ?? 1, limits.perInstance ?? Infinity));
      await client.close();
      await clock.advance(60_000);
    }),
    { numRuns: 150, seed: 5 },
  );
});

/** So many calls are let in at once, if any instance is left. */
async function expectUsable(client: Client, count: number): Promise<void> {
  const { instances } = client.snapshot();
  if (!instances.some(({ membership }) => membership === 'listed')) return;
  const bodies: Deferred<string>[] = [];
  const calls = Array.from({ length: count }, () =>
    watched(
      client.call(() => {
        const body = deferred<string>();
        bodies.push(body);
        return body.promise;
      }),
    ),
  );
  await settle();
  expect(client.snapshot().queued).toBe(0);
  expect(bodies).toHaveLength(count);
  for (const body of bodies) body.resolve('ok');
  await settle();
  expect(statusOf(calls)).toEqual(Array(count).fill('resolved'));
}
