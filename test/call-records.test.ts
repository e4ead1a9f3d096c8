import { describe, expect, it, vi } from 'vitest';
import type { CallOptions } from '../src/call-options.js';
import { attemptsOf, storyOf } from '../src/errors.js';
import { settle } from '../src/testing/manual-clock.js';
import type { AttemptRecord } from '../src/types.js';
import { expectCode, refused, reset } from './support/errors.js';
import { rig } from './support/fixtures.js';
import { never, watched } from './support/promises.js';

const IDEMPOTENT = { idempotent: true };
/** No retry is allowed, whatever succeeds. */
const NO_BUDGET = { ratio: 0, minPerSecond: 0 };

describe('the record of an attempt', () => {
  /** What is told of the attempts of one idempotent call, `forMs` after its beginning. */
  async function recorded(
    options: Parameters<typeof rig>[1],
    play: (attempt: number, clock: { sleep(ms: number): Promise<void> }) => unknown,
    forMs: number,
    call: CallOptions = {},
  ): Promise<Partial<AttemptRecord>[]> {
    const { client, clock } = await rig(['a', 'b'], options);
    const told: AttemptRecord[] = [];
    const outcome = watched(
      client.call(({ attempt }) => play(attempt, clock), {
        ...IDEMPOTENT,
        onAttempt: (record) => told.push(record),
        ...call,
      }),
    );
    await clock.advance(forMs);
    expect(outcome.status).not.toBe('pending');
    await client.close();
    return told;
  }

  it('says that its function returned', async () => {
    expect(await recorded({}, (_n, clock) => clock.sleep(7), 10)).toMatchObject([
      { kind: 'first', ended: 'returned', outcome: 'success', durationMs: 7 },
    ]);
  });

  it('says that its function threw', async () => {
    const records = await recorded({ retry: false }, () => Promise.reject(new Error('bug')), 0);
    expect(records).toMatchObject([{ ended: 'threw', outcome: 'failure', error: 'bug' }]);
  });

  it('says that it reached its own limit, and another that of the call', async () => {
    const records = await recorded({ attemptTimeoutMs: 300, timeoutMs: 500 }, never, 500);
    expect(records).toMatchObject([
      {
        kind: 'first',
        ended: 'timed-out',
        outcome: 'failure',
        durationMs: 300,
        error: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT',
      },
      { kind: 'retry', ended: 'deadline', error: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' },
    ]);
  });

  it('says that the caller cancelled', async () => {
    const stop = new AbortController();
    const records = await recorded(
      {},
      (_n, clock) => {
        void clock.sleep(30).then(() => stop.abort(new Error('enough')));
        return never();
      },
      30,
      { signal: stop.signal },
    );
    expect(records).toMatchObject([
      { ended: 'cancelled', outcome: 'ignored', durationMs: 30, error: 'enough' },
    ]);
  });

  it('says that another was done first', async () => {
    const records = await recorded(
      { hedge: { delayMs: 20, maxRatio: 1 } },
      (attempt, clock) => (attempt === 1 ? never() : clock.sleep(5)),
      25,
    );
    expect(records).toHaveLength(2);
    expect(records).toContainEqual(
      expect.objectContaining({
        attempt: 1,
        kind: 'first',
        ended: 'lost',
        outcome: 'ignored',
        durationMs: 25,
      }),
    );
    expect(records).toContainEqual(
      expect.objectContaining({
        attempt: 2,
        kind: 'hedge',
        ended: 'returned',
        outcome: 'success',
        durationMs: 5,
      }),
    );
  });
});

describe('attempts of the final error', () => {
  it('are complete, with their durations and what became of each', async () => {
    const { client, clock } = await rig(['a', 'b', 'c'], {
      retry: { maxAttempts: 3 },
      attemptTimeoutMs: 100,
    });
    const error = reset();
    const plays = [
      () => clock.sleep(30).then(() => Promise.reject(refused())),
      never,
      () => clock.sleep(70).then(() => Promise.reject(error)),
    ];
    const ids: string[] = [];
    const call = watched(
      client.call(({ instance }) => plays[ids.push(instance.id) - 1]?.(), IDEMPOTENT),
    );
    await clock.advance(1_000);
    expect(call.error).toBe(error);
    expect(attemptsOf(call.error)).toEqual([
      {
        attempt: 1,
        kind: 'first',
        instanceId: ids[0],
        durationMs: 30,
        outcome: 'failure',
        ended: 'threw',
        error: 'ECONNREFUSED',
      },
      {
        attempt: 2,
        kind: 'retry',
        instanceId: ids[1],
        durationMs: 100,
        outcome: 'failure',
        ended: 'timed-out',
        error: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT',
      },
      {
        attempt: 3,
        kind: 'retry',
        instanceId: ids[2],
        durationMs: expect.closeTo(70, 6) as number,
        outcome: 'failure',
        ended: 'threw',
        error: 'ECONNRESET',
      },
    ]);
    await client.close();
  });

  it('are all there of a time limit too, that of the last attempt included', async () => {
    const { client, clock } = await rig(['a', 'b'], { attemptTimeoutMs: 200, timeoutMs: 300 });
    const call = watched(client.call(never, IDEMPOTENT));
    await clock.advance(300);
    expectCode(call.error, 'ERR_FAIRLEAD_DEADLINE_EXCEEDED');
    expect(attemptsOf(call.error).map(({ ended }) => ended)).toEqual(['timed-out', 'deadline']);
    await client.close();
  });

  it('are not told by an error that is frozen, nor by what is no error', async () => {
    const { client } = await rig(['a']);
    for (const odd of [Object.freeze(new Error('frozen')), 'a text', undefined, { code: 1 }]) {
      const call = watched(
        client.call(() => {
          throw odd;
        }),
      );
      await settle();
      expect(call).toMatchObject({ status: 'rejected', error: odd });
      expect(attemptsOf(call.error)).toEqual([]);
    }
    await client.close();
  });

  it('are those of the outer call, where one call is made in another', async () => {
    const { client: inner } = await rig(['x']);
    const { client: outer } = await rig(['a']);
    const error = reset();
    const call = watched(outer.call(() => inner.call(() => Promise.reject(error))));
    await settle();
    expect(call.error).toBe(error);
    expect(attemptsOf(error).map(({ instanceId }) => instanceId)).toEqual(['a']);
    await inner.close();
    await outer.close();
  });
});

describe('a retry that the budget refuses', () => {
  it('leaves the error at hand, at once and untouched but for its story', async () => {
    const { client, clock } = await rig(['a', 'b'], { retry: { budget: NO_BUDGET } });
    const events: unknown[] = [];
    client.on('retry.refused', (event) => events.push(event));
    const error = reset();
    const fn = vi.fn(() => Promise.reject(error));
    const call = watched(client.call(fn, IDEMPOTENT));
    await settle(); // no time has to pass
    expect(call.error).toBe(error);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(clock.pendingTimers).toBe(0);
    expect(storyOf(error)).toMatchObject({
      budgetExhausted: true,
      attempts: [{ attempt: 1, error: 'ECONNRESET' }],
    });
    expect(error).toMatchObject({ fairlead: { budgetExhausted: true } });
    expect(Object.keys(error), 'what is logged of it does not change').not.toContain('fairlead');
    expect(events).toEqual([{ service: 'orders', attempts: 1 }]);
    await client.close();
  });

  it('is noted on an error of ours too', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      retry: { budget: NO_BUDGET },
      attemptTimeoutMs: 50,
    });
    const call = watched(client.call(never, IDEMPOTENT));
    await clock.advance(50);
    expectCode(call.error, 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT');
    expect(call.error).toMatchObject({ budgetExhausted: true });
    expect(storyOf(call.error)).toMatchObject({
      budgetExhausted: true,
      attempts: [{ attempt: 1 }],
    });
    await client.close();
  });

  it('leaves a reply as it is, its body to be read', async () => {
    const { client } = await rig(['a', 'b'], { retry: { budget: NO_BUDGET } });
    const refusals = vi.fn();
    client.on('retry.refused', refusals);
    const reply = new Response('try later', { status: 503 });
    expect(await client.call(() => reply, IDEMPOTENT)).toBe(reply);
    expect(await reply.text()).toBe('try later');
    expect(refusals).toHaveBeenCalledTimes(1);
    await client.close();
  });

  it('is no matter where none would have been made', async () => {
    const { client, clock } = await rig(['a', 'b'], { retry: { budget: NO_BUDGET } });
    const refusals = vi.fn();
    client.on('retry.refused', refusals);
    const failing = (): Promise<never> => Promise.reject(reset());
    const calls = [
      watched(client.call(failing)), // not idempotent
      watched(client.call(failing, { idempotent: true, replayable: false })),
      watched(client.call(() => Promise.reject(new TypeError('slip')), IDEMPOTENT)),
      watched(client.call(never, { ...IDEMPOTENT, timeoutMs: 10, attemptTimeoutMs: 10 })),
    ];
    await clock.advance(10);
    for (const { error } of calls) {
      expect(error).toBeInstanceOf(Error);
      expect(storyOf(error).budgetExhausted).toBe(false);
    }
    expect(refusals).not.toHaveBeenCalled();
    await client.close();
  });

  it('may be the second, and then leaves the second error', async () => {
    const { client, clock } = await rig(['a', 'b', 'c'], {
      retry: { maxAttempts: 3, budget: { ratio: 0, minPerSecond: 0.1, windowMs: 10_000 } },
    });
    const refusals: unknown[] = [];
    client.on('retry.refused', ({ attempts }) => refusals.push(attempts));
    const errors = [reset(), reset(), reset()];
    let sent = 0;
    const call = watched(client.call(() => Promise.reject(errors[sent++]), IDEMPOTENT));
    await clock.advance(1_000);
    expect(call.error).toBe(errors[1]);
    expect(storyOf(errors[1])).toMatchObject({
      budgetExhausted: true,
      attempts: [{ attempt: 1 }, { attempt: 2 }],
    });
    expect(refusals).toEqual([2]);
    await client.close();
  });

  it('goes to the fallback with its story', async () => {
    const { client } = await rig(['a', 'b'], { retry: { budget: NO_BUDGET } });
    const call = client.call(() => Promise.reject(reset()), {
      ...IDEMPOTENT,
      fallback: (error) => storyOf(error).budgetExhausted,
    });
    expect(await call).toBe(true);
    await client.close();
  });

  it('is made up for by calls that succeed, as many as the ratio says', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      breaker: false,
      retry: { maxAttempts: 2, budget: { ratio: 0.2, minPerSecond: 0 } },
    });
    for (let i = 0; i < 5; i++) await client.call(() => 'ok');
    expect(client.snapshot().budget).toEqual({
      available: expect.closeTo(1, 9) as number,
      reserve: 0,
    });
    const sent: number[] = [];
    for (let i = 0; i < 2; i++) {
      let attempts = 0;
      const call = watched(
        client.call(() => {
          attempts++;
          return Promise.reject(reset());
        }, IDEMPOTENT),
      );
      await clock.advance(100);
      expect(storyOf(call.error).budgetExhausted).toBe(i === 1);
      sent.push(attempts);
    }
    expect(sent).toEqual([2, 1]);
    await client.close();
  });

  it('is never where the budget is turned off', async () => {
    const { client, clock } = await rig(['a', 'b'], { breaker: false, retry: { budget: false } });
    expect(client.snapshot().budget).toBeUndefined();
    const refusals = vi.fn();
    client.on('retry.refused', refusals);
    let sent = 0;
    for (let i = 0; i < 200; i++) {
      void watched(client.call(() => Promise.reject((sent++, reset())), IDEMPOTENT));
    }
    await clock.advance(1_000);
    expect(sent).toBe(600);
    expect(refusals).not.toHaveBeenCalled();
    await client.close();
  });
});
