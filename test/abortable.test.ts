import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { abortable } from '../src/abortable.js';
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
