import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Alarm, type AlarmClock, TimerLists } from '../src/timer-lists.js';
import type { Timer } from '../src/types.js';

interface Pending extends Alarm {
  readonly atMs: number;
  readonly fn: () => void;
  isRefed: boolean;
}

/** Alarms that ring when the test says, so many ms early at most. */
class ManualAlarms implements AlarmClock {
  nowMs = 0;
  made = 0;
  readonly pending = new Set<Pending>();

  constructor(private readonly earlyMs = 0) {}

  now(): number {
    return this.nowMs;
  }

  setAlarm(ms: number, fn: () => void): Alarm {
    if (!Number.isInteger(ms) || ms < 1 || ms >= 2 ** 31) throw new RangeError(String(ms));
    this.made++;
    const alarm: Pending = {
      atMs: this.nowMs + ms,
      fn,
      isRefed: true,
      ref: () => {
        alarm.isRefed = true;
      },
      unref: () => {
        alarm.isRefed = false;
      },
      clear: () => {
        this.pending.delete(alarm);
      },
    };
    this.pending.add(alarm);
    return alarm;
  }

  /** True while something keeps the process alive. */
  get isHeld(): boolean {
    return [...this.pending].some(({ isRefed }) => isRefed);
  }

  advanceTo(endMs: number): void {
    for (;;) {
      const [next] = [...this.pending].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.pending.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs - this.earlyMs);
      next.fn();
      this.nowMs = Math.max(this.nowMs, next.atMs);
    }
    this.nowMs = Math.max(this.nowMs, endMs);
  }
}

function rig(earlyMs = 0): {
  alarms: ManualAlarms;
  lists: TimerLists;
  rung: string[];
  set(name: string, ms: number): Timer;
} {
  const alarms = new ManualAlarms(earlyMs);
  const lists = new TimerLists(alarms);
  const rung: string[] = [];
  const set = (name: string, ms: number): Timer =>
    lists.set(ms, () => rung.push(`${name} at ${String(alarms.nowMs)}`), alarms.nowMs);
  return { alarms, lists, rung, set };
}

describe('timers of one length', () => {
  it('ring in turn, each when it is due, with one alarm at a time', () => {
    const { alarms, rung, set } = rig();
    set('a', 100);
    alarms.advanceTo(40);
    set('b', 100);
    set('c', 100);
    expect(alarms.pending.size).toBe(1);
    alarms.advanceTo(1_000);
    expect(rung).toEqual(['a at 100', 'b at 140', 'c at 140']);
    expect(alarms.made).toBe(2);
  });

  it('do not ring once they are cancelled, whichever of them', () => {
    for (const gone of ['a', 'b', 'c']) {
      const { alarms, rung, set } = rig();
      const timers = new Map(['a', 'b', 'c'].map((name) => [name, set(name, 100)]));
      timers.get(gone)?.cancel();
      timers.get(gone)?.cancel();
      alarms.advanceTo(1_000);
      expect(rung).toEqual(
        ['a', 'b', 'c'].filter((name) => name !== gone).map((n) => `${n} at 100`),
      );
    }
  });

  it('ring when the alarm comes a little early, as those of Node may', () => {
    const { alarms, rung, set } = rig(0.7);
    set('a', 100);
    alarms.advanceTo(1_000);
    expect(rung).toEqual(['a at 99.3']);
  });

  it('can be set and cancelled by one that rings', () => {
    const { alarms, lists, rung, set } = rig();
    const doomed: Timer[] = [];
    lists.set(
      100,
      () => {
        doomed[0]?.cancel();
        set('later', 100);
        rung.push('first');
      },
      0,
    );
    doomed.push(set('doomed', 100));
    alarms.advanceTo(1_000);
    expect(rung).toEqual(['first', 'later at 200']);
    expect(alarms.pending.size).toBe(0);
  });

  it('still ring after one of them has thrown', () => {
    const { alarms, lists, rung, set } = rig();
    lists.set(
      100,
      () => {
        throw new Error('thrown');
      },
      0,
    );
    set('a', 100);
    expect(() => {
      alarms.advanceTo(100);
    }).toThrow('thrown');
    alarms.advanceTo(1_000);
    expect(rung).toHaveLength(1);
  });
});

