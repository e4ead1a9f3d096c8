import { EventEmitter, getEventListeners, getMaxListeners, setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { abortable, allowManyListeners } from '../src/abortable.js';
import { settle } from '../src/testing/manual-clock.js';
import { rig } from './support/fixtures.js';
import { collectUncaught, deferred, never, watched } from './support/promises.js';

describe('a promise that can be given up', () => {
  it('ends as it would have, and leaves no listener', async () => {
    const stop = new AbortController();
    expect(await abortable(Promise.resolve(5), stop.signal)).toBe(5);
    await expect(abortable(Promise.reject(new Error('no')), stop.signal)).rejects.toThrow('no');
    await settle();
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    expect(await abortable(Promise.resolve(6), undefined)).toBe(6);
  });

  it('rejects with the reason, before or while it is waited for; its own end is then nobody’s', async () => {
    const uncaught = await collectUncaught(async () => {
      const reason = new Error('enough');
      await expect(abortable(never(), AbortSignal.abort(reason))).rejects.toBe(reason);
      const stop = new AbortController();
      const late = deferred<never>();
      const given = watched(abortable(late.promise, stop.signal));
      stop.abort(reason);
      await settle();
      expect(given.error).toBe(reason);
      late.reject(new Error('too late'));
      await settle();
    });
    expect(uncaught).toEqual([]);
  });
});

it('closing can be given up waiting for, and goes on', async () => {
  const { client } = await rig(['a']);
  const answer = deferred<string>();
  const call = watched(client.call(() => answer.promise));
  await settle();
  const stop = new AbortController();
  const closing = watched(client.close({ signal: stop.signal }));
  const reason = new Error('no more time');
  stop.abort(reason);
  await settle();
  expect([closing.status, closing.error]).toEqual(['rejected', reason]);
  await expect(client.call(() => 1)).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
  answer.resolve('late');
  await client.close();
  expect(call.value).toBe('late');
});

describe('one signal for many calls', () => {
  it('is no leak to warn of', async () => {
    const warned: Error[] = [];
    const onWarning = (warning: Error): void => void warned.push(warning);
    process.on('warning', onWarning);
    const { client } = await rig(['a']);
    const stop = new AbortController();
    const answer = deferred<string>();
    const calls = Array.from({ length: 50 }, () =>
      watched(client.call(() => answer.promise, { signal: stop.signal })),
    );
    await settle();
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(50);
    answer.resolve('all');
    await settle();
    expect(calls.every(({ value }) => value === 'all')).toBe(true);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    process.off('warning', onWarning);
    expect(warned).toEqual([]);
    await client.close();
  });

  it('may be one that warns of nothing, or no EventTarget at all', async () => {
    const { client } = await rig(['a']);
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    expect(await client.call(() => 'well', { signal })).toBe('well');
    expect(await client.call(() => 'well', { signal: AbortSignal.timeout(60_000) })).toBe('well');
    const polyfill = {
      aborted: false,
      addEventListener: () => undefined,
      removeEventListener: () => undefined,
    } as unknown as AbortSignal;
    expect(await client.call(() => 'well', { signal: polyfill })).toBe('well');
    await client.close();
  });

  // As node-abort-controller has it: over an EventEmitter, which takes functions alone.
  it.each(['completes', 'is cancelled in flight', 'was cancelled before'])(
    'may be that of a polyfill over an EventEmitter: a call that %s',
    async (how) => {
      const { client } = await rig(['a']);
      const emitter = new EventEmitter();
      const abort = { aborted: how === 'was cancelled before', reason: new Error('enough') };
      const signal = Object.assign(abort, {
        addEventListener: (name: string, fn: () => void) => emitter.on(name, fn),
        removeEventListener: (name: string, fn: () => void) => emitter.off(name, fn),
      }) as unknown as AbortSignal;
      const answer = deferred<string>();
      const call = watched(client.call(() => answer.promise, { signal }));
      await settle();
      if (how === 'completes') answer.resolve('well');
      else if (!abort.aborted) {
        abort.aborted = true;
        emitter.emit('abort');
      }
      await settle();
      if (how === 'completes') expect(call.value).toBe('well');
      else expect(call.error).toBe(abort.reason);
      expect(emitter.listenerCount('abort')).toBe(0);
      expect(client.snapshot().inFlight).toBe(0);
      await client.close();
    },
  );

  it('keeps the bound that the application has set', () => {
    const { signal } = new AbortController();
    setMaxListeners(3, signal);
    allowManyListeners(signal);
    expect(getMaxListeners(signal)).toBe(3);
  });
});
