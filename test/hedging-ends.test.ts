import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { settle } from '../src/testing/manual-clock.js';
import type { Settled } from '../src/types.js';
import { bothUnderWay, expectNothingLeft, HEDGEABLE, hedging } from './hedging-rig.js';
import { expectCode, refused, reset } from './support/errors.js';
import { type Rig, row } from './support/fixtures.js';
import { collectUncaught, deferred, never, watched } from './support/promises.js';

describe('of a first attempt and its hedge', () => {
  it('the one that succeeds first is the call, and the other is aborted and blamed for nothing', async () => {
    const made = await hedging();
    const { call, first, hedge } = await bothUnderWay(made);
    hedge.resolve('of the hedge');
    await settle();
    expect(call.value).toBe('of the hedge');
    expect(first.signal.aborted).toBe(true);
    expect(first.signal.reason).toMatchObject({ name: 'AbortError' });
    expect(hedge.signal.aborted).toBe(false);
    first.reject(reset()); // as its socket is closed
    await settle();
    expect(made.ended).toMatchObject([
      { attempt: 2, kind: 'hedge', instanceId: 'b', durationMs: 20, outcome: 'success' },
      { attempt: 1, kind: 'first', durationMs: 30, outcome: 'ignored', ended: 'lost' },
    ]);
    expect(made.ended).toHaveLength(2);
    expect(row(made.client, 'a')).toMatchObject({ successRatio: 1, attempts: 1 });
    expectNothingLeft(made);
    await made.client.close();
  });

  it('the first can win, and then the hedge is the one to be aborted', async () => {
    const made = await hedging();
    const { call, first, hedge } = await bothUnderWay(made);
    first.resolve('of the first');
    await settle();
    expect(call.value).toBe('of the first');
    expect([first.signal.aborted, hedge.signal.aborted]).toEqual([false, true]);
    expect(made.ended).toMatchObject([
      { kind: 'first', ended: 'returned' },
      { kind: 'hedge', ended: 'lost', outcome: 'ignored', durationMs: 20 },
    ]);
    expectNothingLeft(made);
    await made.client.close();
  });

  it.each([['first'], ['hedge']] as const)(
    'when the %s fails the other is waited for',
    async (failing) => {
      const made = await hedging();
      const { call, ...pair } = await bothUnderWay(made);
      const other = failing === 'first' ? 'hedge' : 'first';
      pair[failing].reject(reset());
      await made.clock.advance(300);
      expect(call.status).toBe('pending');
      expect(pair[other].signal.aborted).toBe(false);
      pair[other].resolve('of the other');
      await settle();
      expect(call.value).toBe('of the other');
      expect(pair.sent).toHaveLength(2);
      expect(made.ended).toMatchObject([
        { kind: failing, outcome: 'failure', ended: 'threw' },
        { kind: other, outcome: 'success' },
      ]);
      expectNothingLeft(made);
      await made.client.close();
    },
  );

  it('when both fail the error is the last one, and tells of both', async () => {
    const made = await hedging(['a', 'b'], { retry: { maxAttempts: 2 } });
    const { call, first, hedge } = await bothUnderWay(made);
    hedge.reject(reset());
    await settle();
    const last = refused();
    first.reject(last);
    await made.clock.advance(300);
    expect(call.error).toBe(last);
    expect(last).toMatchObject({
      fairlead: { attempts: [{ kind: 'first' }, { kind: 'hedge' }] }, // as they were sent
    });
    expectNothingLeft(made);
    await made.client.close();
  });

  it('when both fail and an attempt is left, it goes to a third instance', async () => {
    const made = await hedging(['a', 'b', 'c'], { retry: { maxAttempts: 3 } });
    const { call, first, hedge, sent } = await bothUnderWay(made);
    first.reject(reset());
    await made.clock.advance(300);
    expect(sent).toHaveLength(2); // while the hedge is under way nothing is retried
    hedge.reject(reset());
    await made.clock.advance(300);
    expect(sent[2]?.context).toMatchObject({ attempt: 3, instance: { id: 'c' } });
    sent[2]?.resolve('of the retry');
    await settle();
    expect(call.value).toBe('of the retry');
    expect(made.ended.map(({ kind }) => kind)).toEqual(['first', 'hedge', 'retry']);
    expectNothingLeft(made);
    await made.client.close();
  });

  it.each([
    ['a status of an HTTP client', { response: { status: 404, headers: new Headers() } }],
    ['an error that is judged to be a success', { isDomainError: true }],
  ])('%s ends the call, for another attempt would not change it', async (_what, properties) => {
    const made = await hedging(['a', 'b'], {
      classify: (settled) =>
        !settled.ok && Object.hasOwn(settled.error as Error, 'isDomainError')
          ? { outcome: 'success', retry: 'never' }
          : undefined,
    });
    const notFound = Object.assign(new Error('not found'), properties);
    const { call, first, hedge } = await bothUnderWay(made);
    hedge.reject(notFound);
    await settle();
    expect(call.error).toBe(notFound);
    expect(first.signal.aborted).toBe(true);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('an error of this side is no answer: the hedge found no socket, the first attempt has one', async () => {
    const made = await hedging();
    const { call, first, hedge } = await bothUnderWay(made);
    hedge.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    await settle();
    expect(call.status).toBe('pending');
    first.resolve('of the first');
    await settle();
    expect(call.value).toBe('of the first');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('a first attempt that times out leaves the call to its hedge', async () => {
    const made = await hedging(['a', 'b'], { attemptTimeoutMs: 50 });
    const { call, first, hedge } = await bothUnderWay(made);
    await made.clock.advance(20);
    expect(first.signal.aborted).toBe(true);
    expect(call.status).toBe('pending');
    hedge.resolve('of the hedge');
    await settle();
    expect(call.value).toBe('of the hedge');
    expect(made.ended).toMatchObject([
      { kind: 'first', ended: 'timed-out', outcome: 'failure', durationMs: 50 },
      { kind: 'hedge', outcome: 'success' },
    ]);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('both end at the deadline', async () => {
    const made = await hedging(['a', 'b'], { timeoutMs: 100, retry: { maxAttempts: 2 } });
    const { call, first, hedge } = await bothUnderWay(made);
    await made.clock.advance(69.9);
    expect(call.status).toBe('pending');
    await made.clock.advance(0.1);
    expectCode(call.error, 'ERR_FAIRLEAD_DEADLINE_EXCEEDED');
    expect([first.signal.aborted, hedge.signal.aborted]).toEqual([true, true]);
    expect(made.ended.map(({ kind, ended }) => [kind, ended])).toEqual([
      ['first', 'timed-out'], // its share: half of the time
      ['hedge', 'deadline'],
    ]);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('both end when the caller cancels', async () => {
    const made = await hedging();
    const controller = new AbortController();
    const { call, first, hedge } = await bothUnderWay(made, { signal: controller.signal });
    const reason = new Error('not wanted any more');
    controller.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    expect([first.signal.reason, hedge.signal.reason]).toEqual([reason, reason]);
    expect(made.ended).toMatchObject([
      { kind: 'first', ended: 'cancelled', outcome: 'ignored' },
      { kind: 'hedge', ended: 'cancelled', outcome: 'ignored' },
    ]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    expectNothingLeft(made);
    await made.client.close();
  });
});

describe('what is not used', () => {
  /** A response whose body tells whether it was cancelled. */
  function response(status = 200): Response & { readonly isCancelled: () => boolean } {
    let cancelled = false;
    const body = new ReadableStream({
      cancel: () => {
        cancelled = true;
      },
    });
    return Object.assign(new Response(body, { status }), { isCancelled: () => cancelled });
  }

  it('is freed when both succeed in one tick', async () => {
    const made = await hedging();
    const { call, first, hedge } = await bothUnderWay(made);
    const [ofFirst, ofHedge] = [response(), response()];
    hedge.resolve(ofHedge);
    first.resolve(ofFirst);
    await settle();
    expect(call.value).toBe(ofHedge);
    expect(ofHedge.isCancelled()).toBe(false);
    expect(ofFirst.isCancelled()).toBe(true);
    expect(made.ended.map(({ ended }) => ended)).toEqual(['returned', 'returned']);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('a failure and a success in one tick are a success, in either order', async () => {
    for (const failing of ['first', 'hedge'] as const) {
      const made = await hedging();
      const { call, ...pair } = await bothUnderWay(made);
      const [bad, good] = [response(503), response()];
      const other = failing === 'first' ? 'hedge' : 'first';
      pair[failing].resolve(bad);
      pair[other].resolve(good);
      await settle();
      expect(call.value).toBe(good);
      expect([bad.isCancelled(), good.isCancelled()]).toEqual([true, false]);
      expectNothingLeft(made);
      await made.client.close();
    }
  });

  it('is freed when one that failed is followed by the other, and the last one is handed over', async () => {
    const made = await hedging(['a', 'b'], { retry: { maxAttempts: 2 } });
    const { call, first, hedge } = await bothUnderWay(made);
    const [ofFirst, ofHedge] = [response(503), response(500)];
    first.resolve(ofFirst);
    await settle();
    expect(ofFirst.isCancelled()).toBe(true);
    hedge.resolve(ofHedge);
    await settle();
    expect(call.value).toBe(ofHedge);
    expect(ofHedge.isCancelled()).toBe(false);
    await made.client.close();
  });

  it('is freed when the loser answers though it was aborted', async () => {
    const made = await hedging();
    const freed: Settled[] = [];
    const discard = (settled: Settled): void => {
      freed.push(settled);
    };
    const { call, first, hedge } = await bothUnderWay(made, { discard });
    hedge.resolve('of the hedge');
    await settle();
    expect(call.value).toBe('of the hedge');
    expect(freed).toEqual([]);
    first.resolve('too late');
    await settle();
    expect(freed).toEqual([{ ok: true, value: 'too late' }]);
    await made.client.close();
  });
});

describe('functions of unusual manners', () => {
  /** What a call of two attempts ends with. */
  async function play(
    first: () => unknown,
    hedge: () => unknown,
  ): Promise<{ readonly call: ReturnType<typeof watched<unknown>>; readonly made: Rig }> {
    const made = await hedging();
    let attempts = 0;
    const call = watched(made.client.call(() => (++attempts === 1 ? first : hedge)(), HEDGEABLE));
    await made.clock.advance(10);
    return { call, made };
  }

  it('a hedge that returns at once wins', async () => {
    const { call, made } = await play(never, () => 'at once');
    expect(call.value).toBe('at once');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('a hedge that throws at once does not end the call', async () => {
    const first = deferred<string>();
    const { call, made } = await play(
      () => first.promise,
      () => {
        throw reset();
      },
    );
    expect(call.status).toBe('pending');
    first.resolve('of the first');
    await settle();
    expect(call.value).toBe('of the first');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('a first attempt that throws at once is retried, and not hedged', async () => {
    const { call, made } = await play(
      () => {
        throw refused();
      },
      () => 'of the retry',
    );
    expect(call.value).toBe('of the retry');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('a hedge during which the caller cancels ends with the call', async () => {
    const made = await hedging();
    const controller = new AbortController();
    let attempts = 0;
    const uncaught = await collectUncaught(async () => {
      const call = watched(
        made.client.call(
          () => {
            if (++attempts === 2) controller.abort(new Error('while it was sent'));
            return never();
          },
          { ...HEDGEABLE, signal: controller.signal },
        ),
      );
      await made.clock.advance(10);
      expect(call.error).toBe(controller.signal.reason);
    });
    expect(uncaught).toEqual([]);
    expect(attempts).toBe(2);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('a loser that never settles holds nothing', async () => {
    const made = await hedging();
    const { call, hedge } = await bothUnderWay(made);
    hedge.resolve('of the hedge');
    await settle();
    expect(call.status).toBe('resolved');
    await made.client.close(); // waits for what is in flight
    expectNothingLeft(made);
  });
});

describe('an end that is not to be retried', () => {
  const notFound = new Error('no such order');

  it("is the call's at once where the application's own judgement says so", async () => {
    const made = await hedging(['a', 'b', 'c'], { retry: { maxAttempts: 3 } });
    const { call, first, sent } = await bothUnderWay(made, {
      classify: () => ({ outcome: 'ignored', retry: 'never' }),
    });
    first.reject(notFound);
    await settle();
    expect(call.error).toBe(notFound);
    expect(sent).toHaveLength(2);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('but no answer, as where no socket was left, is the call’s when the other comes to nothing', async () => {
    const made = await hedging(['a', 'b', 'c'], { retry: { maxAttempts: 3 } });
    const { call, first, hedge, sent } = await bothUnderWay(made);
    const noSocket = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    first.reject(noSocket);
    await settle();
    expect(call.status).toBe('pending');
    hedge.reject(reset());
    await made.clock.advance(500);
    expect(call.error).toBe(noSocket);
    expect(sent, 'nothing is made again after that').toHaveLength(2);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('gives way to the caller who cancels: the reason is the last word', async () => {
    const made = await hedging();
    const stop = new AbortController();
    const { call, hedge } = await bothUnderWay(made, { signal: stop.signal });
    hedge.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    await settle();
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(call.error).toBe(reason);
    expectNothingLeft(made);
    await made.client.close();
  });
});
