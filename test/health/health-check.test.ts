import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HealthChange, HealthChecker } from '../../src/health/health-check.js';
import {
  type CheckFunction,
  type CheckResult,
  type HealthCheckOptions,
  resolveHealthCheck,
} from '../../src/health-options.js';
import type { InstanceState } from '../../src/instance-state.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Clock, Health } from '../../src/types.js';
import { fixedRng } from '../support/fixtures.js';
import { collectUncaught, deferred, type Deferred, never } from '../support/promises.js';
import { state } from '../support/states.js';

/** In the middle of the jitter: every interval is exactly `intervalMs`. */
const NO_JITTER = fixedRng(0.5);

interface Told extends HealthChange {
  readonly id: string;
  readonly health: Health;
  readonly role: string | undefined;
}

type Options = Omit<HealthCheckOptions, 'check'> & {
  readonly clock?: ManualClock;
  readonly rng?: ReturnType<typeof seededRng>;
  readonly onChange?: (state: InstanceState) => void;
};

/** A checker on a manual clock, with a check of the test's own; every change is recorded. */
function checkerWith(check: CheckFunction, given: Options = {}) {
  const { clock = new ManualClock(), rng = NO_JITTER, onChange, ...options } = given;
  const settings = resolveHealthCheck({ check, ...options });
  if (settings === undefined) throw new Error('health checks are off');
  const changes: Told[] = [];
  const checker = new HealthChecker(settings, 'orders', { clock, rng }, (state, change) => {
    const { instance, health, role } = state;
    changes.push({ id: instance.id, health, role, ...change });
    onChange?.(state);
  });
  return { checker, clock, changes };
}

/** A check that gives these answers in turn, and the last one for ever. */
function answering(...answers: (CheckResult | boolean | Error)[]): CheckFunction {
  let next = 0;
  return () => {
    const answer = answers[Math.min(next++, answers.length - 1)];
    if (answer instanceof Error) throw answer;
    return answer;
  };
}

function states(count: number): InstanceState[] {
  return Array.from({ length: count }, (_, i) => state(`s${i}`));
}

/** A check that is answered by hand: what is under way, oldest first. */
function byHand() {
  const asked: (Deferred<boolean> & { readonly id: string; readonly signal: AbortSignal })[] = [];
  const check: CheckFunction = ({ instance, signal }) => {
    const answer = deferred<boolean>();
    asked.push({ ...answer, id: instance.id, signal });
    return answer.promise;
  };
  return { asked, check };
}

describe('health', () => {
  it.each([
    [true, 'healthy'],
    [false, 'unhealthy'],
  ])('is unknown until the first answer, and %s makes it %s at once', async (answer, health) => {
    const { asked, check } = byHand();
    const { checker, changes } = checkerWith(check);
    const a = state('a');
    checker.watch([a]);
    await settle();
    expect(a.health).toBe('unknown');
    asked[0]?.resolve(answer);
    await settle();
    expect(a.health).toBe(health);
    expect(changes).toMatchObject([{ id: 'a', health, outMs: 0 }]);
    checker.close();
  });

  it('changes after so many answers in a row, and one to the contrary begins the row anew', async () => {
    const answers = [true, false, false, true, false, false, false, true, false, true, true, true];
    const { checker, clock } = checkerWith(answering(...answers), { intervalMs: 1_000 });
    const a = state('a');
    checker.watch([a]);
    const seen: Health[] = [];
    for (const _ of answers) {
      await clock.advance(0);
      seen.push(a.health);
      await clock.advance(1_000);
    }
    const [h, u] = ['healthy', 'unhealthy'];
    expect(seen).toEqual([h, h, h, h, h, h, u, u, u, u, h, h]);
    checker.close();
  });

  it('follows the last answers, whatever they are', async () => {
    const sequences = fc.array(fc.boolean(), { minLength: 1, maxLength: 30 });
    const threshold = fc.integer({ min: 1, max: 4 });
    await fc.assert(
      fc.asyncProperty(sequences, threshold, threshold, async (answers, up, down) => {
        const { checker, clock, changes } = checkerWith(answering(...answers), {
          intervalMs: 100,
          healthyThreshold: up,
          unhealthyThreshold: down,
        });
        const a = state('a');
        checker.watch([a]);
        let before: Health = 'unknown';
        for (let i = 1; i <= answers.length; i++) {
          await clock.advance(i === 1 ? 0 : 100);
          const last = (n: number): boolean[] => answers.slice(Math.max(0, i - n), i);
          // A row of the threshold's length decides whatever was before it; what is shorter leaves all as it is.
          if (i === 1) before = answers[0] === true ? 'healthy' : 'unhealthy';
          else if (i >= up && last(up).every(Boolean)) before = 'healthy';
          else if (i >= down && last(down).every((good) => !good)) before = 'unhealthy';
          expect(a.health).toBe(before);
        }
        checker.close();
        const told = changes.map(({ health }) => health);
        expect(told.every((health, i) => health !== told[i - 1])).toBe(true);
        expect(told.at(-1)).toBe(a.health);
      }),
      { numRuns: 60 },
    );
  });

  it('tells how long the instance was unhealthy when it is healthy again', async () => {
    const check = answering(true, false, false, false, false, true, true);
    const { checker, clock, changes } = checkerWith(check, { intervalMs: 1_000 });
    checker.watch([state('a')]);
    await clock.advance(10_000);
    checker.close();
    expect(changes.map(({ health, outMs }) => [health, outMs])).toEqual([
      ['healthy', 0],
      ['unhealthy', 0],
      ['healthy', 3_000],
    ]);
  });

  it('tells why, of the last answer, and nothing where nothing changes', async () => {
    const failures = ['one', 'two', 'three', 'four'].map((text) => new Error(text));
    const { checker, clock, changes } = checkerWith(answering(true, ...failures, true), {
      intervalMs: 1_000,
    });
    checker.watch([state('a')]);
    await clock.advance(20_000);
    checker.close();
    expect(changes.map(({ health, error }) => [health, error])).toEqual([
      ['healthy', undefined],
      ['unhealthy', 'three'],
      ['healthy', undefined],
    ]);
  });
});

