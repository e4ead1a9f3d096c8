import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { settle } from '../src/testing/manual-clock.js';
import type { Outcome, Settled } from '../src/types.js';
import { reset } from './support/errors.js';
import { rig, row } from './support/fixtures.js';
import { collectUncaught, deferred, watched } from './support/promises.js';

/** A response that notes whether its body was cancelled. */
function response(status: number): {
  readonly response: Response;
  readonly cancelled: () => boolean;
} {
  let cancelled = false;
  const body = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  return { response: new Response(body, { status }), cancelled: () => cancelled };
}

describe('hold', () => {
  it('keeps the attempt in flight after the function has returned, past every time limit', async () => {
    const { client, clock } = await rig(['a'], { timeoutMs: 100 });
    const body = deferred<Outcome>();
    let signal: AbortSignal | undefined;
    const call = client.call(async (context) => {
      signal = context.signal;
      context.hold(body.promise);
      await clock.sleep(20);
      return 'headers';
    });
    await clock.advance(20);
    expect(await call).toBe('headers');
    await clock.advance(5_000);
    expect(row(client, 'a')).toMatchObject({ pending: 1, ewmaMs: 20 });
    expect(signal?.aborted).toBe(false);
    body.resolve('success');
    await settle();
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 1, ewmaMs: 20 });
    expect(clock.pendingTimers).toBe(0);
    await client.close();
  });

  it('can be destructured, as everything else of the context', async () => {
    const { client } = await rig(['a']);
    await client.call(({ hold }) => {
      hold(Promise.resolve('success'));
    });
    await settle();
    expect(row(client, 'a').pending).toBe(0);
    await client.close();
  });

  it('takes what is no outcome for a failure', async () => {
    const { client } = await rig(['a']);
    await client.call(({ hold }) => {
      hold(Promise.resolve('done') as unknown as Promise<Outcome>);
    });
    await settle();
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 0.9 });
    await client.close();
  });

  it.each([
    ['failure', 0.9],
    ['overload', 0.9],
    ['ignored', 1],
  ] as const)('ends with the outcome it resolves to: %s', async (outcome, ratio) => {
    const { client } = await rig(['a']);
    await client.call((context) => context.hold(Promise.resolve(outcome)));
    await settle();
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: ratio });
    await client.close();
  });

  it('blames the instance when it rejects', async () => {
    const { client } = await rig(['a']);
    const uncaught = await collectUncaught(async () => {
      await client.call((context) => context.hold(Promise.reject(reset())));
      await settle();
    });
    expect(uncaught).toEqual([]);
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 0.9 });
    await client.close();
  });

  it('is cancelled by the caller, who blames nobody, and leaves no listener', async () => {
    const { client } = await rig(['a']);
    const stop = new AbortController();
    const body = deferred<Outcome>();
    let signal: AbortSignal | undefined;
    await client.call(
      (context) => {
        signal = context.signal;
        context.signal.addEventListener('abort', () => body.reject(new Error('cut off')));
        context.hold(body.promise);
      },
      { signal: stop.signal },
    );
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(signal?.reason).toBe(reason);
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 1 });
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
    await client.close();
  });

  it('means nothing when the attempt fails, and leaves nothing unhandled', async () => {
    const { client } = await rig(['a']);
    const uncaught = await collectUncaught(async () => {
      const call = watched(
        client.call((context) => {
          context.hold(Promise.reject(new Error('body')));
          throw reset();
        }),
      );
      await settle();
      expect(call.status).toBe('rejected');
    });
    expect(uncaught).toEqual([]);
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 0.9 });
    await client.close();
  });

  it('frees the instance at once when the attempt fails, whatever becomes of the body', async () => {
    const { client } = await rig(['a']);
    const body = deferred<Outcome>();
    const call = watched(
      client.call((context) => {
        context.hold(body.promise);
        throw reset();
      }),
    );
    await settle();
    expect(call.status).toBe('rejected');
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 0.9 });
    body.resolve('success');
    await settle();
    expect(row(client, 'a')).toMatchObject({ pending: 0, successRatio: 0.9 });
    await client.close();
  });

  it('means nothing when the attempt has timed out', async () => {
    const { client, clock } = await rig(['a'], { timeoutMs: 50 });
    const uncaught = await collectUncaught(async () => {
      const call = watched(
        client.call(async (context) => {
          await clock.sleep(60);
          context.hold(Promise.reject(new Error('body')));
        }),
      );
      await clock.advance(100);
      expect(call.status).toBe('rejected');
    });
    expect(uncaught).toEqual([]);
    expect(row(client, 'a').pending).toBe(0);
    await client.close();
  });
});

describe('what nobody will read is discarded', () => {
  it('the body of a response that is retried, not of the one returned', async () => {
    const { client, clock } = await rig(['a', 'b'], { retry: { maxAttempts: 2 } });
    const [first, second] = [response(503), response(503)];
    let sent = 0;
    const call = client.call(() => (++sent === 1 ? first : second).response, { idempotent: true });
    await clock.advance(100);
    expect(await call).toBe(second.response);
    expect(first.cancelled()).toBe(true);
    expect(second.cancelled()).toBe(false);
    await client.close();
  });

  it('the body of a response that comes too late', async () => {
    const { client, clock } = await rig(['a'], { timeoutMs: 50 });
    const late = response(200);
    const call = watched(client.call(() => clock.sleep(60).then(() => late.response)));
    await clock.advance(100);
    expect(call.status).toBe('rejected');
    expect(late.cancelled()).toBe(true);
    await client.close();
  });

  it('not the response of a call that is given up', async () => {
    const { client } = await rig(['a']);
    const only = response(503);
    expect(await client.call(() => only.response)).toBe(only.response);
    expect(only.cancelled()).toBe(false);
    await client.close();
  });

  it("by the call's own discard, whose errors do no harm", async () => {
    const { client, clock } = await rig(['a', 'b']);
    const discarded: Settled[] = [];
    let sent = 0;
    const error = reset();
    const call = client.call(
      () => {
        if (++sent === 1) throw error;
        return 'ok';
      },
      {
        idempotent: true,
        discard: (settled) => {
          discarded.push(settled);
          throw new Error('cannot be freed');
        },
      },
    );
    await clock.advance(100);
    expect(await call).toBe('ok');
    expect(discarded).toEqual([{ ok: false, error }]);
    await client.close();
  });

  it('which leaves a locked body alone', async () => {
    const { client, clock } = await rig(['a', 'b']);
    const first = response(503);
    first.response.body?.getReader();
    let sent = 0;
    const uncaught = await collectUncaught(async () => {
      const call = watched(
        client.call(() => (++sent === 1 ? first.response : 'ok'), { idempotent: true }),
      );
      await clock.advance(100);
      expect(call.value).toBe('ok');
    });
    expect(uncaught).toEqual([]);
    await client.close();
  });
});

it('a caller that cancels has the response that comes later discarded', async () => {
  const { client } = await rig(['a']);
  const stop = new AbortController();
  const late = deferred<Response>();
  const call = watched(client.call(() => late.promise, { signal: stop.signal }));
  await settle();
  stop.abort(new Error('enough'));
  const made = response(200);
  late.resolve(made.response);
  await settle();
  expect(call.status).toBe('rejected');
  expect(made.cancelled()).toBe(true);
  await client.close();
});
