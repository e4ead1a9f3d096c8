/** Time limits of attempts, where timers are late or meet. */
import { describe, expect, it } from 'vitest';
import { createClient } from '../src/client.js';
import { backgroundClock } from '../src/env.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { Clock, Timer } from '../src/types.js';
import { reset } from './support/errors.js';
import { inOrder } from './support/in-order.js';
import { rig, row, specs } from './support/fixtures.js';
import { never, watched } from './support/promises.js';

/** A clock whose process is busy: `jump` moves time on, and no timer runs before the next `advance`. */
function busyClock(): { clock: Clock; manual: ManualClock; jump(ms: number): void } {
  const manual = new ManualClock();
  let aheadMs = 0;
  const clock: Clock = {
    now: () => manual.now() + aheadMs,
    setTimer: (ms, fn): Timer => manual.setTimer(Math.max(0, ms - aheadMs), fn),
    sleep: (ms, signal) => backgroundClock(manual).sleep(ms, signal),
  };
  return {
    clock,
    manual,
    jump: (ms) => {
      aheadMs += ms;
    },
  };
}

describe('a limit that a busy process notices late', () => {
  it('leaves the answer that was there in time another turn to be read', async () => {
    const { clock, manual, jump } = busyClock();
    const client = createClient({
      service: 'orders',
      discovery: memoryAdapter(specs('a', 'b')),
      attemptTimeoutMs: 200,
      env: { clock, rng: seededRng(1) },
    });
    await settle();
    let answer: (value: string) => void = () => undefined;
    const calls = Array.from({ length: 10 }, () =>
      watched(
        client.call(
          () =>
            new Promise<string>((resolve) => {
              const others = answer;
              answer = (value) => {
                others(value);
                resolve(value);
              };
            }),
          { idempotent: true },
        ),
      ),
    );
    await settle();
    jump(300); // all that time nothing was read, and no timer ran
    manual.setTimer(200, () => {
      answer('read in the same turn, after the timers of the limits');
    });
    await manual.advance(200);
    expect(calls.map(({ status }) => status)).toEqual(calls.map(() => 'resolved'));
    for (const id of ['a', 'b']) expect(row(client, id)).toMatchObject({ successRatio: 1 });
    await client.close();
  });
});

describe('a call within a call, which inherits the limit of the attempt', () => {
  it('may be the first to notice: the attempt has timed out all the same, and is made again', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      inheritDeadline: true,
      attemptTimeoutMs: 100,
      timeoutMs: 1_000,
    });
    const { client: inner } = await rig(['c'], {
      inheritDeadline: true,
      env: { clock, rng: seededRng(2) },
    });
    const kinds: string[] = [];
    const call = watched(
      client.call(
        async ({ attempt }) => {
          if (attempt > 1) return 'second';
          // As the inner call rejects at its deadline, before the timer of the attempt has run.
          const early = new Promise<never>((_, reject) => {
            clock.setTimer(99, () => {
              void inner.call(never, { timeoutMs: 1e-6 }).catch(reject);
            });
          });
          return early;
        },
        { idempotent: true, onAttempt: ({ ended, outcome }) => kinds.push(`${ended} ${outcome}`) },
      ),
    );
    await clock.advance(500);
    expect(call.value).toBe('second');
    expect(kinds).toEqual(['timed-out failure', 'returned success']);
    await client.close();
    await inner.close();
  });
});

describe('where every instance was tried', () => {
  it('one that asked for a pause is left alone until it is over, while another may be called', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      retry: { maxAttempts: 4 },
      policy: 'round-robin',
      breaker: false,
    });
    const sent: string[] = [];
    let first: string | undefined;
    const call = watched(
      client.call(
        ({ instance }) => {
          first ??= instance.id;
          sent.push(
            `${instance.id === first ? 'first' : 'second'} at ${Math.floor(clock.now() / 1_000)} s`,
          );
          const seconds = instance.id === first ? '5' : '1';
          return new Response(null, { status: 503, headers: { 'retry-after': seconds } });
        },
        { idempotent: true, timeoutMs: 60_000 },
      ),
    );
    await clock.advance(60_000);
    expect(call.status).toBe('resolved');
    expect(sent).toEqual(['first at 0 s', 'second at 0 s', 'second at 1 s', 'second at 2 s']);
    await client.close();
  });

  it('one that cannot be picked any more makes no pause shorter', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      retry: { maxAttempts: 4 },
      policy: inOrder,
    });
    for (let i = 0; i < 4; i++) {
      await expect(
        client.call(() => {
          throw reset();
        }),
      ).rejects.toThrow();
    }
    const sent: string[] = [];
    const call = watched(
      client.call(
        ({ instance }) => {
          sent.push(`${instance.id} at ${String(Math.floor(clock.now() / 1_000))} s`);
          if (instance.id === 'a') return new Response(null, { status: 500 }); // its fifth: the breaker opens
          return new Response(null, { status: 503, headers: { 'retry-after': '5' } });
        },
        { idempotent: true, timeoutMs: 9_000 },
      ),
    );
    await clock.advance(9_000);
    expect(call.status).toBe('resolved');
    // When b may be called again a's breaker has had its time: it may be tried, and comes first in this order.
    expect(sent.slice(0, 2)).toEqual(['a at 0 s', 'b at 0 s']);
    expect(sent[2]).toMatch(/ at 5 s$/);
    await client.close();
  });

  it('one that asked for a pause is not called because the other has no room', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      retry: { maxAttempts: 4 },
      policy: inOrder,
      breaker: false,
      maxConcurrency: { perInstance: 1 },
    });
    const sent: string[] = [];
    const call = watched(
      client.call(
        ({ instance }) => {
          sent.push(instance.id);
          if (sent.length === 3) return 'at last';
          if (instance.id === 'a') return new Response(null, { status: 500 });
          queueMicrotask(() => {
            const busy = client.pick({ excluded: ['b'] });
            clock.setTimer(2_000, () => {
              busy.end('success');
            });
          });
          return new Response(null, { status: 503, headers: { 'retry-after': '30' } });
        },
        { idempotent: true },
      ),
    );
    await clock.advance(1_900);
    expect([call.status, sent]).toEqual(['pending', ['a', 'b']]);
    await clock.advance(200);
    expect([call.value, sent]).toEqual(['at last', ['a', 'b', 'a']]);
    await client.close();
  });

  it('what is to be retried elsewhere only is over: nothing new is left', async () => {
    const { client, clock } = await rig(['a', 'b'], { retry: { maxAttempts: 6 }, breaker: false });
    const sent: string[] = [];
    const error = reset();
    const call = watched(
      client.call(
        ({ instance }) => {
          sent.push(instance.id);
          throw error;
        },
        {
          classify: () => ({
            outcome: 'failure',
            retry: 'always',
            where: sent.length < 3 ? 'anywhere' : 'elsewhere',
          }),
        },
      ),
    );
    await clock.advance(5_000);
    expect(call.error).toBe(error);
    expect(sent).toHaveLength(3);
    await client.close();
  });
});
