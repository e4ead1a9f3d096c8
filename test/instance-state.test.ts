import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Breaker,
  InstanceState,
  type Learner,
  type OutlierWatch,
} from '../src/instance-state.js';
import type { Lease } from '../src/lease.js';
import { adaptiveLoad } from '../src/policies/adaptive-load.js';
import { ManualClock } from '../src/testing/manual-clock.js';
import type { LoadReport } from '../src/types.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';
import { state } from './support/states.js';

describe('waitingSinceMs', () => {
  it('is when the oldest attempt began that still waits for its answer', () => {
    const a = state('a');
    expect(a.waitingSinceMs).toBe(Infinity);
    const [first, second, third] = [a.begin(1), a.begin(2), a.begin(3)];
    expect(a.waitingSinceMs).toBe(1);
    first.answered();
    expect(a.waitingSinceMs).toBe(2);
    second.end('failure');
    expect(a.waitingSinceMs).toBe(3);
    third.end('ignored');
    expect(a.waitingSinceMs).toBe(Infinity);
    expect(a.pending).toBe(1);
    first.end('success');
    expect(a.pending).toBe(0);
  });

  it.each(['success', 'answered'] as const)(
    'leaves out those that a %s overtook, not those that began with it or after',
    (how) => {
      const a = state('a');
      a.begin(1);
      a.begin(2);
      const [overtaker, beside] = [a.begin(3), a.begin(3)];
      const later = a.begin(4);
      if (how === 'success') overtaker.end('success');
      else overtaker.answered();
      expect(a.waitingSinceMs).toBe(3);
      beside.end('ignored');
      expect(a.waitingSinceMs).toBe(4);
      later.end('failure');
      expect(a.waitingSinceMs).toBe(Infinity);
      expect(a.pending).toBe(how === 'success' ? 2 : 3);
    },
  );

  it.each(['failure', 'overload', 'ignored'] as const)('a %s overtakes nobody', (outcome) => {
    const a = state('a');
    a.begin(1);
    a.begin(2).end(outcome);
    expect(a.waitingSinceMs).toBe(1);
  });

  it('is right after any order of answers and ends', () => {
    const kinds = ['begin', 'answered', 'success', 'failure', 'ignored'] as const;
    const steps = fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(9)));
    fc.assert(
      fc.property(steps, (given) => {
        const a = state('a');
        // By when they began; the list of the test is walked, where the record's is linked.
        const inFlight = new Map<number, { lease: Lease; waits: boolean }>();
        given.forEach(([what, which], atMs) => {
          if (what === 'begin') {
            inFlight.set(atMs, { lease: a.begin(atMs), waits: true });
            return;
          }
          const [beganMs, entry] = [...inFlight][which] ?? [];
          if (beganMs === undefined || entry === undefined) return;
          const answersNow = !entry.lease.hasAnswered && ['answered', 'success'].includes(what);
          if (what === 'answered') entry.lease.answered();
          else entry.lease.end(what);
          entry.waits = false;
          if (what !== 'answered') inFlight.delete(beganMs);
          if (!answersNow) return;
          for (const [otherMs, other] of inFlight) if (otherMs < beganMs) other.waits = false;
        });
        const waiting = [...inFlight].filter(([, { waits }]) => waits).map(([atMs]) => atMs);
        expect(a.waitingSinceMs).toBe(waiting[0] ?? Infinity);
        expect(a.pending).toBe(inFlight.size);
      }),
      { seed: 8, numRuns: 500 },
    );
  });
});

