import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AttemptContext } from '../src/attempt-context.js';
import { FairleadError, storyOf } from '../src/errors.js';
import type { PolicyName } from '../src/options.js';
import { refused, reset } from './support/errors.js';
import { type Schedule, schedule } from './support/fault-schedule.js';
import { play, type SeenCall, type SeenRun } from './support/faulty-run.js';
import { rig, row, specs } from './support/fixtures.js';
import { collectUncaught, never, watched } from './support/promises.js';

type Play = 'ok' | 'reset' | 'refused' | 'busy' | 'not-found' | 'hang' | 'slow' | 'throw';
const PLAYS: readonly Play[] = [
  'ok',
  'reset',
  'refused',
  'busy',
  'not-found',
  'hang',
  'slow',
  'throw',
];
const RETRIED_IF_IDEMPOTENT = new Set<Play>(['reset', 'busy', 'hang', 'throw']);

const scenario = fc.record({
  plays: fc.array(fc.constantFrom(...PLAYS), { minLength: 1, maxLength: 8 }),
  names: fc.uniqueArray(fc.constantFrom('a', 'b*2', 'c*3', 'd', 'e*100'), { minLength: 1 }),
  maxAttempts: fc.integer({ min: 1, max: 6 }),
  idempotent: fc.boolean(),
  timeoutMs: fc.integer({ min: 1, max: 2_000 }),
  attemptTimeoutMs: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  policy: fc.constantFrom<PolicyName>(
    'random',
    'p2c',
    'adaptive',
    'peak-ewma',
    'round-robin',
    'weighted-round-robin',
  ),
  abortAtMs: fc.option(fc.integer({ min: 0, max: 1_000 }), { nil: undefined }),
});

it('whatever happens, a call keeps its promises', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const { plays, names, maxAttempts, idempotent, timeoutMs, attemptTimeoutMs, abortAtMs } =
        given;
      const { client, clock } = await rig(names, {
        retry: { maxAttempts },
        policy: given.policy,
        breaker: false,
      });
      const sent: { readonly id: string; readonly play: Play; readonly atMs: number }[] = [];
      const fn = async ({ instance }: AttemptContext): Promise<unknown> => {
        const play = plays[sent.length % plays.length] ?? 'ok';
        sent.push({ id: instance.id, play, atMs: clock.now() });
        if (play === 'reset') throw reset();
        if (play === 'refused') throw refused();
        if (play === 'throw') throw new Error('bug');
        if (play === 'busy')
          return new Response(null, { status: 503, headers: { 'retry-after': '1' } });
        if (play === 'not-found') return new Response(null, { status: 404 });
        if (play === 'hang') return never();
        if (play === 'slow') await clock.sleep(30);
        return 'ok';
      };
      const stop = new AbortController();
      const reason = new Error('enough');
      const call = watched(
        client.call(fn, { idempotent, timeoutMs, attemptTimeoutMs, signal: stop.signal }),
      );
      if (abortAtMs !== undefined) {
        await clock.advance(abortAtMs);
        const was = call.status;
        stop.abort(reason);
        await clock.advance(0);
        if (was === 'pending') expect(call.error).toBe(reason);
      }
      await clock.advance(Math.max(0, timeoutMs - clock.now()));

      expect(call.status, 'settles by its deadline').not.toBe('pending');
      expect(sent.length).toBeLessThanOrEqual(maxAttempts);
      for (const { atMs } of sent) expect(atMs).toBeLessThan(timeoutMs);
      const ids = sent.map(({ id }) => id);
      const firstRound = ids.slice(0, names.length);
      expect(new Set(firstRound).size, 'none twice while another is left').toBe(firstRound.length);
      if (!idempotent) {
        const repeated = sent.slice(0, -1).filter(({ play }) => play !== 'refused');
        expect(repeated, 'nothing that may have been sent is sent again').toEqual([]);
      }
      for (const { play } of sent.slice(0, -1)) {
        const limited = play === 'slow'; // may hit its attempt timeout
        expect(play === 'refused' || limited || RETRIED_IF_IDEMPOTENT.has(play)).toBe(true);
      }
      for (const { id, pending, attempts } of client.snapshot().instances) {
        expect(pending, 'every lease has ended').toBe(0);
        expect(attempts).toBe(ids.filter((other) => other === id).length);
      }
      expect(client.snapshot().inFlight).toBe(0);
      const slow = sent.filter(({ play }) => play === 'slow').length;
      expect(clock.pendingTimers, "only the functions' own sleeps are left").toBeLessThanOrEqual(
        slow,
      );
      await client.close();
    }),
    { seed: 12, numRuns: 400 },
  );
});

