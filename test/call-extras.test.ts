import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { CallOptions } from '../src/call-options.js';
import { attemptsOf, type FairleadError } from '../src/errors.js';
import { settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import type { AttemptRecord } from '../src/types.js';
import { expectInvalidOption, refused, reset } from './support/errors.js';
import { clientOver, rig, row } from './support/fixtures.js';
import { collectUncaught, deferred, never, watched } from './support/promises.js';

const IDEMPOTENT = { idempotent: true };

describe('fallback', () => {
  it('is what the call resolves with instead of failing', async () => {
    const { client } = await rig(['a']);
    const fail = (): never => {
      throw reset();
    };
    expect(await client.call(fail, { fallback: 'stale' })).toBe('stale');
    expect(await client.call(fail, { fallback: null })).toBeNull();
    expect(await client.call(fail, { fallback: 0 })).toBe(0);
    expect(row(client, 'a').successRatio, 'and the instance is blamed as ever').toBeLessThan(0.9);
    await client.close();
  });

  it.each([
    ['returns', () => 'made'],
    ['resolves to', () => Promise.resolve('made')],
  ])('that is a function is given the error, and is what it %s', async (_how, make) => {
    const { client } = await rig(['a']);
    const error = reset();
    const fallback = vi.fn<(error: unknown) => string | Promise<string>>(make);
    const call = client.call(() => Promise.reject(error), { fallback });
    expect(await call).toBe('made');
    expect(fallback.mock.calls).toEqual([[error]]);
    expect(attemptsOf(fallback.mock.calls[0]?.[0])).toHaveLength(1);
    await client.close();
  });

  it.each([
    [
      'throws',
      (error: Error) => () => {
        throw error;
      },
    ],
    ['rejects', (error: Error) => () => Promise.reject(error)],
  ])('that %s fails the call with that error', async (_how, make) => {
    const { client } = await rig(['a']);
    const worse = new Error('no stale copy either');
    const call = client.call(() => Promise.reject(reset()), { fallback: make(worse) });
    await expect(call).rejects.toBe(worse);
    await client.close();
  });

  it('may be given as undefined, and is none then', async () => {
    const { client } = await rig(['a']);
    const error = reset();
    const call = client.call(() => Promise.reject(error), { fallback: undefined });
    await expect(call).rejects.toBe(error);
    await client.close();
  });

  it('may give undefined', async () => {
    const { client } = await rig(['a']);
    const call = client.call(() => Promise.reject(reset()), { fallback: () => undefined });
    expect(await call).toBeUndefined();
    await client.close();
  });

  it('is left alone by a call that succeeds, and by a reply whatever its status', async () => {
    const { client } = await rig(['a']);
    const fallback = vi.fn();
    const reply = new Response(null, { status: 503 });
    expect(await client.call(() => 'ok', { fallback })).toBe('ok');
    expect(await client.call(() => reply, { fallback })).toBe(reply);
    expect(fallback).not.toHaveBeenCalled();
    await client.close();
  });

  it('comes after the retries', async () => {
    const { client, clock } = await rig(['a', 'b']);
    const fn = vi.fn(() => Promise.reject(reset()));
    const call = watched(client.call(fn, { idempotent: true, fallback: 'stale' }));
    await settle();
    expect(call.status).toBe('pending');
    await clock.advance(25 + 50);
    expect(call.value).toBe('stale');
    expect(fn).toHaveBeenCalledTimes(3);
    await client.close();
  });

  it('is used past the deadline, and may take its time', async () => {
    const { client, clock } = await rig(['a'], { timeoutMs: 100 });
    const call = watched(
      client.call(never, { fallback: () => clock.sleep(500).then(() => 'old') }),
    );
    await clock.advance(599);
    expect(call.status).toBe('pending');
    await clock.advance(1);
    expect(call.value).toBe('old');
    await client.close();
  });

  it('is not used by a caller who cancels', async () => {
    const { client } = await rig(['a']);
    const fallback = vi.fn();
    const reason = new Error('enough');
    const stop = new AbortController();
    const call = watched(client.call(never, { signal: stop.signal, fallback }));
    await settle();
    stop.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    const late = client.call(() => 'never sent', { signal: stop.signal, fallback });
    await expect(late).rejects.toBe(reason);
    expect(fallback).not.toHaveBeenCalled();
    await client.close();
  });

  it('is not waited for by a caller who cancels meanwhile', async () => {
    const { client } = await rig(['a']);
    const reason = new Error('enough');
    const stop = new AbortController();
    const slow = deferred<string>();
    const call = watched(
      client.call(() => Promise.reject(reset()), {
        signal: stop.signal,
        fallback: () => slow.promise,
      }),
    );
    await settle();
    stop.abort(reason);
    await settle();
    expect(call).toMatchObject({ status: 'rejected', error: reason });
    const uncaught = await collectUncaught(async () => {
      slow.reject(new Error('too late'));
      await settle();
    });
    expect(uncaught).toEqual([]);
    await client.close();
  });

  it('is used by a client that is closed', async () => {
    const { client } = await rig(['a']);
    await client.close();
    const fallback = vi.fn((error: unknown) => (error as FairleadError).code);
    expect(await client.call(() => 'never sent', { fallback })).toBe('ERR_FAIRLEAD_CLOSED');
  });

  it('is used where no instance takes calls', async () => {
    const { client } = await rig([]);
    const call = client.call(() => 'never sent', {
      fallback: (error) => (error as FairleadError).code,
    });
    expect(await call).toBe('ERR_FAIRLEAD_NO_INSTANCES');
    await client.close();
  });

  it('is used where the first list does not come in time', async () => {
    const { client, clock } = clientOver(memoryAdapter(), { timeoutMs: 100 });
    const call = watched(client.call(() => 'never sent', { fallback: 'stale' }));
    await clock.advance(100);
    expect(call.value).toBe('stale');
    await client.close();
  });

  it('is used by a call that finds the queue full', async () => {
    const { client } = await rig(['a'], { maxConcurrency: { client: 1, queueSize: 0 } });
    const body = deferred<string>();
    const first = client.call(() => body.promise);
    const second = client.call(() => 'never sent', {
      fallback: (error) => (error as FairleadError).code,
    });
    expect(await second).toBe('ERR_FAIRLEAD_CONCURRENCY_LIMIT');
    body.resolve('ok');
    expect(await first).toBe('ok');
    await client.close();
  });

  it('is not what a mistake in the options ends with', async () => {
    const { client } = await rig(['a']);
    const call = watched(client.call(() => 'ok', { timeoutMs: -1, fallback: 'stale' }));
    await settle();
    expectInvalidOption(call.error, 'call.timeoutMs', -1);
    await client.close();
  });

  it('has its type in that of the call', async () => {
    const { client } = await rig(['a']);
    const text = (): string => 'ok';
    expectTypeOf(client.call(text)).toEqualTypeOf<Promise<string>>();
    expectTypeOf(client.call(text, IDEMPOTENT)).toEqualTypeOf<Promise<string>>();
    expectTypeOf(client.call(text, { fallback: 5 })).toEqualTypeOf<Promise<string | number>>();
    expectTypeOf(client.call(text, { fallback: null })).toEqualTypeOf<Promise<string | null>>();
    expectTypeOf(client.call(text, { fallback: () => 5 })).toEqualTypeOf<
      Promise<string | number>
    >();
    expectTypeOf(client.call(text, { fallback: async () => Promise.resolve(5) })).toEqualTypeOf<
      Promise<string | number>
    >();
    await client.close();
  });
});

describe('onAttempt', () => {
  it('is told of each attempt in order, before the call settles', async () => {
    const { client, clock } = await rig(['a', 'b', 'c'], { retry: { maxAttempts: 3 } });
    const log: unknown[] = [];
    const plays: (() => unknown)[] = [
      () => Promise.reject(reset()),
      () => clock.sleep(40).then(() => new Response(null, { status: 503 })),
      () => 'ok',
    ];
    let sent = 0;
    const call = client.call(() => plays[sent++]?.(), {
      ...IDEMPOTENT,
      onAttempt: ({ attempt, kind, outcome, ended, error, durationMs }) => {
        log.push([attempt, kind, outcome, ended, error, durationMs]);
      },
    });
    void call.then((value) => log.push(value));
    await clock.advance(200);
    expect(log).toEqual([
      [1, 'first', 'failure', 'threw', 'ECONNRESET', 0],
      [2, 'retry', 'failure', 'returned', 'HTTP 503', 40],
      [3, 'retry', 'success', 'returned', undefined, 0],
      'ok',
    ]);
    await client.close();
  });

  it('has the records that the event and the final error have', async () => {
    const { client, clock } = await rig(['a', 'b']);
    const told: AttemptRecord[] = [];
    const heard: AttemptRecord[] = [];
    client.on('attempt.ended', ({ service, ...record }) => {
      expect(service).toBe('orders');
      heard.push(record);
    });
    const call = watched(
      client.call(() => Promise.reject(reset()), {
        ...IDEMPOTENT,
        onAttempt: (record) => told.push(record),
      }),
    );
    await clock.advance(100);
    expect(told).toHaveLength(3);
    expect(heard).toEqual(told);
    expect(attemptsOf(call.error)).toEqual(told);
    await client.close();
  });

  it('that throws is surfaced as uncaught, and does not break the call', async () => {
    const { client, clock } = await rig(['a', 'b']);
    const bug = new Error('in the hook');
    let sent = 0;
    const uncaught = await collectUncaught(async () => {
      const call = watched(
        client.call(() => (++sent === 1 ? Promise.reject(refused()) : 'ok'), {
          onAttempt: () => {
            throw bug;
          },
        }),
      );
      await settle();
      expect(call.value).toBe('ok');
    });
    expect(uncaught).toEqual([bug, bug]);
    expect(client.snapshot().instances.map(({ pending }) => pending)).toEqual([0, 0]);
    expect(clock.pendingTimers).toBe(0);
    await client.close();
  });

  it('is of its call alone', async () => {
    const { client } = await rig(['a']);
    const onAttempt = vi.fn();
    await client.call(() => 'ok');
    await client.call(() => 'ok', { onAttempt });
    await client.call(() => 'ok');
    expect(onAttempt).toHaveBeenCalledTimes(1);
    await client.close();
  });

  it('must be a function', async () => {
    const { client } = await rig(['a']);
    const options = { onAttempt: 'log' } as unknown as CallOptions;
    const call = watched(client.call(() => 'ok', options));
    await settle();
    expectInvalidOption(call.error, 'call.onAttempt', 'log');
    await client.close();
  });
});
