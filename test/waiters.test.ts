import { describe, expect, it, vi } from 'vitest';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import type { Clock } from '../src/types.js';
import { type Patience, Waiters } from '../src/waiters.js';
import { never, type Watched, watched } from './support/promises.js';

const TOO_LATE = new Error('too late');

/** Waiters on a manual clock, for something of which there are so many. */
function shop(): {
  readonly clock: ManualClock;
  readonly waiters: Waiters;
  /** Names of those who have been served, in order. */
  readonly served: string[];
  /** Puts so many on the counter. */
  bring(count: number): Promise<void>;
  wait(name: string, timeoutMs: number, signal?: AbortSignal): Watched<void>;
} {
  const clock = new ManualClock();
  const waiters = new Waiters(clock);
  const served: string[] = [];
  let left = 0;
  return {
    clock,
    waiters,
    served,
    async bring(count) {
      left += count;
      waiters.tellWhile(() => left > 0);
      await settle();
    },
    wait(name, timeoutMs, signal) {
      const until = (): boolean => {
        if (left === 0) return false;
        left--;
        served.push(name);
        return true;
      };
      const patience: Patience = {
        until,
        deadlineMs: clock.now() + timeoutMs,
        error: () => TOO_LATE,
        signal,
      };
      return watched(waiters.wait(patience));
    },
  };
}