describe('the role', () => {
  it('is what the last good answer said, at once, until the instance is unhealthy', async () => {
    const primary = { healthy: true, role: 'primary' };
    const standby = { healthy: true, role: 'standby' };
    const bad = { healthy: false, role: 'primary' };
    const answers = [primary, standby, true, primary, bad, bad, bad, standby, bad, standby, true];
    const { checker, clock, changes } = checkerWith(answering(...answers), { intervalMs: 1_000 });
    const a = state('a');
    checker.watch([a]);
    const seen: string[] = [];
    for (const _ of answers) {
      await clock.advance(0);
      seen.push(`${a.health} ${a.role ?? '-'}`);
      await clock.advance(1_000);
    }
    checker.close();
    expect(seen).toEqual([
      'healthy primary',
      'healthy standby',
      'healthy -',
      'healthy primary',
      'healthy primary',
      'healthy primary',
      'unhealthy -',
      'unhealthy standby',
      'unhealthy -',
      'unhealthy standby',
      'healthy -',
    ]);
    // Each change is told once, in order.
    expect(changes.map(({ health, role }) => `${health} ${role ?? '-'}`)).toEqual(
      seen.filter((now, i) => now !== seen[i - 1]),
    );
  });
});

describe('the schedule', () => {
  it('checks at once, then every interval more or less a tenth', async () => {
    const atMs: number[] = [];
    const clock = new ManualClock(500);
    const { checker } = checkerWith(
      () => {
        atMs.push(clock.now());
        return true;
      },
      { clock, rng: seededRng(1), intervalMs: 1_000 },
    );
    checker.watch([state('a')]);
    expect(atMs).toEqual([500]);
    await clock.advance(300_000);
    checker.close();
    const gaps = atMs.slice(1).map((ms, i) => ms - (atMs[i] ?? 0));
    // A timer waits up to 1 ms longer, for whole milliseconds. The probability that none of 270 or more gaps lies in
    // an outer tenth of the range is 0.9^270 = 4e-13 each.
    expect(gaps.length).toBeGreaterThanOrEqual(270);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(900);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1_101);
    expect(Math.min(...gaps)).toBeLessThan(920);
    expect(Math.max(...gaps)).toBeGreaterThan(1_080);
  });

  it('has no more checks under way than it may', async () => {
    const { asked, check } = byHand();
    const { checker, clock } = checkerWith(check, { concurrency: 3 });
    checker.watch(states(10));
    expect(asked.map(({ id }) => id)).toEqual(['s0', 's1', 's2']);
    asked[1]?.resolve(true);
    await clock.advance(0);
    expect(asked.map(({ id }) => id)).toEqual(['s0', 's1', 's2', 's3']);
    checker.close();
  });

  it('serves ten thousand instances with one timer', async () => {
    const clock = new ManualClock();
    let most = 0;
    let checks = 0;
    const { checker, changes } = checkerWith(
      () => {
        checks++;
        most = Math.max(most, clock.pendingTimers);
        return true;
      },
      { clock, rng: seededRng(1), concurrency: 500 },
    );
    const all = states(10_000);
    checker.watch(all);
    await clock.advance(0);
    expect(changes).toHaveLength(10_000);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(5_500);
    // One check each at the start, and one each 4.5 to 5.5 s later; those due at 5.5 s sharp may be a millisecond late.
    expect(checks).toBeGreaterThan(19_990);
    expect(checks).toBeLessThanOrEqual(20_000);
    expect(most).toBeLessThanOrEqual(1);
    checker.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('lets others run between checks that answer at once', async () => {
    const seen: string[] = [];
    const check: CheckFunction = ({ instance }) => {
      seen.push(instance.id);
      return true;
    };
    const { checker, clock } = checkerWith(check, { concurrency: 1, intervalMs: 0.001 });
    checker.watch(states(3));
    await settle();
    expect(seen).toEqual(['s0']);
    await clock.advance(0);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    checker.close();
  });

  it('never checks an instance twice at a time, and checks a late one as soon as it can', async () => {
    const { asked, check } = byHand();
    const { checker, clock } = checkerWith(check, { intervalMs: 1_000, timeoutMs: 10_000 });
    checker.watch([state('a')]);
    await clock.advance(3_500);
    expect(asked).toHaveLength(1);
    asked[0]?.resolve(true);
    await clock.advance(0);
    expect(asked).toHaveLength(2);
    checker.close();
  });

  it('is late for all alike when checks cannot keep up', async () => {
    const clock = new ManualClock();
    const atMs = new Map<string, number[]>();
    let underWay = 0;
    const { checker } = checkerWith(
      async ({ instance, signal }) => {
        expect(++underWay).toBeLessThanOrEqual(2);
        atMs.set(instance.id, [...(atMs.get(instance.id) ?? []), clock.now()]);
        await clock.sleep(100, signal);
        underWay--;
        return true;
      },
      { clock, rng: seededRng(1), concurrency: 2, intervalMs: 1_000 },
    );
    checker.watch(states(60));
    await clock.advance(60_000);
    checker.close();
    const counts = [...atMs.values()].map((times) => times.length);
    // Two slots of 100 ms give 20 checks a second, so a round of 60 takes 3 s: three times the interval.
    expect(counts).toHaveLength(60);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(19);
    expect(Math.max(...counts)).toBeLessThanOrEqual(21);
    // A check that is due up to 100 ms after another, by the jitter, can come up to four checks (200 ms) after its place.
    for (const times of atMs.values()) {
      const gaps = times.slice(1).map((ms, i) => ms - (times[i] ?? 0));
      expect(Math.max(...gaps)).toBeLessThanOrEqual(3_300);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_700);
    }
  });

  it('gives up on a check at its time limit, though its function never settles, and uses the place again', async () => {
    const signals: AbortSignal[] = [];
    const seen: string[] = [];
    const { checker, clock, changes } = checkerWith(
      ({ instance, signal }) => {
        seen.push(instance.id);
        signals.push(signal);
        return instance.id === 'a' ? never() : true;
      },
      { concurrency: 1, timeoutMs: 2_000 },
    );
    checker.watch([state('a'), state('b')]);
    await clock.advance(1_999);
    expect(changes).toEqual([]);
    await clock.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(signals[0]?.reason).toMatchObject({ name: 'TimeoutError' });
    expect(seen).toEqual(['a', 'b']);
    expect(changes).toMatchObject([
      { id: 'a', health: 'unhealthy', error: 'no answer within 2000 ms' },
      { id: 'b', health: 'healthy' },
    ]);
    checker.close();
  });

  it('takes no notice of an answer that comes after the time limit', async () => {
    const { asked, check } = byHand();
    const { checker, clock, changes } = checkerWith(check, { timeoutMs: 100, intervalMs: 1_000 });
    const a = state('a');
    checker.watch([a]);
    await clock.advance(1_000);
    expect(asked).toHaveLength(2);
    asked[0]?.resolve(true);
    await clock.advance(0);
    expect(a.health).toBe('unhealthy');
    expect(asked[1]?.signal.aborted).toBe(false);
    expect(changes).toHaveLength(1);
    checker.close();
  });

  it('has timers that let the process exit, all of them', async () => {
    const manual = new ManualClock();
    const timers = { set: 0, unrefed: 0 };
    const clock: Clock = {
      now: () => manual.now(),
      sleep: (ms, signal) => manual.sleep(ms, signal),
      setTimer: (ms, fn) => {
        timers.set++;
        const timer = manual.setTimer(ms, fn);
        return { cancel: () => timer.cancel(), unref: () => timers.unrefed++ };
      },
    };
    const settings = resolveHealthCheck({ check: () => true, intervalMs: 1_000 });
    if (settings === undefined) throw new Error('health checks are off');
    const checker = new HealthChecker(settings, 'orders', { clock, rng: NO_JITTER }, () => {});
    checker.watch(states(3));
    await manual.advance(5_000);
    checker.close();
    expect(timers.set).toBeGreaterThan(5);
    expect(timers.unrefed).toBe(timers.set);
  });
});

