import { mock } from 'node:test';
import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { realEnv, sleepOn } from '../src/env.js';
import type { Rng } from '../src/types.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { watched } from './support/promises.js';
import { chiSquare, chiSquareLimit } from './support/statistics.js';

describe('sleepOn', () => {
  it('resolves when the time is over, and not before', async () => {
    const clock = new ManualClock();
    const sleep = watched(sleepOn(clock, 100));
    await clock.advance(99);
    expect(sleep.status).toBe('pending');
    await clock.advance(1);
    expect(sleep.status).toBe('resolved');
  });

  it('rejects with the reason on abort and cancels its timer', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleep = watched(sleepOn(clock, 100, stop.signal));
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(sleep.error).toBe(reason);
    expect(clock.pendingTimers).toBe(0);
  });

  it('sets no timer for a signal that has aborted', async () => {
    const clock = new ManualClock();
    const sleep = watched(sleepOn(clock, 100, AbortSignal.abort('no')));
    await settle();
    expect(sleep).toMatchObject({ status: 'rejected', error: 'no' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('leaves no listener on the signal once over', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const sleep = sleepOn(clock, 100, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.advance(100);
    await sleep;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

/** The randomness of a process whose `Math.random` yields these numbers, the last one for ever. */
async function randomFrom(...seeds: number[]): Promise<Rng> {
  const random = vi.spyOn(Math, 'random');
  for (const seed of seeds) random.mockReturnValueOnce(seed);
  random.mockReturnValue(seeds.at(-1) ?? 0);
  vi.resetModules();
  try {
    return (await import('../src/env.js')).realEnv().rng;
  } finally {
    random.mockRestore();
  }
}

describe('realEnv', () => {
  it('draws what xorshift128 draws from the seed of the paper that it is from', async () => {
    const seeds = [123_456_789, 362_436_069, 521_288_629, 88_675_123];
    const rng = await randomFrom(...seeds.map((seed) => seed / 2 ** 32));
    expect(Array.from({ length: 6 }, () => rng.next() * 2 ** 32)).toEqual([
      3_701_687_786, 458_299_110, 2_500_872_618, 3_633_119_408, 516_391_518, 2_377_269_574,
    ]);
  });

  it('draws something although its seed is 0', async () => {
    const rng = await randomFrom(0);
    const draws = Array.from({ length: 20 }, () => rng.next());
    expect(new Set(draws).size).toBeGreaterThan(10);
  });

  it('draws from [0, 1) and never goes back in time', () => {
    const { clock, rng } = realEnv();
    const before = clock.now();
    for (let i = 0; i < 100; i++) {
      const u = rng.next();
      expect(u >= 0 && u < 1).toBe(true);
    }
    expect(clock.now()).toBeGreaterThanOrEqual(before);
  });

  it('draws uniformly, and nothing of one draw is seen in the next', () => {
    // From a seed of chance: chi-square goes over its limit in 3.4 of a million runs.
    const { rng } = realEnv();
    const CELLS = 32;
    const counts = Array<number>(CELLS * CELLS).fill(0);
    let last = Math.floor(rng.next() * CELLS);
    for (let i = 0; i < 200_000; i++) {
      const cell = Math.floor(rng.next() * CELLS);
      counts[last * CELLS + cell] = (counts[last * CELLS + cell] ?? 0) + 1;
      last = cell;
    }
    const even = counts.map(() => 1 / counts.length);
    expect(chiSquare(counts, even)).toBeLessThan(chiSquareLimit(counts.length - 1));
  });

  it('reads a clock that nobody can set: not the time of day', () => {
    const timeOfDay = vi.spyOn(Date, 'now').mockReturnValue(-1);
    try {
      expect(realEnv().clock.now()).toBeGreaterThan(0);
    } finally {
      timeOfDay.mockRestore();
    }
  });

  it('has timers that fire, and none that was cancelled', async () => {
    const { clock } = realEnv();
    const cancelled = clock.setTimer(0, () => {
      throw new Error('was cancelled');
    });
    cancelled.cancel();
    await new Promise<void>((resolve) => clock.setTimer(0, resolve));
  });

  it('has timers that count as pending until unreferenced', () => {
    const timeouts = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const { clock } = realEnv();
    const before = timeouts();
    const timer = clock.setTimer(1_000_000, () => undefined);
    expect(timeouts()).toBe(before + 1);
    timer.unref();
    expect(timeouts()).toBe(before);
    timer.cancel();
  });

  it('has limits that ring under fake timers, however often those are put in place', async () => {
    const { clock } = realEnv();
    const rung: string[] = [];
    const limit = (name: string): void => {
      clock.limits?.set(1_000, () => rung.push(name), clock.now());
    };
    for (const name of ['first', 'second', 'third']) {
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        limit(name);
        mock.timers.tick(1_000);
        limit('dropped');
      } finally {
        mock.timers.reset();
      }
    }
    expect(rung).toEqual(['first', 'second', 'third']);
    clock.limits?.set(1, () => rung.push('real again'), clock.now());
    await new Promise<void>((resolve) => clock.setTimer(20, resolve));
    expect(rung).toEqual(['first', 'second', 'third', 'real again']);
  });
});
