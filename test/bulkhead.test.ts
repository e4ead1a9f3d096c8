import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Bulkhead, type Turn } from '../src/bulkhead.js';
import { type ConcurrencyLimit, concurrencyLimit } from '../src/resilience/concurrency-limit.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import { type Watched, watched } from './support/promises.js';
import { state } from './support/states.js';

const TOO_LATE = new Error('too late');
const FULL = new Error('full');

interface Door {
  readonly clock: ManualClock;
  readonly bulkhead: Bulkhead;
  turn(timeoutMs?: number, signal?: AbortSignal): Turn;
  /** A call at the door; `undefined` when it is let in at once. */
  enter(timeoutMs?: number, signal?: AbortSignal): Watched<void> | undefined;
}

function door(limit: number | ConcurrencyLimit, queueSize = 100): Door {
  const clock = new ManualClock();
  const bulkhead = new Bulkhead(
    typeof limit === 'number' ? concurrencyLimit(limit, seededRng(1)) : limit,
    queueSize,
    clock,
  );
  const turn: Door['turn'] = (timeoutMs = 1_000, signal) => ({
    deadlineMs: clock.now() + timeoutMs,
    signal,
    error: () => TOO_LATE,
    onFull: () => FULL,
  });
  return {
    clock,
    bulkhead,
    turn,
    enter(timeoutMs, signal) {
      const entered = bulkhead.enter(turn(timeoutMs, signal));
      return entered && watched(entered);
    },
  };
}

describe('a bulkhead', () => {
  it('lets in as many as the limit says, at once and without a timer', () => {
    const { bulkhead, clock, enter } = door(2);
    expect([enter(), enter()]).toEqual([undefined, undefined]);
    expect(enter()?.status).toBe('pending');
    expect([bulkhead.inside, bulkhead.queued, clock.pendingTimers]).toEqual([2, 1, 1]);
  });

  it('lets nobody overtake those who wait', async () => {
    const { bulkhead, enter } = door(1);
    enter();
    const second = enter();
    bulkhead.leave(); // the second is in, though it does not know yet
    const third = enter();
    await settle();
    expect([second?.status, third?.status]).toEqual(['resolved', 'pending']);
    expect(bulkhead.inside).toBe(1);
  });

  it('turns away who finds the queue full, or none to wait in', async () => {
    const { bulkhead, enter } = door(1, 1);
    enter();
    const waits = enter();
    const turnedAway = enter();
    await settle();
    expect([waits?.status, turnedAway?.error]).toEqual(['pending', FULL]);
    expect(bulkhead.queued).toBe(1);

    const narrow = door(1, 0);
    narrow.enter();
    const second = narrow.enter();
    await settle();
    expect(second?.error).toBe(FULL);
    narrow.bulkhead.leave();
    expect(narrow.enter()).toBeUndefined();
  });

  it('frees the place in the queue of who gives up', async () => {
    const { bulkhead, clock, enter } = door(1, 2);
    enter();
    const stop = new AbortController();
    const impatient = enter(100);
    const cancelled = enter(1_000, stop.signal);
    stop.abort();
    const next = enter();
    await clock.advance(100);
    expect([impatient?.error, cancelled?.status, next?.status]).toEqual([
      TOO_LATE,
      'rejected',
      'pending',
    ]);
    bulkhead.leave();
    await settle();
    expect(next?.status).toBe('resolved');
    expect([bulkhead.inside, bulkhead.queued, clock.pendingTimers]).toEqual([1, 0, 0]);
  });

  it('takes no slot for one that gives up, even as another leaves', async () => {
    const { bulkhead, enter } = door(1);
    enter();
    const stop = new AbortController();
    const cancelled = enter(1_000, stop.signal);
    const next = enter();
    stop.abort();
    bulkhead.leave();
    await settle();
    expect([cancelled?.status, next?.status]).toEqual(['rejected', 'resolved']);
    bulkhead.leave();
    expect(bulkhead.inside).toBe(0);
  });

  it('turns away those who wait when it closes', async () => {
    const { bulkhead, clock, enter } = door(1);
    enter();
    const waits = enter();
    const closed = new Error('closed');
    bulkhead.close(closed);
    await settle();
    expect(waits?.error).toBe(closed);
    bulkhead.leave();
    expect([bulkhead.inside, bulkhead.queued, clock.pendingTimers]).toEqual([0, 0, 0]);
  });

  it('lets in several when the limit grows, and nobody when it shrinks, until enough have left', async () => {
    const limit = { limit: 1, record: vi.fn() };
    const { bulkhead, enter } = door(limit);
    enter();
    const waiting = [enter(), enter(), enter()];
    const instance = state('a');
    limit.record.mockImplementationOnce(() => (limit.limit = 3));
    bulkhead.ended(instance, 50, 'success', 1_000);
    await settle();
    expect(limit.record).toHaveBeenCalledWith({
      nowMs: 1_000,
      elapsedMs: 50,
      inFlight: 1,
      outcome: 'success',
    });
    expect(waiting.map((one) => one?.status)).toEqual(['resolved', 'resolved', 'pending']);

    limit.record.mockImplementationOnce(() => (limit.limit = 1));
    bulkhead.answered(instance, 50, 2_000);
    bulkhead.leave();
    bulkhead.leave();
    await settle();
    expect(waiting[2]?.status).toBe('pending');
    bulkhead.leave();
    await settle();
    expect(waiting[2]?.status).toBe('resolved');

    bulkhead.ended(instance, 50, 'ignored', 3_000);
    bulkhead.ended(instance, undefined, 'success', 3_000); // was answered before, and counted then
    expect(limit.record).toHaveBeenCalledTimes(2);
  });
});