describe('what is watched', () => {
  it('keeps its turn when the list changes around it, and new ones are checked at once', async () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    const { checker } = checkerWith(
      ({ instance }) => {
        seen.push(`${instance.id} ${clock.now()}`);
        return true;
      },
      { clock, intervalMs: 1_000 },
    );
    const [a, b, c] = [state('a'), state('b'), state('c')];
    checker.watch([a, b]);
    await clock.advance(400);
    checker.watch([c, b]);
    await clock.advance(1_100);
    checker.close();
    expect(seen).toEqual(['a 0', 'b 0', 'c 400', 'b 1000', 'c 1400']);
  });

  it('is unknown again when nobody watches it any more: its check is aborted, and its answer tells nothing', async () => {
    const { asked, check } = byHand();
    const { checker, clock, changes } = checkerWith(check);
    const [a, b] = [state('a'), state('b')];
    checker.watch([a, b]);
    asked[0]?.resolve(true);
    await settle();
    a.role = 'primary';
    checker.watch([]);
    expect([a.health, a.role]).toEqual(['unknown', undefined]);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([false, true]);
    expect(clock.pendingTimers).toBe(0);
    asked[1]?.resolve(true);
    await settle();
    expect([b.health, changes.length]).toEqual(['unknown', 1]);
    checker.close();
  });

  it('begins anew when it is watched again: the first answer decides', async () => {
    const check = answering(false, true);
    const { checker, clock } = checkerWith(check, { intervalMs: 1_000 });
    const a = state('a');
    checker.watch([a]);
    await settle();
    expect(a.health).toBe('unhealthy');
    checker.watch([]);
    checker.watch([a]);
    await clock.advance(0);
    expect(a.health).toBe('healthy');
    checker.close();
  });

  it('is one state however often it is listed', async () => {
    const { asked, check } = byHand();
    const { checker } = checkerWith(check);
    const a = state('a');
    checker.watch([a, a]);
    expect(asked).toHaveLength(1);
    checker.close();
  });

  it('is checked as its source describes it now', async () => {
    const weights: number[] = [];
    const { checker, clock } = checkerWith(
      ({ instance }) => {
        weights.push(instance.weight);
        return true;
      },
      { intervalMs: 1_000 },
    );
    const a = state('a');
    checker.watch([a]);
    a.instance = state('a', { weight: 5 }).instance;
    await clock.advance(1_000);
    checker.close();
    expect(weights).toEqual([1, 5]);
  });
});