it('an idempotent call over instances of which one is good always succeeds, given attempts for all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.nat(5),
      fc.constantFrom<Play>('reset', 'refused', 'throw'),
      async (n, at, play) => {
        const names = 'abcdef'.slice(0, n).split('');
        const good = names[at % n];
        const { client, clock } = await rig(names, { retry: { maxAttempts: n } });
        for (let i = 0; i < 10; i++) {
          const call = watched(
            client.call(
              ({ instance }) => {
                if (instance.id === good) return 'ok';
                throw play === 'refused' ? refused() : reset();
              },
              { idempotent: true },
            ),
          );
          await clock.advance(2_000);
          expect(call.value).toBe('ok');
        }
        await client.close();
      },
    ),
    { seed: 13, numRuns: 60 },
  );
});

it('picks only listed instances, whatever the source says meanwhile', async () => {
  const lists = fc.array(fc.subarray(['a', 'b*2', 'c', 'd*0', 'e']), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(lists, async (given) => {
      const { client, source, clock } = await rig(['a'], { shrinkGraceMs: 0 });
      for (const names of given) {
        source.set(specs(...names));
        await clock.advance(1);
        const taking = names.filter((name) => !name.endsWith('*0')).map((name) => name[0]);
        for (let i = 0; i < 5; i++) {
          const call = watched(client.call(({ instance }) => instance.id));
          await clock.advance(0);
          if (taking.length === 0) expect(call.status).toBe('rejected');
          else expect(taking).toContain(call.value);
        }
      }
      await client.close();
    }),
    { seed: 14, numRuns: 100 },
  );
});

describe('under a random schedule of faults, with many calls on one client', () => {
  afterEach(() => {
    vi.restoreAllMocks(); // of the run that failed
  });

  it('every call, lease and bound keeps its promise', { timeout: 60_000 }, async () => {
    const seen = new Set<string>();
    const uncaught = await collectUncaught(() =>
      fc.assert(
        fc.asyncProperty(schedule, async (given) => {
          const run = await play(given);
          for (const call of run.calls) checkCall(call, given);
          checkBounds(run, given);
          for (const call of run.calls) for (const what of whatHappened(call)) seen.add(what);
        }),
        { seed: 15, numRuns: 300, interruptAfterTimeLimit: 45_000, markInterruptAsFailure: true },
      ),
    );
    expect(uncaught).toEqual([]);
    expect([...seen].sort(), 'there is nothing that the schedules never bring about').toEqual(
      EVERYTHING,
    );
  });
});