describe('what the load learns', () => {
  it('is the time until the answer, at once, and only the first time', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    const lease = a.begin(0);
    await clock.advance(40);
    lease.answered();
    expect(a).toMatchObject({ ewmaMs: 40, ewmaAtMs: 40, measured: 1, pending: 1 });
    await clock.advance(60_000);
    lease.answered();
    lease.end('success');
    lease.answered();
    expect(a).toMatchObject({ ewmaMs: 40, measured: 1, pending: 0, successRatio: 1 });
  });

  it('is told apart: an attempt that was overtaken', async () => {
    const clock = new ManualClock();
    const told: unknown[] = [];
    const learner: Learner = {
      name: 'spy',
      of: () => 0,
      observe: (_state, elapsedMs, outcome, nowMs, overtaken) => {
        told.push([elapsedMs, outcome, nowMs, overtaken]);
        return elapsedMs;
      },
    };
    const a = state('a', { clock, learner });
    const slow = a.begin(0);
    await clock.advance(10);
    const quick = a.begin(10);
    await clock.advance(5);
    quick.end('success');
    await clock.advance(5);
    slow.end('success');
    expect(told).toEqual([
      [5, 'success', 15, false],
      [20, 'success', 20, true],
    ]);
  });

  it('a stream that breaks after its answer lowers the success ratio, and nothing else', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    const lease = a.begin(0);
    await clock.advance(40);
    lease.answered();
    await clock.advance(9_000);
    lease.end('failure');
    expect(a).toMatchObject({ ewmaMs: 40, measured: 1, successRatio: 0.9, failuresInARow: 1 });
  });

  it('an answer lets the success ratio recover up to it, and no further', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    a.begin(0).end('failure');
    const lease = a.begin(0);
    await clock.advance(20_000);
    lease.answered();
    expect(a.successRatio).toBeCloseTo(1 - 0.1 / Math.E);
    expect(a.ewmaAtMs).toBe(20_000);
  });

  it('after the end changes nothing, for those that still wait neither', () => {
    const a = state('a');
    const [first, second] = [a.begin(1), a.begin(2)];
    first.end('success');
    first.answered();
    expect(a.waitingSinceMs).toBe(2);
    expect(a.measured).toBe(1);
    second.end('success');
    expect(a.waitingSinceMs).toBe(Infinity);
  });
});

it('an attempt that has its answer holds no other: open for hours, it would keep all since in memory', () => {
  const a = state('a');
  const leases = [a.begin(1), a.begin(2), a.begin(3)];
  leases[1]?.answered();
  expect(leases[1]).toMatchObject({ older: undefined, newer: undefined });
  leases[0]?.answered();
  expect(leases[0]).toMatchObject({ older: undefined, newer: undefined });
  expect(leases[2]).toMatchObject({ older: undefined, newer: undefined });
});

describe('the learner', () => {
  it('is told how long the answer took, the outcome and the time, before anything is written', async () => {
    const clock = new ManualClock();
    const told: unknown[] = [];
    const learner: Learner = {
      name: 'spy',
      of: () => 0,
      observe: ({ ewmaAtMs, measured }, ...rest) => {
        told.push({ ewmaAtMs, measured }, ...rest);
        return 7;
      },
    };
    const a = state('a', { clock, learner });
    a.begin(0).end('ignored');
    const lease = a.begin(0);
    await clock.advance(100);
    lease.end('overload');
    expect(told).toEqual([{ ewmaAtMs: 0, measured: 0 }, 100, 'overload', 100, false]);
    expect(a).toMatchObject({ ewmaMs: 7, ewmaAtMs: 100, measured: 1 });
  });
});

describe('successRatio', () => {
  it('recovers from the outcome before to this one', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    a.begin(0).end('failure');
    await clock.advance(20_000);
    a.begin(20_000).end('failure');
    expect(a.successRatio).toBeCloseTo((1 - 0.1 / Math.E) * 0.9 ** 2, 12);
  });
});

describe('the traffic', () => {
  it('is what is in flight at all instances that share it, answered or not', () => {
    const traffic = { inFlight: 0 };
    const [a, b] = [state('a', { traffic }), state('b', { traffic })];
    const leases = [a.begin(0), b.begin(0), b.begin(0)];
    expect(traffic.inFlight).toBe(3);
    leases[1]?.answered();
    expect(traffic.inFlight).toBe(3);
    leases[1]?.end('ignored');
    leases[1]?.end('ignored');
    expect(traffic.inFlight).toBe(2);
    for (const lease of leases) lease.end('success');
    expect(traffic.inFlight).toBe(0);
  });
});

describe('an answer', () => {
  /** What breaker and watch are told of one lease. */
  async function toldOf(drive: (lease: Lease, clock: ManualClock) => Promise<void>) {
    const clock = new ManualClock();
    const told: unknown[] = [];
    const breaker: Breaker = {
      state: { kind: 'closed' },
      heldUntilMs: -Infinity,
      admit: () => 7,
      record: (permit, outcome, nowMs, _retryAfterMs, answered) =>
        told.push(['breaker', permit, outcome, nowMs, answered]) === 0,
      trip: () => undefined,
      shutdown: () => undefined,
    };
    const a = state('a', {
      clock,
      createBreaker: () => breaker,
      createWatch: () => ({
        record(success, nowMs, answered) {
          told.push(['watch', success, nowMs, answered]);
          return false;
        },
      }),
    });
    await drive(a.begin(0), clock);
    return told;
  }

  it('is a success at once, and not again when what followed ends well', async () => {
    const told = await toldOf(async (lease, clock) => {
      await clock.advance(20);
      lease.answered();
      await clock.advance(3_600_000);
      lease.end('success');
    });
    expect(told).toEqual([
      ['breaker', 7, 'success', 20, false],
      ['watch', true, 20, false],
    ]);
  });

  it('is taken back by a failure that comes later', async () => {
    const told = await toldOf(async (lease, clock) => {
      lease.answered();
      await clock.advance(100);
      lease.end('failure');
    });
    expect(told.slice(2)).toEqual([
      ['breaker', 7, 'failure', 100, true],
      ['watch', false, 100, true],
    ]);
  });
});