type Step =
  | { readonly kind: 'enter'; readonly timeoutMs: number }
  | { readonly kind: 'leave' }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'limit'; readonly limit: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('enter'), timeoutMs: fc.nat(200) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'leave' } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel'), which: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 1, max: 60 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('limit'), limit: fc.integer({ min: 1, max: 4 }) }),
  },
);

it('whatever happens, it holds its bounds, loses no slot and lets in who has waited longest', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 5 }),
      async (steps, queueSize) => {
        const limit = { limit: 2, record: () => undefined };
        const { bulkhead, clock, turn } = door(limit, queueSize);
        interface Caller {
          readonly cameAtMs: number;
          readonly deadlineMs: number;
          readonly stop: AbortController;
          state: 'waiting' | 'inside' | 'out' | 'gave up';
        }
        const callers: Caller[] = [];
        const inside = (): Caller[] => callers.filter(({ state }) => state === 'inside');
        /** Those who may be let in before the others. */
        const ahead = (): Caller[] => {
          const waiting = callers.filter(
            ({ state, deadlineMs }) => state === 'waiting' && clock.now() < deadlineMs,
          );
          const half = ({ cameAtMs, deadlineMs }: Caller): number => (cameAtMs + deadlineMs) / 2;
          const inTime = waiting.filter((caller) => clock.now() < half(caller));
          return inTime.length > 0 ? inTime : waiting;
        };
        let letIn: Caller[] = [];
        for (const one of steps) {
          let expected: Caller[] = [];
          letIn = [];
          if (one.kind === 'enter') {
            const stop = new AbortController();
            const cameAtMs = clock.now();
            const deadlineMs = cameAtMs + one.timeoutMs;
            const caller: Caller = { cameAtMs, deadlineMs, stop, state: 'waiting' };
            const couldWait = bulkhead.queued < queueSize;
            const room = bulkhead.queued === 0 && bulkhead.inside < limit.limit;
            const entered = bulkhead.enter(turn(one.timeoutMs, stop.signal));
            expect(entered === undefined).toBe(room);
            callers.push(caller);
            if (entered === undefined) caller.state = 'inside';
            else if (!couldWait) {
              caller.state = 'gave up';
              await expect(entered).rejects.toBe(FULL);
            } else {
              entered.then(
                () => {
                  letIn.push(caller);
                  caller.state = 'inside';
                },
                () => {
                  caller.state = 'gave up';
                },
              );
            }
          } else if (one.kind === 'leave') {
            const [leaving] = inside();
            if (leaving === undefined) continue;
            leaving.state = 'out';
            if (bulkhead.inside <= limit.limit) expected = ahead().slice(0, 1);
            bulkhead.leave();
          } else if (one.kind === 'cancel') callers[one.which]?.stop.abort();
          else if (one.kind === 'wait') await clock.advance(one.ms);
          else if (bulkhead.queued === 0) limit.limit = one.limit;
          await settle();
          expect(letIn, 'who has waited longest').toEqual(expected);
          expect(bulkhead.inside, 'inside').toBe(inside().length);
          expect(bulkhead.queued).toBeLessThanOrEqual(queueSize);
          const waiting = callers.filter(({ state }) => state === 'waiting');
          expect(bulkhead.queued).toBe(waiting.length);
          for (const { deadlineMs } of waiting) expect(clock.now()).toBeLessThan(deadlineMs + 1);
        }
        while (inside().length > 0) {
          for (const caller of inside()) {
            caller.state = 'out';
            const expected = bulkhead.inside <= limit.limit ? ahead().slice(0, 1) : [];
            letIn = [];
            bulkhead.leave();
            await settle();
            expect(letIn).toEqual(expected);
          }
        }
        await clock.advance(1_000);
        expect([bulkhead.inside, bulkhead.queued, clock.pendingTimers]).toEqual([0, 0, 0]);
        expect(bulkhead.enter(turn())).toBeUndefined();
      },
    ),
    { numRuns: 300, seed: 5 },
  );
});
