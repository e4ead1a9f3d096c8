import { describe, expect, it, vi } from 'vitest';
import { InstanceLimits } from '../src/instance-limits.js';
import { InstanceState } from '../src/instance-state.js';
import { adaptiveLoad } from '../src/policies/adaptive-load.js';
import { type ConcurrencyLimit, concurrencyLimit } from '../src/resilience/concurrency-limit.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import { type Watched, watched } from './support/promises.js';
import { state } from './support/states.js';

interface Instances {
  readonly clock: ManualClock;
  readonly limits: InstanceLimits;
  readonly states: readonly InstanceState[];
  /** An attempt at it, as the limits hear of it. */
  begin(of: InstanceState): { end(elapsedMs?: number): void };
  /** One who waits for one of these to have room, and then has an attempt there. */
  wait(...wanted: InstanceState[]): Watched<void>;
}

function instances(
  ids: string,
  limit: number | (() => ConcurrencyLimit),
  queueSize = 10,
): Instances {
  const clock = new ManualClock();
  const create = typeof limit === 'number' ? () => concurrencyLimit(limit, seededRng(1)) : limit;
  const limits = new InstanceLimits(create, queueSize, clock);
  const states = [...ids].map((id) => state(id, { clock }));
  limits.watch(states);
  const begin = (of: InstanceState): { end(elapsedMs?: number): void } => {
    of.pending++;
    limits.began(of);
    return {
      end(elapsedMs = 10) {
        of.pending--;
        limits.ended(of, elapsedMs, 'success', clock.now());
      },
    };
  };
  return {
    clock,
    limits,
    states,
    begin,
    wait(...wanted) {
      const take = (): boolean => {
        const free = wanted.find(({ instance }) => !limits.full.has(instance.id));
        if (free !== undefined) begin(free);
        return free !== undefined;
      };
      return watched(
        limits.whenFree(take, {
          deadlineMs: clock.now() + 1_000,
          signal: undefined,
          error: () => new Error('too late'),
          onFull: () => new Error('full'),
        }),
      );
    },
  };
}

function two(states: readonly InstanceState[]): readonly [InstanceState, InstanceState] {
  const [a, b] = states;
  if (a === undefined || b === undefined) throw new Error('two expected');
  return [a, b];
}

function statusOf(...calls: readonly Watched<void>[]): string[] {
  return calls.map(({ status }) => status);
}

describe('an instance', () => {
  it('is full from its last place on, until one is free', () => {
    const { limits, states, begin } = instances('ab', 2);
    const [a] = two(states);
    const first = begin(a);
    expect([...limits.full]).toEqual([]);
    begin(a);
    expect([...limits.full]).toEqual(['a']);
    first.end();
    expect([...limits.full]).toEqual([]);
  });

  it('is told of by real leases, those that pick gives included', () => {
    const clock = new ManualClock();
    const limits = new InstanceLimits(() => concurrencyLimit(1, seededRng(1)), 10, clock);
    const watching = new InstanceState(state('a').instance, {
      traffic: { inFlight: 0 },
      clock,
      learner: adaptiveLoad(),
      createBreaker: undefined,
      inFlight: limits,
    });
    limits.watch([watching]);
    const lease = watching.begin(0);
    expect([...limits.full]).toEqual(['a']);
    lease.end('ignored');
    lease.end('ignored');
    expect([...limits.full]).toEqual([]);
  });

  it('that has left the list is full no more, whatever is in flight there', async () => {
    const { limits, states, begin, wait } = instances('ab', 1);
    const [a, b] = two(states);
    const old = begin(a);
    begin(b);
    const call = wait(b);
    limits.watch([b]);
    expect([...limits.full]).toEqual(['b']);
    old.end();
    await settle();
    expect(call.status).toBe('pending');
  });

  it('that has moved starts with nothing in flight, and is not mixed up with what it was', () => {
    const { limits, states, begin } = instances('ab', 1);
    const [a, b] = two(states);
    const old = begin(a);
    const moved = state('a');
    limits.watch([moved, b]);
    expect([...limits.full]).toEqual([]);
    const now = begin(moved);
    expect([...limits.full]).toEqual(['a']);
    old.end();
    expect([...limits.full]).toEqual(['a']);
    now.end();
    expect([...limits.full]).toEqual([]);
  });

  it('that comes back finds what is still in flight there', () => {
    const { limits, states, begin } = instances('ab', 1);
    const [a, b] = two(states);
    begin(a);
    limits.watch([b]);
    limits.watch([a, b]);
    expect([...limits.full]).toEqual(['a']);
  });

  it('has a limit of its own, which learns from what was not ignored', () => {
    const made: { limit: number; record: ReturnType<typeof vi.fn> }[] = [];
    const { limits, states, clock, begin } = instances('ab', () => {
      const limit = { limit: 1, record: vi.fn() };
      made.push(limit);
      return limit;
    });
    const [a, b] = two(states);
    begin(a).end(25);
    expect(made).toHaveLength(2);
    const nowMs = clock.now();
    const sample = { nowMs, elapsedMs: 25, inFlight: 1, outcome: 'success', staying: 0 };
    expect(made[0]?.record.mock.calls).toEqual([[sample]]);
    limits.ended(a, 25, 'ignored', 0);
    limits.ended(a, undefined, 'failure', 0);
    expect(made[0]?.record).toHaveBeenCalledTimes(1);
    expect(made[1]?.record).not.toHaveBeenCalled();
    limits.answered(b, 5, 0);
    expect(made[1]?.record).toHaveBeenCalledTimes(1);
    expect([limits.limitOf(a), limits.limitOf(b)]).toEqual([1, 1]);
  });
});

