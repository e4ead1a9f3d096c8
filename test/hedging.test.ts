import { describe, expect, it } from 'vitest';
import type { CallOptions } from '../src/call-options.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import type { Policy } from '../src/types.js';
import { bothUnderWay, expectNothingLeft, HEDGEABLE, hedging, inHand } from './hedging-rig.js';
import { refused } from './support/errors.js';
import { row } from './support/fixtures.js';
import { collectUncaught, watched } from './support/promises.js';

describe('a hedge', () => {
  it('is sent to another instance once the first attempt is as old as the delay', async () => {
    const made = await hedging();
    const fn = inHand();
    const call = watched(made.client.call(fn, HEDGEABLE));
    await made.clock.advance(9.9);
    expect(fn.sent).toHaveLength(1);
    await made.clock.advance(0.1);
    expect(fn.sent.map(({ context }) => context.instance.id)).toEqual(['a', 'b']);
    expect(fn.sent.map(({ context }) => context.attempt)).toEqual([1, 2]);
    expect(row(made.client, 'a').pending).toBe(1);
    expect(row(made.client, 'b').pending).toBe(1);
    fn.sent[1]?.resolve('of the hedge');
    await settle();
    expect(call.value).toBe('of the hedge');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('is not sent when the first attempt was done before, and leaves no timer', async () => {
    const made = await hedging();
    const fn = inHand();
    const call = watched(made.client.call(fn, HEDGEABLE));
    await made.clock.advance(9.9);
    fn.sent[0]?.resolve('soon enough');
    await settle();
    expect(call.value).toBe('soon enough');
    expectNothingLeft(made);
    await made.clock.advance(1_000);
    expect(fn.sent).toHaveLength(1);
    await made.client.close();
  });

  it.each<[string, CallOptions<unknown>]>([
    ['is not idempotent', {}],
    ['cannot be replayed', { idempotent: true, replayable: false }],
    ['does not want it', { idempotent: true, hedge: false }],
  ])('is never sent for a call that %s', async (_what, options) => {
    const made = await hedging();
    const fn = inHand();
    const call = watched(made.client.call(fn, options));
    await made.clock.advance(900);
    expect(fn.sent).toHaveLength(1);
    fn.sent[0]?.resolve('late');
    await settle();
    expect(call.value).toBe('late');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('is sent beside first attempts only: the retry of a failure has none', async () => {
    const made = await hedging(['a', 'b', 'c'], { retry: { maxAttempts: 3 } });
    const fn = inHand();
    const call = watched(made.client.call(fn, HEDGEABLE));
    await settle();
    fn.sent[0]?.reject(refused());
    await made.clock.advance(300);
    expect(fn.sent.map(({ context }) => context.instance.id)).toEqual(['a', 'b']);
    fn.sent[1]?.resolve('of the retry');
    await settle();
    expect(call.value).toBe('of the retry');
    expect(made.ended.map(({ kind }) => kind)).toEqual(['first', 'retry']);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('needs another instance; without one the first attempt goes on, and is asked for again at twice the age', async () => {
    const made = await hedging(['a']);
    const fn = inHand();
    const call = watched(made.client.call(fn, HEDGEABLE));
    await made.clock.advance(15);
    expect(fn.sent).toHaveLength(1);
    made.source.set([
      { id: 'a', host: 'a', port: 80 },
      { id: 'b', host: 'b', port: 80 },
    ]);
    await made.clock.advance(4.9);
    expect(fn.sent).toHaveLength(1);
    await made.clock.advance(0.1);
    expect(fn.sent.map(({ context }) => context.instance.id)).toEqual(['a', 'b']);
    fn.sent[0]?.resolve('of the first');
    await settle();
    expect(call.value).toBe('of the first');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('is never sent to a reserve', async () => {
    const made = await hedging([], { stages: { priority: {} } });
    made.source.set([
      { id: 'a', host: 'a', port: 80 },
      { id: 'far', host: 'far', port: 80, priority: 1 },
    ]);
    await settle();
    const fn = inHand();
    const call = watched(made.client.call(fn, HEDGEABLE));
    await made.clock.advance(500);
    expect(fn.sent.map(({ context }) => context.instance.id)).toEqual(['a']);
    fn.sent[0]?.resolve('of the only one');
    await settle();
    expect(call.value).toBe('of the only one');
    await made.client.close();
  });

  it('is not sent while the cap leaves no room, and is when it does', async () => {
    const made = await hedging(['a', 'b'], { hedge: { delayMs: 10, maxRatio: 0.5 } });
    const fn = inHand();
    const one = watched(made.client.call(fn, HEDGEABLE));
    await made.clock.advance(15);
    expect(fn.sent).toHaveLength(1);
    await made.client.call(() => 'a second call, and half a hedge more', HEDGEABLE);
    await made.clock.advance(5);
    expect(fn.sent).toHaveLength(2);
    fn.sent[1]?.resolve('of the hedge');
    await settle();
    expect(one.value).toBe('of the hedge');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('is sent for one in twenty calls when all are slow', async () => {
    const made = await hedging(['a', 'b'], { hedge: { delayMs: 10 }, retry: { budget: false } });
    const calls = Array.from({ length: 1_000 }, () =>
      made.client.call(() => made.clock.sleep(15), HEDGEABLE),
    );
    await made.clock.advance(15);
    await Promise.all(calls);
    for (let i = 0; i < 400; i++) {
      const call = made.client.call(() => made.clock.sleep(15), HEDGEABLE);
      await made.clock.advance(15);
      await call;
    }
    // Ten of the thousand that came at once; all twenty that the others pay for.
    expect(made.ended.filter(({ kind }) => kind === 'hedge')).toHaveLength(30);
    await made.clock.advance(15); // the functions do not heed their signals
    expectNothingLeft(made);
    await made.client.close();
  });

  it('takes from the retry budget, and is not sent when that is used up', async () => {
    const budget = { ratio: 0, minPerSecond: 0.1, windowMs: 10_000 }; // a reserve of one
    const made = await hedging(['a', 'b'], { retry: { budget } });
    const { call, hedge } = await bothUnderWay(made);
    expect(made.client.snapshot().budget?.available).toBe(0);
    hedge.resolve('of the hedge');
    await settle();
    expect(call.value).toBe('of the hedge');
    const fn = inHand();
    const next = watched(made.client.call(fn, HEDGEABLE));
    await made.clock.advance(500);
    expect(fn.sent).toHaveLength(1);
    fn.sent[0]?.resolve('of the first');
    await settle();
    expect(next.value).toBe('of the first');
    expectNothingLeft(made);
    await made.client.close();
  });

  it('is done without when the policy throws at it', async () => {
    let picks = 0;
    const policy: Policy = {
      name: 'brittle',
      build: (candidates) => ({
        pick: () => {
          if (++picks > 1) throw new Error('a policy that throws');
          return candidates[0];
        },
      }),
    };
    const made = await hedging(['a', 'b'], { policy });
    const fn = inHand();
    const uncaught = await collectUncaught(async () => {
      const call = watched(made.client.call(fn, HEDGEABLE));
      await made.clock.advance(500);
      expect(picks).toBeGreaterThan(1);
      fn.sent[0]?.resolve('of the first');
      await settle();
      expect(call.value).toBe('of the first');
    });
    expect(uncaught).toEqual([]);
    expectNothingLeft(made);
    await made.client.close();
  });

  it('waits a turn when its timer is late: the answer may be there, and not be read yet', async () => {
    const late = new LateClock(300);
    const made = await hedging(['a', 'b'], { env: { clock: late, rng: { next: () => 0.5 } } });
    const fn = inHand();
    const call = watched(made.client.call(fn, HEDGEABLE));
    late.setTimer(10, () => fn.sent[0]?.resolve('read after the timers'));
    await late.advance(10);
    expect(call.value).toBe('read after the timers');
    expect(fn.sent).toHaveLength(1);
    expect(late.pendingTimers).toBe(0);
    const slow = watched(made.client.call(fn, HEDGEABLE));
    await late.advance(10);
    expect(fn.sent).toHaveLength(3);
    fn.sent[2]?.resolve('of the hedge');
    await settle();
    expect(slow.value).toBe('of the hedge');
    await made.client.close();
  });
});

/** A manual clock whose process is busy for a while whenever a timer falls due. */
class LateClock extends ManualClock {
  #lateMs = 0;

  constructor(private readonly busyMs: number) {
    super();
  }

  override now(): number {
    return super.now() + this.#lateMs;
  }

  override setTimer(ms: number, fn: () => void): ReturnType<ManualClock['setTimer']> {
    return super.setTimer(ms, () => {
      if (ms > 0) this.#lateMs += this.busyMs;
      fn();
    });
  }
}