describe('what schedules have found', () => {
  it('a success that is to be retried is retried on another instance', async () => {
    const { client, clock } = await rig(['a*1000', 'b'], {
      policy: 'random',
      retry: { maxAttempts: 2 },
    });
    const sent: string[] = [];
    const call = watched(
      client.call(({ instance }) => sent.push(instance.id), {
        classify: () => ({ outcome: 'success', retry: 'always' }), // not ready yet, say
      }),
    );
    await clock.advance(1_000);
    expect(call.value).toBe(2);
    expect(sent.sort()).toEqual(['a', 'b']);
    await client.close();
  });

  it('a success that was retried is told of by the error in the end', async () => {
    const { client, clock } = await rig(['a', 'b']);
    const error = reset();
    let sent = 0;
    const call = watched(
      client.call(() => (++sent === 1 ? 'not yet' : Promise.reject(error)), {
        classify: ({ ok }) => (ok ? { outcome: 'success', retry: 'always' } : undefined),
      }),
    );
    await clock.advance(1_000);
    expect(call.error).toBe(error);
    expect(storyOf(error).attempts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    await client.close();
  });

  it('an instance that comes once all others were tried, and tried again, is the next', async () => {
    const { client, source, clock } = await rig(['a*1000', 'b*1000'], {
      policy: 'random',
      retry: { maxAttempts: 4 },
      breaker: false,
    });
    const sent: string[] = [];
    const call = watched(
      client.call(
        async ({ instance }) => {
          sent.push(instance.id);
          await clock.sleep(100);
          throw reset();
        },
        { idempotent: true },
      ),
    );
    while (sent.length < 3) await clock.advance(1);
    source.set(specs('a*1000', 'b*1000', 'c'));
    await clock.advance(1_000);
    expect(call.status).toBe('rejected');
    expect(sent[3]).toBe('c');
    await client.close();
  });

  it('nothing is sent when an instance has room just as the call has no more time', async () => {
    const { client, clock } = await rig(['a'], { maxConcurrency: { perInstance: 1 } });
    const calls: Promise<unknown>[] = [];
    for (const timeoutMs of [100, 100]) {
      calls.push(client.call(() => clock.sleep(100), { timeoutMs }).catch(() => undefined));
    }
    await clock.advance(100);
    await Promise.all(calls);
    expect(row(client, 'a').attempts).toBe(1);
    await client.close();
  });
});

/** What can become of calls and attempts, sorted. */
const EVERYTHING = [
  'ERR_FAIRLEAD_ATTEMPT_TIMEOUT',
  'ERR_FAIRLEAD_CONCURRENCY_LIMIT',
  'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
  'ERR_FAIRLEAD_NOT_READY',
  'ERR_FAIRLEAD_NO_INSTANCES',
  'budget exhausted',
  'cancelled',
  'deadline',
  'fallback',
  'first',
  'hedge',
  'lost',
  'queued',
  'reserve',
  'retry',
  'returned',
  'same again',
  'threw',
  'timed-out',
];

function* whatHappened({ attempts, records, status, value, error }: SeenCall): Iterable<string> {
  for (const { kind, ended } of records) yield* [kind, ended];
  for (const { isAgain, isReserve, queued } of attempts) {
    if (isAgain) yield 'same again';
    if (isReserve) yield 'reserve';
    if (queued > 0) yield 'queued';
  }
  if (value === 'stale') yield 'fallback';
  if (status !== 'rejected') return;
  if (error instanceof FairleadError) yield error.code;
  if (storyOf(error).budgetExhausted) yield 'budget exhausted';
}

function checkCall(call: SeenCall, { options, lateMs }: Schedule): void {
  const { plan, attempts, records, cancelled } = call;
  const { maxAttempts = 0 } = orEmpty(options.retry);

  expect(call.status).not.toBe('pending');
  // A timer that is late is given one more turn, which may be late, too: 48 ms at most.
  const endMs = Math.max(call.startMs, call.deadlineMs) + 2 * lateMs;
  expect(call.settledAtMs, 'settles by its deadline').toBeLessThanOrEqual(endMs);
  if (cancelled !== undefined) {
    expect(call).toMatchObject({ error: call.reason, settledAtMs: cancelled.atMs });
    expect(attempts.length, 'nothing is sent once it is cancelled').toBe(cancelled.attempts);
  } else if (plan.fallback === 'value' || plan.fallback === 'function') {
    expect(call.status).toBe('resolved');
  }

  expect(attempts.length).toBeLessThanOrEqual(maxAttempts);
  if (!plan.replayable) expect(attempts.length).toBeLessThanOrEqual(1);
  for (const sent of attempts) {
    expect(sent.atMs, 'nothing is sent past the deadline').toBeLessThan(call.deadlineMs);
    expect(sent.timeoutMs).toBeGreaterThan(0);
    expect(sent.atMs + sent.timeoutMs).toBeLessThanOrEqual(call.deadlineMs + 1e-6);
    if (sent.isAgain) expect(sent.untried, 'none twice while another is untried').toEqual([]);
  }

  expect(call.recordsAtEnd, 'all is told before the call settles').toBe(attempts.length);
  expect(records.length).toBe(attempts.length);
  const numbers = records.map(({ attempt }) => attempt).sort((a, b) => a - b);
  expect(numbers).toEqual(attempts.map((_, i) => i + 1));
  for (const { attempt, kind, instanceId } of records) {
    const sent = attempts[attempt - 1];
    expect(instanceId).toBe(sent?.id);
    if (attempt === 1) expect(kind).toBe('first');
    else expect(['retry', 'hedge']).toContain(kind);
    if (kind === 'hedge') {
      expect(attempt).toBe(2);
      expect(plan.idempotent && plan.replayable && plan.hedge).toBe(true);
      expect(sent?.isAgain).toBe(false);
      expect(sent?.isReserve).toBe(false);
    }
  }
  if (!plan.idempotent) {
    const repeated = attempts.slice(0, -1).filter(({ play: { kind, verdict } }) => {
      const isUnsent = kind === 'refused' || kind === 'nest';
      return !isUnsent && !(kind === 'judged' && verdict.retry === 'always');
    });
    expect(repeated, 'nothing that may have been sent is sent again').toEqual([]);
  }
}

function checkBounds(
  { calls, leases, before, listeners, timers }: SeenRun,
  { options }: Schedule,
): void {
  expect(leases.ended.length, 'each lease ends once').toBe(leases.choices.size);
  expect(new Set(leases.ended).size).toBe(leases.choices.size);
  expect(before.instances.filter(({ pending }) => pending !== 0)).toEqual([]);
  expect(before).toMatchObject({ inFlight: 0, queued: 0 });
  expect(listeners).toBe(0);
  expect(timers).toBe(0);

  const { client, perInstance, queueSize = 0 } = orEmpty(options.maxConcurrency);
  for (const { pending, callsUnderWay, queued } of calls.flatMap(({ attempts }) => attempts)) {
    if (typeof client === 'number') expect(callsUnderWay).toBeLessThanOrEqual(client);
    if (typeof perInstance === 'number') expect(pending).toBeLessThanOrEqual(perInstance);
    expect(queued).toBeLessThanOrEqual(2 * queueSize);
  }

  const records = calls.flatMap((call) => call.records);
  const { budget } = orEmpty(options.retry);
  if (budget && budget.minPerSecond === 0) {
    const extra = records.filter(({ kind }) => kind !== 'first').length;
    const successes = records.filter(({ outcome }) => outcome === 'success').length;
    expect(extra).toBeLessThanOrEqual((budget.ratio ?? 0) * successes + 1e-6);
  }
}

/** The options of what is not turned off. */
function orEmpty<T extends object>(options: T | false | undefined): Partial<T> {
  return options === false || options === undefined ? {} : options;
}