describe('those who wait for room', () => {
  it('have it in the order they came, as many as there is room for', async () => {
    const { limits, states, begin, wait } = instances('ab', 1);
    const [a, b] = two(states);
    const lease = begin(a);
    begin(b);
    const calls = [wait(a, b), wait(a, b), wait(a, b)];
    expect(limits.queued).toBe(3);
    lease.end();
    await settle();
    expect(statusOf(...calls)).toEqual(['resolved', 'pending', 'pending']);
    expect(a.pending).toBe(1);
  });

  it('let those past them who can use what they cannot', async () => {
    const { states, begin, wait } = instances('ab', 1);
    const [a, b] = two(states);
    const lease = begin(a);
    begin(b);
    const calls = [wait(b), wait(a), wait(a)];
    lease.end();
    await settle();
    expect(statusOf(...calls)).toEqual(['pending', 'resolved', 'pending']);
  });

  it('are let in together where the limit has grown', async () => {
    const limit = { limit: 1, record: vi.fn() };
    const { states, begin, wait } = instances('a', () => limit);
    const [a] = states;
    if (a === undefined) throw new Error('one expected');
    const lease = begin(a);
    const calls = [wait(a), wait(a), wait(a)];
    limit.record.mockImplementation(() => (limit.limit = 2));
    lease.end();
    await settle();
    expect(statusOf(...calls)).toEqual(['resolved', 'resolved', 'pending']);
    expect(a.pending).toBe(2);
  });

  it('look again when the list changes, and when something else does', async () => {
    const { limits, states, begin, wait } = instances('ab', 1);
    const [a, b] = two(states);
    begin(a);
    begin(b);
    const c = state('c');
    const calls = [wait(c), wait(c)];
    limits.watch([a, b, c]);
    await settle();
    expect(statusOf(...calls)).toEqual(['resolved', 'pending']);

    let isGone = false;
    const gone = watched(
      limits.whenFree(() => isGone, {
        deadlineMs: 1_000,
        error: () => new Error('too late'),
        onFull: () => new Error('full'),
      }),
    );
    isGone = true;
    limits.tellWaiters();
    await settle();
    expect(gone.status).toBe('resolved');
  });

  it('are no more than the queue holds', async () => {
    const { states, begin, wait } = instances('ab', 1, 1);
    const [a] = two(states);
    begin(a);
    const calls = [wait(a), wait(a)];
    await settle();
    expect(statusOf(...calls)).toEqual(['pending', 'rejected']);
    expect(calls[1]?.error).toEqual(new Error('full'));
  });

  it('are turned away when it closes', async () => {
    const { limits, states, begin, wait, clock } = instances('ab', 1);
    const [a] = two(states);
    begin(a);
    const call = wait(a);
    limits.close(new Error('closed'));
    await settle();
    expect(call.error).toEqual(new Error('closed'));
    expect([limits.queued, clock.pendingTimers]).toEqual([0, 0]);
  });
});
