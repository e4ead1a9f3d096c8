/** Plays a {@link Schedule} on a client in virtual time, and notes what can be seen of it. */
import { getEventListeners } from 'node:events';
import type { AttemptContext } from '../../src/attempt-context.js';
import { type Client, createClient } from '../../src/client.js';
import type { ClientSnapshot } from '../../src/client-snapshot.js';
import { sleepOn } from '../../src/env.js';
import { Lease } from '../../src/lease.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { AttemptRecord, Clock, Outcome, Rng, Verdict } from '../../src/types.js';
import { refused, reset } from './errors.js';
import {
  LAST_BEGIN_MS,
  LATE_ANSWER_MS,
  LONGEST_TIMEOUT_MS,
  type PlannedCall,
  type Play,
  type Schedule,
} from './fault-schedule.js';
import { type Choice, LeaseWatch } from './lease-watch.js';
import { never } from './promises.js';

/** An attempt, as its function saw it. */
export interface SeenAttempt {
  readonly id: string;
  readonly atMs: number;
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly play: Play;
  /** Instances this call had not tried, and could have gone to instead. */
  readonly untried: readonly string[];
  /** The call had tried this one before. */
  readonly isAgain: boolean;
  /** It was a reserve, that has no share of the calls. */
  readonly isReserve: boolean;
  /** Calls with an attempt under way, this one included. */
  readonly callsUnderWay: number;
  /** Attempts in flight at the instance, this one included. */
  readonly pending: number;
  readonly queued: number;
}

/** A call, as its caller saw it. */
export interface SeenCall {
  readonly plan: PlannedCall;
  readonly startMs: number;
  readonly deadlineMs: number;
  readonly stop: AbortController;
  readonly reason: Error;
  readonly attempts: SeenAttempt[];
  readonly records: AttemptRecord[];
  /** Those that were known when the call settled. */
  recordsAtEnd: number | undefined;
  status: 'pending' | 'resolved' | 'rejected';
  value: unknown;
  error: unknown;
  settledAtMs: number | undefined;
  /** When it was cancelled while it was pending, and how many attempts had been made. */
  cancelled: { readonly atMs: number; readonly attempts: number } | undefined;
}

export interface SeenRun {
  readonly calls: readonly SeenCall[];
  readonly leases: LeaseWatch;
  /** The client when all is over, before it is closed. */
  readonly before: ClientSnapshot;
  /** Listeners left on the callers' signals. */
  readonly listeners: number;
  /** Timers left once the client is closed. */
  readonly timers: number;
}

/** What a call in a call does, one level deep. */
const NESTED: Omit<PlannedCall, 'plays' | 'timeoutMs'> = {
  atMs: 0,
  idempotent: true,
  replayable: true,
  attemptTimeoutMs: undefined,
  abortAfterMs: undefined,
  hashKey: undefined,
  hedge: true,
  fallback: 'none',
};

export async function play(schedule: Schedule): Promise<SeenRun> {
  const leases = new LeaseWatch();
  const run = new FaultyRun(schedule, leases);
  await run.clock.advance(LAST_BEGIN_MS + 2 * LONGEST_TIMEOUT_MS + 2 * LATE_ANSWER_MS);
  const { length: listeners } = run.calls.flatMap(({ stop }) =>
    getEventListeners(stop.signal, 'abort'),
  );
  const before = run.client.snapshot();
  await run.client.close();
  leases.stop();
  return { calls: run.calls, leases, before, listeners, timers: run.clock.pendingTimers };
}

class FaultyRun {
  readonly clock = new ManualClock();
  readonly client: Client;
  readonly calls: SeenCall[] = [];
  readonly #inherits: boolean;

  constructor(
    { options, lists, calls, picks, lateMs, seed }: Schedule,
    readonly leases: LeaseWatch,
  ) {
    const { clock } = this;
    this.#inherits = options.inheritDeadline === true;
    const source = memoryAdapter();
    const rng = seededRng(seed);
    this.client = createClient({
      service: 'orders',
      discovery: source,
      env: { clock: lateClock(clock, lateMs, seededRng(seed + 1)), rng },
      // `judged` is for the application to judge.
      classify: (settled) =>
        settled.ok && isJudged(settled.value) ? settled.value.verdict : undefined,
      ...options,
    });
    leases.client = this.client;
    for (const { atMs, specs } of lists) clock.setTimer(atMs, () => source.set(specs));
    for (const plan of calls) clock.setTimer(plan.atMs, () => void this.#call(plan));
    for (const { atMs, forMs, outcome } of picks) {
      clock.setTimer(atMs, () => this.#pick(forMs, outcome));
    }
  }

  #pick(forMs: number, outcome: Outcome): void {
    try {
      const lease = this.client.pick();
      this.clock.setTimer(forMs, () => lease.end(outcome));
    } catch {
      // nobody to pick
    }
  }

  #call(plan: PlannedCall, outerEndMs = Infinity): Promise<unknown> {
    const startMs = this.clock.now();
    const { timeoutMs, attemptTimeoutMs, idempotent, replayable, hashKey, hedge, fallback } = plan;
    const seen: SeenCall = {
      plan,
      startMs,
      deadlineMs: Math.min(startMs + timeoutMs, outerEndMs),
      stop: new AbortController(),
      reason: new Error('enough'),
      attempts: [],
      records: [],
      recordsAtEnd: undefined,
      status: 'pending',
      value: undefined,
      error: undefined,
      settledAtMs: undefined,
      cancelled: undefined,
    };
    this.calls.push(seen);
    const promise: Promise<unknown> = this.client.call<unknown, unknown>(
      (context) => this.#attempt(seen, context),
      {
        timeoutMs,
        attemptTimeoutMs,
        idempotent,
        replayable,
        hashKey,
        hedge,
        signal: seen.stop.signal,
        onAttempt: (record) => void seen.records.push(record),
        fallback: FALLBACKS[fallback],
      },
    );
    const settle = (settled: Partial<SeenCall>): void => {
      Object.assign(seen, settled, {
        settledAtMs: this.clock.now(),
        recordsAtEnd: seen.records.length,
      });
    };
    promise.then(
      (value: unknown) => settle({ status: 'resolved', value }),
      (error: unknown) => settle({ status: 'rejected', error }),
    );
    if (plan.abortAfterMs !== undefined) {
      this.clock.setTimer(plan.abortAfterMs, () => this.#cancel(seen));
    }
    return promise;
  }

  #cancel(seen: SeenCall): void {
    if (seen.status === 'pending' && seen.cancelled === undefined) {
      seen.cancelled = { atMs: this.clock.now(), attempts: seen.attempts.length };
    }
    seen.stop.abort(seen.reason);
  }