describe('the breaker', () => {
  /** A breaker that notes what it is told. */
  function spy(): Breaker & { readonly told: unknown[] } {
    const told: unknown[] = [];
    return {
      told,
      state: { kind: 'half-open', probeUntilMs: undefined },
      heldUntilMs: -Infinity,
      admit: (nowMs) => told.push(['admit', nowMs]),
      record: (permit, outcome, nowMs) => told.push(['record', permit, outcome, nowMs]) === 0,
      trip: (nowMs) => told.push(['trip', nowMs]),
      shutdown: () => told.push(['shutdown']),
    };
  }

  it('is made with the first attempt, and told of each with its permit and the time, ignored ones too', async () => {
    const clock = new ManualClock();
    const breaker = spy();
    const made: InstanceState[] = [];
    const createBreaker = (of: InstanceState): Breaker => {
      made.push(of);
      return breaker;
    };
    const a = state('a', { clock, createBreaker });
    expect(a.breaker.kind).toBe('closed');
    const [first, second] = [a.begin(3), a.begin(4)];
    expect(made).toEqual([a]);
    expect(a.breaker.kind).toBe('half-open');
    await clock.advance(12);
    second.end('ignored');
    await clock.advance(8);
    first.end('failure');
    expect(breaker.told).toEqual([
      ['admit', 3],
      ['admit', 4],
      ['record', 2, 'ignored', 12],
      ['record', 1, 'failure', 20],
    ]);
  });

  it('that closes is the end of what took the instance out: ratio, failures in a row, latency', async () => {
    const clock = new ManualClock();
    let closes = false;
    const a = state('a', {
      clock,
      createBreaker: () => ({ ...spy(), record: () => closes }),
    });
    const failing = a.begin(0);
    await clock.advance(900);
    failing.end('failure');
    a.begin(900).end('failure');
    for (const isAnswered of [false, true]) {
      a.begin(clock.now()).end('failure');
      const before = { successRatio: a.successRatio, ewmaMs: a.ewmaMs };
      expect(before.successRatio).toBeLessThan(1);
      const kept = a.begin(clock.now());
      await clock.advance(5);
      kept.end('success');
      expect(a.successRatio, 'a success alone is not the end of it').toBeLessThan(1);
      closes = true;
      const probe = a.begin(clock.now());
      await clock.advance(7);
      if (isAnswered) probe.answered();
      else probe.end('success');
      expect(a).toMatchObject({ successRatio: 1, failuresInARow: 0, ewmaMs: 7 });
      probe.end('success');
      closes = false;
    }
  });

  it('is told the pause that the instance asked for', () => {
    const pauses: unknown[] = [];
    const breaker = { ...spy(), record: (...told: unknown[]) => pauses.push(told[3]) === 0 };
    const a = state('a', { createBreaker: () => breaker });
    a.begin(0).end('overload', 2_500);
    a.begin(0).end('success');
    expect(pauses).toEqual([2_500, undefined]);
  });

  it('is not told a pause that is none: the lease is then still to be ended', () => {
    const breaker = spy();
    const lease = state('a', { createBreaker: () => breaker }).begin(0);
    expectInvalidOption(
      thrownBy(() => lease.end('failure', -1)),
      'retryAfterMs',
      -1,
    );
    lease.end('failure');
    expect(breaker.told).toEqual([
      ['admit', 0],
      ['record', 1, 'failure', 0],
    ]);
  });

  it('is told nothing more once it is shut down', () => {
    const breaker = spy();
    const a = state('a', { createBreaker: () => breaker });
    const lease = a.begin(0);
    a.shutdown();
    lease.end('failure');
    expect(breaker.told).toEqual([['admit', 0], ['shutdown']]);
    expect(a.breaker.kind).toBe('closed');
  });
});

