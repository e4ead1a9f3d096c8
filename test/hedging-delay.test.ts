import { describe, expect, it } from 'vitest';
import type { Client } from '../src/client.js';
import type { ClientOptions } from '../src/options.js';
import type { ManualClock } from '../src/testing/manual-clock.js';
import { HEDGEABLE, hedging } from './hedging-rig.js';
import { refused } from './support/errors.js';
import type { Rig } from './support/fixtures.js';
import { never, watched } from './support/promises.js';

describe('the measured delay', () => {
  /** A hundred calls and more, 5 ms each but for every tenth: that takes 40 ms. */
  async function measure({ client, clock }: Rig, calls = 100): Promise<void> {
    for (let i = 1; i <= calls; i++) {
      const call = client.call(() => clock.sleep(i % 10 === 0 ? 40 : 5), HEDGEABLE);
      await clock.advance(40);
      await call;
    }
  }

  function delayOf(client: Client): number | undefined {
    return client.snapshot().hedgeDelayMs;
  }

  it('is that quantile of the first attempts, once enough were measured', async () => {
    const made = await hedging(['a', 'b'], { hedge: { quantileRatio: 0.9 } });
    await measure(made, 40);
    expect(delayOf(made.client)).toBeUndefined();
    await measure(made, 10);
    expect(delayOf(made.client)).toBeGreaterThanOrEqual(5);
    expect(delayOf(made.client)).toBeLessThanOrEqual(6);
    await made.client.close();
  });

  it('does not learn from attempts that failed, nor from retries', async () => {
    const options = { hedge: { quantileRatio: 0.5 }, retry: { budget: false } } as const;
    const made = await hedging(['a', 'b'], options);
    await measure(made);
    for (let i = 0; i < 200; i++) {
      let attempts = 0;
      const call = made.client.call(() => {
        if (++attempts === 1) throw refused();
        return made.clock.sleep(1).then(() => 'of the retry');
      }, HEDGEABLE);
      await made.clock.advance(2);
      await call;
    }
    expect(delayOf(made.client)).toBe(6);
    await made.client.close();
  });

  it('counts a first attempt that lost to its hedge as slow: it does not shrink', async () => {
    const made = await hedging(['a', 'b'], { hedge: { quantileRatio: 0.5, maxRatio: 1 } });
    // Half of the first attempts take 5 ms, the others 100 ms; of these nearly all are overtaken by a hedge of 1 ms.
    for (let i = 0; i < 400; i++) {
      const call = made.client.call(
        ({ attempt }) => made.clock.sleep(attempt === 2 ? 1 : i % 2 === 0 ? 5 + (i % 7) / 10 : 100),
        HEDGEABLE,
      );
      await made.clock.advance(110);
      await call;
      if (i < 100) continue;
      expect(delayOf(made.client)).toBeGreaterThanOrEqual(5);
      expect(delayOf(made.client)).toBeLessThanOrEqual(8);
    }
    await made.client.close();
  });

  it.each<[string, Partial<ClientOptions>]>([
    ['time out', { attemptTimeoutMs: 30 }],
    ['end at the deadline', { timeoutMs: 30, attemptTimeoutMs: 100 }],
  ])('counts first attempts that %s beyond it', async (_what, options) => {
    const made = await hedging(['a'], { hedge: { quantileRatio: 0.5 }, ...options });
    for (let i = 0; i < 20; i++) {
      const call = made.client.call(() => made.clock.sleep(5), HEDGEABLE);
      await made.clock.advance(5);
      await call;
    }
    expect(delayOf(made.client)).toBe(6);
    for (let i = 0; i < 30; i++) {
      const call = watched(made.client.call(never, HEDGEABLE));
      await made.clock.advance(200);
      expect(call.status).toBe('rejected');
    }
    expect(delayOf(made.client)).toBeGreaterThanOrEqual(30);
    await made.client.close();
  });

  it('learns nothing from calls that the caller cancels early', async () => {
    const made = await hedging(['a', 'b'], { hedge: { quantileRatio: 0.5 } });
    await measure(made);
    for (let i = 0; i < 200; i++) {
      const call = watched(
        made.client.call(never, { ...HEDGEABLE, signal: abortAfter(made.clock, 1) }),
      );
      await made.clock.advance(1);
      expect(call.status).toBe('rejected');
    }
    expect(delayOf(made.client)).toBe(6);
    await made.client.close();
  });
});

function abortAfter(clock: ManualClock, ms: number): AbortSignal {
  const controller = new AbortController();
  clock.setTimer(ms, () => {
    controller.abort();
  });
  return controller.signal;
}