it('rings timers of different lengths in the order of time', () => {
  const { alarms, rung, set } = rig();
  set('slow', 300);
  set('quick', 20);
  alarms.advanceTo(10);
  set('quicker', 5);
  alarms.advanceTo(1_000);
  expect(rung).toEqual(['quicker at 15', 'quick at 20', 'slow at 300']);
});

it('waits longer than one alarm can', () => {
  const { alarms, rung, set } = rig();
  set('a', 2 ** 31 + 5_000);
  alarms.advanceTo(2 ** 31 + 4_000);
  expect(rung).toEqual([]);
  alarms.advanceTo(2 ** 32);
  expect(rung).toEqual([`a at ${String(2 ** 31 + 5_000)}`]);
});

it('keeps the process alive while a timer is pending that was not told otherwise', () => {
  const { alarms, set } = rig();
  const first = set('a', 100);
  const second = set('b', 100);
  expect(alarms.isHeld).toBe(true);
  first.unref();
  first.unref();
  expect(alarms.isHeld).toBe(true);
  second.cancel();
  expect(alarms.isHeld).toBe(false);
  const third = set('c', 100);
  expect(alarms.isHeld).toBe(true);
  third.cancel();
  first.cancel();
  expect(alarms.isHeld).toBe(false);
});

it('keeps an alarm for timers to come until it is told to tidy up, or the alarm rings', () => {
  const { alarms, lists, set } = rig();
  set('a', 100).cancel();
  expect(alarms.pending.size).toBe(1);
  set('b', 100).cancel();
  expect(alarms.made).toBe(1);
  lists.tidy();
  expect(alarms.pending.size).toBe(0);
  const kept = set('c', 100);
  lists.tidy();
  expect(alarms.pending.size).toBe(1);
  kept.cancel();
  alarms.advanceTo(100);
  expect(alarms.pending.size).toBe(0);
});

it('rings exactly those that nobody cancels, never before they are due, in any schedule', () => {
  const step = fc.record({
    pauseMs: fc.integer({ min: 0, max: 60 }),
    ms: fc.oneof(fc.constantFrom(50, 100), fc.double({ min: 0.1, max: 200, noNaN: true })),
    cancelAfter: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    isUnrefed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const alarms = new ManualAlarms();
      const lists = new TimerLists(alarms);
      const rungAtMs = new Map<number, number>();
      const cancelled = new Set<number>();
      const held = new Set<number>();
      const doomed = new Map<number, (() => void)[]>();
      steps.forEach(({ pauseMs, ms, cancelAfter, isUnrefed }, i) => {
        alarms.advanceTo(alarms.nowMs + pauseMs);
        for (const cancel of doomed.get(i) ?? []) cancel();
        const setAtMs = alarms.nowMs;
        held.add(i);
        const timer = lists.set(
          ms,
          () => {
            expect(rungAtMs.has(i)).toBe(false);
            expect(alarms.nowMs).toBeGreaterThanOrEqual(setAtMs + ms);
            expect(alarms.nowMs).toBeLessThanOrEqual(setAtMs + Math.ceil(ms) + 1);
            rungAtMs.set(i, alarms.nowMs);
            held.delete(i);
          },
          setAtMs,
        );
        if (isUnrefed) {
          timer.unref();
          held.delete(i);
        }
        if (cancelAfter !== undefined) {
          const cancel = (): void => {
            if (!rungAtMs.has(i)) cancelled.add(i);
            timer.cancel();
            held.delete(i);
          };
          const at = i + 1 + cancelAfter;
          doomed.set(at, [...(doomed.get(at) ?? []), cancel]);
        }
        expect(alarms.isHeld).toBe(held.size > 0);
      });
      alarms.advanceTo(alarms.nowMs + 1_000);
      expect(rungAtMs.size + cancelled.size).toBe(steps.length);
      expect(alarms.pending.size).toBe(0);
    }),
    { numRuns: 300, seed: 8 },
  );
});