describe('the outlier watch', () => {
  /** A record whose watch has this answer to every outcome, and what was told, in order. */
  function watchedBy(answer: boolean): { readonly a: InstanceState; readonly told: unknown[] } {
    const told: unknown[] = [];
    const createWatch = (): OutlierWatch => {
      told.push('made');
      return {
        record: (success, nowMs) => {
          told.push(['outcome', success, nowMs]);
          return answer;
        },
      };
    };
    const createBreaker = (): Breaker => ({
      state: { kind: 'closed' },
      heldUntilMs: -Infinity,
      admit: () => 0,
      record: () => told.push('record') === 0,
      trip: (nowMs) => told.push(['trip', nowMs]),
      shutdown: () => undefined,
    });
    const { instance } = state('a');
    const a = new InstanceState(instance, {
      clock: new ManualClock(7),
      learner: adaptiveLoad(),
      traffic: { inFlight: 0 },
      createBreaker,
      createWatch,
    });
    return { a, told };
  }

  it('is made once, and told of what blames or praises, after the breaker', () => {
    const { a, told } = watchedBy(false);
    for (const outcome of ['success', 'overload', 'ignored'] as const) a.begin(7).end(outcome);
    const outcomes = ['record', ['outcome', true, 7], 'record', ['outcome', false, 7], 'record'];
    expect(told).toEqual(['made', ...outcomes]);
  });

  it('trips the breaker when the instance stands out', () => {
    const { a, told } = watchedBy(true);
    a.begin(7).end('failure');
    expect(told).toEqual(['made', 'record', ['outcome', false, 7], ['trip', 7]]);
  });
});

describe('the capacity', () => {
  it('is the weight times the ramp, whichever changes', () => {
    const a = state('a', { weight: 2 });
    expect(a.capacity).toBe(2);
    a.ramp = 0.5;
    expect(a.capacity).toBe(1);
    a.instance = { ...a.instance, weight: 8 };
    expect(a.capacity).toBe(4);
    a.ramp = 1;
    expect(a.capacity).toBe(8);
  });
});

describe('failuresInARow', () => {
  it('counts failures and overloads until a success, and not what is ignored', () => {
    const a = state('a');
    for (const outcome of ['failure', 'overload', 'ignored'] as const) a.begin(0).end(outcome);
    expect(a.failuresInARow).toBe(2);
    a.begin(0).end('success');
    expect(a.failuresInARow).toBe(0);
  });
});

describe('seed', () => {
  it('is overruled by whatever was measured', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    a.seed(70, 5);
    expect(a).toMatchObject({ ewmaMs: 70, ewmaAtMs: 5, measured: 0 });
    const lease = a.begin(0);
    await clock.advance(10);
    lease.end('success');
    a.seed(70, 20);
    expect(a).toMatchObject({ ewmaMs: 10, ewmaAtMs: 10 });
  });

  it('is brought up to date while the first attempts have not ended', () => {
    const a = state('a');
    a.seed(70, 5);
    a.begin(6);
    a.seed(90, 7);
    expect(a).toMatchObject({ ewmaMs: 90, ewmaAtMs: 7 });
  });
});

describe('report', () => {
  it('is kept with the time it came', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    await clock.advance(7);
    a.begin(7).report({ qps: 100, utilization: 0.5 });
    expect(a.report).toEqual({ qps: 100, utilization: 0.5, errorsPerSecond: 0, atMs: 7 });
  });

  it.each([
    { qps: 0, utilization: 0.5 },
    { qps: 100, utilization: 0 },
  ])('of %j leaves the one before in force', (quiet) => {
    const a = state('a');
    const lease = a.begin(0);
    lease.report({ qps: 100, utilization: 0.5 });
    lease.report(quiet);
    expect(a.report).toMatchObject({ qps: 100, utilization: 0.5 });
  });

  it.each([
    ['qps', -1],
    ['qps', undefined],
    ['utilization', NaN],
    ['errorsPerSecond', -0.1],
  ])('with %s %s is refused and names it', (field, value) => {
    const a = state('a');
    const lease = a.begin(0);
    const report = { qps: 1, utilization: 1, errorsPerSecond: 0, [field]: value } as LoadReport;
    expectInvalidOption(
      thrownBy(() => lease.report(report)),
      `report.${field}`,
      value,
    );
    expect(a.report).toBeUndefined();
  });
});