describe('the end', () => {
  it('aborts what is under way, leaves no timer, and tells nothing late', async () => {
    const { asked, check } = byHand();
    const { checker, clock, changes } = checkerWith(check, { concurrency: 2 });
    const all = states(5);
    const uncaught = await collectUncaught(async () => {
      checker.watch(all);
      checker.close();
      checker.close();
      checker.watch(all);
      expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true]);
      expect(clock.pendingTimers).toBe(0);
      asked[0]?.resolve(true);
      asked[1]?.reject(new Error('aborted'));
      await clock.advance(60_000);
    });
    expect(uncaught).toEqual([]);
    expect(changes).toEqual([]);
    expect(asked).toHaveLength(2);
  });

  it('may come from whoever is told of a change', async () => {
    const clock = new ManualClock();
    const rig = checkerWith(() => true, {
      clock,
      intervalMs: 1_000,
      onChange: () => rig.checker.close(),
    });
    rig.checker.watch(states(5));
    await clock.advance(10_000);
    expect(rig.changes).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('may be followed by a change of the list out of a change of health', async () => {
    const [a, b] = [state('a'), state('b')];
    const rig = checkerWith(() => true, {
      intervalMs: 1_000,
      concurrency: 1,
      onChange: (changed) => changed === a && rig.checker.watch([b]),
    });
    rig.checker.watch([a, b]);
    await rig.clock.advance(5_000);
    expect([a.health, b.health]).toEqual(['unknown', 'healthy']);
    expect(rig.changes.map(({ id }) => id)).toEqual(['a', 'b']);
    rig.checker.close();
    expect(rig.clock.pendingTimers).toBe(0);
  });
});
