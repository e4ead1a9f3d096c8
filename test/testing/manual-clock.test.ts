import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';

describe('ManualClock', () => {
  it('moves only when told to', async () => {
    const clock = new ManualClock(100);
    await settle();
    expect(clock.now()).toBe(100);
    await clock.advance(50);
    expect(clock.now()).toBe(150);
  });

  it('runs timers in order of time, then of setting, at their own time', async () => {
    const clock = new ManualClock();
    const log: string[] = [];
    for (const [name, ms] of [
      ['c', 30],
      ['a', 10],
      ['b1', 20],
      ['b2', 20],
    ] as const) {
      clock.setTimer(ms, () => log.push(`${name}@${clock.now()}`));
    }
    await clock.advance(30);
    expect(log).toEqual(['a@10', 'b1@20', 'b2@20', 'c@30']);
  });

  it('does not run what is not due, nor what was cancelled', async () => {
    const clock = new ManualClock();
    const log: string[] = [];
    clock.setTimer(11, () => log.push('late'));
    clock.setTimer(5, () => log.push('cancelled')).cancel();
    await clock.advance(10);
    expect(log).toEqual([]);
    expect(clock.pendingTimers).toBe(1);
  });

  it('runs a timer once', async () => {
    const clock = new ManualClock();
    let runs = 0;
    clock.setTimer(1, () => runs++);
    await clock.advance(100);
    expect(runs).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('runs timers that timers and promise reactions set within the same advance', async () => {
    const clock = new ManualClock();
    const log: number[] = [];
    const chain = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10);
        log.push(clock.now());
      }
    };
    void chain();
    await clock.advance(30);
    expect(log).toEqual([10, 20, 30]);
  });

  it('takes a negative time for none', async () => {
    const clock = new ManualClock(50);
    let at = -1;
    clock.setTimer(-10, () => (at = clock.now()));
    await clock.advance(0);
    expect(at).toBe(50);
  });
});

it('settle lets long chains of promises run out', async () => {
  let links = 0;
  void (async () => {
    for (let i = 0; i < 100; i++) {
      await Promise.resolve();
      links++;
    }
  })();
  await settle();
  expect(links).toBe(100);
});