describe('those who wait', () => {
  it('are served in the order they came, as many as there is for', async () => {
    const { waiters, served, bring, wait } = shop();
    for (const name of ['a', 'b', 'c', 'd']) wait(name, 1_000);
    await bring(1);
    expect(served).toEqual(['a']);
    await bring(2);
    expect(served).toEqual(['a', 'b', 'c']);
    expect(waiters.size).toBe(1);
  });

  it('are not asked when there is nothing left', () => {
    const waiters = new Waiters(new ManualClock());
    let left = 1;
    const asked: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const until = (): boolean => {
        asked.push(name);
        left--;
        return true;
      };
      void waiters.wait({ until, deadlineMs: 1_000, error: () => TOO_LATE });
    }
    waiters.tellWhile(() => left > 0);
    expect(asked).toEqual(['a']);
  });

  it('give up at the deadline, on the signal and on close, and leave nothing behind', async () => {
    const { clock, waiters, bring, served, wait } = shop();
    const stop = new AbortController();
    const removed = vi.spyOn(stop.signal, 'removeEventListener');
    const late = wait('late', 100);
    const cancelled = wait('cancelled', 1_000, stop.signal);
    const closed = wait('closed', 1_000);
    expect(clock.pendingTimers).toBe(3);

    await clock.advance(100);
    expect(late.error).toBe(TOO_LATE);
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(cancelled.error).toBe(reason);
    expect(removed).toHaveBeenCalledTimes(1);
    expect(waiters.size).toBe(1);

    const gone = new Error('closed');
    waiters.close(gone);
    await settle();
    expect(closed.error).toBe(gone);
    expect(wait('after', 1_000).status).toBe('pending');
    await bring(4);
    expect(served).toEqual([]);
    expect([waiters.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('are turned away at once after the close', async () => {
    const { waiters, wait } = shop();
    const gone = new Error('closed');
    waiters.close(gone);
    const after = wait('after', 1_000);
    await settle();
    expect(after.error).toBe(gone);
  });

  it('leave no listener behind when they are served', async () => {
    const { clock, bring, wait } = shop();
    const stop = new AbortController();
    const removed = vi.spyOn(stop.signal, 'removeEventListener');
    const call = wait('a', 1_000, stop.signal);
    await bring(1);
    expect(call.status).toBe('resolved');
    expect(removed).toHaveBeenCalledTimes(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('with a signal that has aborted never wait', async () => {
    const { waiters, clock, wait } = shop();
    const reason = new Error('enough');
    const call = wait('a', 1_000, AbortSignal.abort(reason));
    await settle();
    expect(call.error).toBe(reason);
    expect([waiters.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('take nothing when the deadline has passed, though their timer is late', async () => {
    let nowMs = 0;
    const clock = new ManualClock();
    // A busy process: time goes on, timers do not run.
    const busy: Clock = {
      now: () => nowMs,
      setTimer: (ms, fn) => clock.setTimer(ms, fn),
      sleep: never,
    };
    const waiters = new Waiters(busy);
    const until = vi.fn(() => true);
    const call = watched(waiters.wait({ until, deadlineMs: 100, error: () => TOO_LATE }));
    nowMs = 100;
    waiters.tell();
    await settle();
    expect(until).not.toHaveBeenCalled();
    expect(call.error).toBe(TOO_LATE);
  });

  it('take nothing when their signal has aborted, though others heard of it first', async () => {
    const { waiters, served, bring, wait } = shop();
    await bring(1);
    const stop = new AbortController();
    stop.signal.addEventListener('abort', () => {
      waiters.tell();
    });
    const call = wait('a', 1_000, stop.signal);
    stop.abort();
    await settle();
    expect(call.status).toBe('rejected');
    expect(served).toEqual([]);
  });
});

describe('those who have less than half of their time left', () => {
  it('come after those who have more, and in the order they came', async () => {
    const { clock, served, bring, wait } = shop();
    wait('a', 100);
    wait('b', 100);
    await clock.advance(40);
    wait('c', 100);
    wait('patient', 1_000);
    await clock.advance(10); // a and b have 50 of their 100 ms left, which is too little
    await bring(1);
    expect(served).toEqual(['c']);
    await bring(3);
    expect(served).toEqual(['c', 'patient', 'a', 'b']);
  });

  it('are served while nobody else waits', async () => {
    const { clock, served, bring, wait } = shop();
    const call = wait('a', 100);
    await clock.advance(99);
    await bring(1);
    expect(call.status).toBe('resolved');
    expect(served).toEqual(['a']);
  });

  it('still give up at the deadline, on the signal and on close', async () => {
    const { clock, waiters, bring, served, wait } = shop();
    const stop = new AbortController();
    const calls = [wait('a', 100), wait('b', 100, stop.signal), wait('c', 200)];
    await clock.advance(100);
    await bring(0);
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'pending']);
    const d = wait('d', 100, stop.signal);
    await clock.advance(60);
    waiters.tell(); // finds that d is late
    stop.abort();
    waiters.close(new Error('closed'));
    await settle();
    expect([d.status, waiters.size, clock.pendingTimers]).toEqual(['rejected', 0, 0]);
    expect(served).toEqual([]);
  });
});

describe('what is looked for', () => {
  it('may make news itself: nobody looks twice at a time', async () => {
    const waiters = new Waiters(new ManualClock());
    let looks = 0;
    const until = (): boolean => {
      looks++;
      waiters.tell();
      return true;
    };
    const call = watched(waiters.wait({ until, deadlineMs: 1_000, error: () => TOO_LATE }));
    waiters.tell();
    await settle();
    expect([looks, call.status]).toEqual([1, 'resolved']);
  });

  it('is theirs once they have it, though they give up that very moment', async () => {
    const clock = new ManualClock();
    const waiters = new Waiters(clock);
    const stop = new AbortController();
    const { signal } = stop;
    const waitFor = (found: boolean): Watched<void> => {
      const until = (): boolean => {
        stop.abort();
        return found;
      };
      return watched(waiters.wait({ until, deadlineMs: 1_000, error: () => TOO_LATE, signal }));
    };
    const lucky = waitFor(true);
    waiters.tell();
    await settle();
    expect(lucky.status).toBe('resolved'); // who waits looks at the signal, and gives it back

    const closing = new Error('closed');
    const until = (): boolean => {
      waiters.close(closing);
      return false;
    };
    const unlucky = watched(waiters.wait({ until, deadlineMs: 1_000, error: () => TOO_LATE }));
    waiters.tell();
    await settle();
    expect(unlucky.error).toBe(closing);
    expect([waiters.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('fails only who looks when looking throws', async () => {
    const waiters = new Waiters(new ManualClock());
    const bug = new Error('bug');
    const broken = watched(
      waiters.wait({
        until: () => {
          throw bug;
        },
        deadlineMs: 1_000,
        error: () => TOO_LATE,
      }),
    );
    const whole = watched(
      waiters.wait({ until: () => true, deadlineMs: 1_000, error: () => TOO_LATE }),
    );
    expect(() => {
      waiters.tell();
    }).not.toThrow();
    await settle();
    expect([broken.error, whole.status]).toEqual([bug, 'resolved']);
  });

  it('is asked for at once by `when`', async () => {
    const clock = new ManualClock();
    const waiters = new Waiters(clock);
    await waiters.when({ until: () => true, deadlineMs: 1_000, error: () => TOO_LATE });
    expect(clock.pendingTimers).toBe(0);
    const call = watched(
      waiters.when({ until: () => false, deadlineMs: 1_000, error: () => TOO_LATE }),
    );
    await clock.advance(1_000);
    expect(call.error).toBe(TOO_LATE);
  });
});

it('it costs no more to come, to be served and to leave where many wait', () => {
  const waiters = new Waiters(new ManualClock());
  let left = 0;
  let looks = 0;
  const until = (): boolean => {
    looks++;
    if (left === 0) return false;
    left--;
    return true;
  };
  const patience: Patience = { until, deadlineMs: 1_000, error: () => TOO_LATE };
  for (let i = 0; i < 10_000; i++) void waiters.wait(patience);
  for (let i = 0; i < 10_000; i++) {
    left++;
    waiters.tellWhile(() => left > 0);
  }
  expect(looks).toBe(10_000);
  expect(waiters.size).toBe(0);
});