  #attempt(seen: SeenCall, context: AttemptContext): unknown {
    const { plays } = seen.plan;
    const play = plays[(context.attempt - 1) % plays.length];
    if (play === undefined) throw new Error('a call without plays');
    seen.attempts.push(this.#see(seen, context, play));
    return this.#act(seen, play, context);
  }

  #see(seen: SeenCall, context: AttemptContext, play: Play): SeenAttempt {
    const { attempt, timeoutMs } = context;
    const { id } = context.instance;
    const { instances, queued } = this.client.snapshot();
    const { roomy, active } = this.#choiceOf(context);
    const tried = new Set(seen.attempts.map((before) => before.id));
    const underWay = this.calls.filter(
      (call) => call === seen || call.attempts.length > call.records.length,
    );
    return {
      id,
      atMs: this.clock.now(),
      attempt,
      timeoutMs,
      play,
      untried: roomy.filter((other) => other !== id && !tried.has(other)),
      isAgain: tried.has(id),
      isReserve: !active.has(id),
      callsUnderWay: underWay.length,
      pending: instances.find((instance) => instance.id === id)?.pending ?? 0,
      queued,
    };
  }

  /** The lease is the executor's own, but no secret. */
  #choiceOf(context: AttemptContext): Choice {
    const lease: unknown = Reflect.get(context, 'lease');
    const choice = lease instanceof Lease ? this.leases.choices.get(lease) : undefined;
    if (choice === undefined) throw new Error('an attempt without a lease');
    return choice;
  }

  #act(seen: SeenCall, play: Play, context: AttemptContext): unknown {
    const { clock } = this;
    switch (play.kind) {
      case 'throw':
        throw new Error('thrown at once');
      case 'answer':
        return this.#after(play.ms, () => 'answer');
      case 'reset':
        return this.#after(play.ms, () => Promise.reject(reset()));
      case 'refused':
        return this.#after(play.ms, () => Promise.reject(refused()));
      case 'error':
        return this.#after(play.ms, () => Promise.reject(new Error('some error')));
      case 'busy':
        return this.#after(play.ms, () => ({
          status: 503,
          headers: new Map([['retry-after', '1']]),
        }));
      case 'missing':
        return this.#after(play.ms, () => ({ status: 404, headers: new Map() }));
      case 'judged':
        return this.#after(play.ms, () => ({ verdict: play.verdict }));
      case 'hang':
        return never();
      case 'late-answer':
        return clock.sleep(LATE_ANSWER_MS);
      case 'late-error':
        return clock.sleep(LATE_ANSWER_MS).then(() => Promise.reject(reset()));
      case 'heed':
        return onceAborted(context.signal);
      case 'hold':
        return this.#after(play.ms, () => {
          context.hold(this.#body(play, context.signal));
          return 'headers';
        });
      case 'nest': {
        const endMs = this.#inherits ? clock.now() + context.timeoutMs : Infinity;
        return this.#after(play.ms, () => this.#nest(seen, endMs));
      }
      case 'cancel':
        this.#cancel(seen);
        return this.#after(play.ms, () => 'answer of a cancelled call');
    }
  }

  #nest({ plan: { plays, timeoutMs } }: SeenCall, endMs: number): Promise<unknown> {
    const inner = plays.filter(({ kind }) => kind !== 'nest');
    return inner.length === 0
      ? Promise.resolve('nothing to do')
      : this.#call({ ...NESTED, plays: inner, timeoutMs }, endMs);
  }

  #after(ms: number, fn: () => unknown): unknown {
    return ms === 0 ? fn() : this.clock.sleep(ms).then(fn);
  }

  /** A body that streams for a while, unless it is cancelled. */
  async #body({ ms, body }: Play, signal: AbortSignal): Promise<Outcome> {
    await this.clock.sleep(2 * ms, signal);
    if (body === undefined) throw reset();
    return body;
  }
}

const FALLBACKS: Readonly<Record<PlannedCall['fallback'], unknown>> = {
  none: undefined,
  value: 'stale',
  function: () => 'stale',
  throws: (error: unknown) => {
    throw error;
  },
};

function isJudged(value: unknown): value is { readonly verdict: Verdict } {
  return typeof value === 'object' && value !== null && 'verdict' in value;
}

function onceAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** A clock whose timers are up to `lateMs` late, and now and then 1 ms early, as those of Node may be. */
function lateClock(clock: ManualClock, lateMs: number, rng: Rng): Clock {
  if (lateMs === 0) return clock;
  const late: Clock = {
    now: () => clock.now(),
    setTimer: (ms, fn) => clock.setTimer(ms + rng.next() * (lateMs + 1) - 1, fn),
    sleep: (ms, signal) => sleepOn(late, ms, signal),
  };
  return late;
}
