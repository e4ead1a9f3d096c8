import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FairleadEvents } from '../src/events.js';
import { settle } from '../src/testing/manual-clock.js';
import type { Settled, Verdict } from '../src/types.js';
import { hedging } from './hedging-rig.js';
import { collectUncaught, watched } from './support/promises.js';

/** What one attempt does: after so long it returns what is judged so, or throws it; it may heed its signal. */
interface Play {
  readonly afterMs: number;
  readonly throws: boolean;
  readonly verdict: Verdict;
  readonly heedsSignal: boolean;
}

/** Few different times, so that many fall into one tick. */
const play: fc.Arbitrary<Play> = fc.record({
  afterMs: fc.constantFrom(0, 10, 20, 30, 40, 100_000),
  throws: fc.boolean(),
  verdict: fc.constantFrom<Verdict>(
    { outcome: 'success', retry: 'never' },
    { outcome: 'ignored', retry: 'never' },
    { outcome: 'failure', retry: 'never' },
    { outcome: 'failure', retry: 'if-idempotent' },
    { outcome: 'failure', retry: 'always' },
    { outcome: 'overload', retry: 'if-idempotent', where: 'elsewhere' },
  ),
  heedsSignal: fc.boolean(),
});

const AT_ONCE: Play = {
  afterMs: 0,
  throws: false,
  verdict: { outcome: 'success', retry: 'never' },
  heedsSignal: false,
};

const scene = fc.record({
  instances: fc.constantFrom(['a'], ['a', 'b'], ['a', 'b', 'c']),
  maxAttempts: fc.integer({ min: 2, max: 4 }),
  plays: fc.array(play, { minLength: 4, maxLength: 4 }),
  cancelAfterMs: fc.constantFrom(undefined, undefined, undefined, 5, 10, 20, 30),
  timeoutMs: fc.constantFrom(20, 80, 1_000),
  attemptTimeoutMs: fc.constantFrom(undefined, 10, 20, 60),
});

/** What an attempt settles with. */
class Result extends Error {
  constructor(
    readonly verdict: Verdict,
    readonly attempt: number,
  ) {
    super('a result');
  }
}

function resultOf(settled: Settled): unknown {
  return settled.ok ? settled.value : settled.error;
}

it('a call that may be hedged ends in time, once, and leaves nothing behind, whatever its attempts do', async () => {
  let hedges = 0;
  let ties = 0;
  const uncaught = await collectUncaught(() =>
    fc.assert(
      fc.asyncProperty(
        scene,
        async ({ instances, maxAttempts, plays, cancelAfterMs, timeoutMs, attemptTimeoutMs }) => {
          const { client, clock, ended } = await hedging(instances, {
            retry: { maxAttempts },
            classify: (settled) => {
              const result = resultOf(settled);
              return result instanceof Result ? result.verdict : undefined;
            },
          });
          const made = new Map<Result, { freed: number }>();
          const began: string[] = [];
          const controller = new AbortController();
          if (cancelAfterMs !== undefined) {
            clock.setTimer(cancelAfterMs, () => {
              controller.abort(new Error('cancelled'));
            });
          }
          const call = watched(
            client.call(
              async ({ attempt, instance, signal }) => {
                began.push(instance.id);
                const { afterMs, throws, verdict, heedsSignal } = plays[attempt - 1] ?? AT_ONCE;
                await clock.sleep(afterMs, heedsSignal ? signal : undefined);
                const result = new Result(verdict, attempt);
                made.set(result, { freed: 0 });
                if (throws) throw result;
                return result;
              },
              {
                idempotent: true,
                signal: controller.signal,
                timeoutMs,
                attemptTimeoutMs,
                discard: (settled) => {
                  const found = made.get(resultOf(settled) as Result);
                  if (found !== undefined) found.freed++;
                },
              },
            ),
          );
          await clock.advance(timeoutMs);
          expect(call.status).not.toBe('pending');
          const { inFlight, instances: rows } = client.snapshot();
          expect(inFlight).toBe(0);
          for (const { pending } of rows) expect(pending).toBe(0);
          await clock.advance(200_000); // those who do not heed their signal settle at last
          expect(clock.pendingTimers).toBe(0);
          expectSound(ended, began, maxAttempts, instances.length);
          // What an attempt gave is the call's, or it was freed: once, and not both.
          for (const [result, { freed }] of made) {
            const isCalls = call.value === result || call.error === result;
            expect([result.attempt, freed]).toEqual([result.attempt, isCalls ? 0 : 1]);
          }
          const hedge = ended.find(({ kind }) => kind === 'hedge');
          if (hedge !== undefined) hedges++;
          const first = ended.find(({ kind }) => kind === 'first');
          const isTie = hedge !== undefined && first?.durationMs === hedge.durationMs + 10;
          if (isTie && hedge.ended !== 'cancelled' && hedge.ended !== 'lost') ties++;
          await client.close();
          await settle();
        },
      ),
      { numRuns: 1_000 },
    ),
  );
  expect(uncaught).toEqual([]);
  // Else this has shown nothing.
  expect(hedges).toBeGreaterThan(100);
  expect(ties).toBeGreaterThan(20);
});

function expectSound(
  ended: readonly FairleadEvents['attempt.ended'][],
  began: readonly string[],
  maxAttempts: number,
  instances: number,
): void {
  expect(ended).toHaveLength(began.length); // each attempt ends exactly once
  expect(new Set(ended.map(({ attempt }) => attempt)).size).toBe(ended.length);
  expect(began.length).toBeLessThanOrEqual(maxAttempts);
  expect(ended.filter(({ kind }) => kind === 'first').length).toBeLessThanOrEqual(1);
  expect(ended.filter(({ kind }) => kind === 'hedge').length).toBeLessThanOrEqual(1);
  for (const { kind, attempt } of ended) if (kind === 'hedge') expect(attempt).toBe(2);
  // No instance twice while there is one that was not tried.
  const first = began.slice(0, instances);
  expect(new Set(first).size).toBe(first.length);
}
