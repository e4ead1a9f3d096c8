/**
 * A call is cancelled at every point at which it can be: after each event (a timer, an answer, a list) and after each
 * turn of the microtask queue that follows from it, one run for each.
 */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { AttemptContext } from '../src/attempt-context.js';
import type { CallOptions } from '../src/call-options.js';
import { type Client, createClient } from '../src/client.js';
import type { ClientOptions } from '../src/options.js';
import { settle } from '../src/testing/manual-clock.js';
import { type MemoryAdapter, memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { AttemptRecord, Outcome } from '../src/types.js';
import { refused, reset } from './support/errors.js';
import { specs } from './support/fixtures.js';
import {
  collectUncaught,
  type Deferred,
  deferred,
  type Watched,
  watched,
} from './support/promises.js';
import { SteppingClock } from './support/stepping-clock.js';

/** Turns of the microtask queue counted after each event. That they are enough is checked in a run without an abort. */
const TURNS = 60;

/** So many retries and hedges are allowed, whatever succeeds. */
const RESERVE = 100;

/** Where a call stands, as it can be seen from outside. */
type Phase =
  | 'queue'
  | 'first list'
  | 'first attempt'
  | 'first attempt and hedge'
  | 'one of two, the other has failed'
  | 'pause'
  | 'full instances'
  | 'retry'
  | 'fallback'
  | 'held body'
  | 'over'
  /** Promise reactions under way between two of the others. */
  | 'between';

interface Sent {
  readonly context: AttemptContext;
  readonly signal: AbortSignal;
  readonly answer: Deferred<unknown>;
}

/** A client, the call that is cancelled, and what others do meanwhile. */
class Scene {
  readonly clock = new SteppingClock();
  readonly source: MemoryAdapter;
  readonly client: Client;
  readonly stop = new AbortController();
  readonly sent: Sent[] = [];
  readonly records: AttemptRecord[] = [];
  readonly body = deferred<Outcome>();
  readonly stale = deferred<unknown>();
  /** Ends what others have begun. */
  readonly others: (() => void)[] = [];
  usesFallback = false;
  hasFallenBack = false;
  isHedging = false;
  call: Watched<unknown> = { status: 'pending', value: undefined, error: undefined };

  constructor(options: Partial<ClientOptions>, listed?: readonly string[]) {
    this.source = memoryAdapter(listed && specs(...listed));
    this.client = createClient({
      service: 'orders',
      discovery: this.source,
      env: { clock: this.clock, rng: seededRng(1) },
      // Whoever is blamed once is out, which can be seen.
      breaker: { consecutiveFailures: 1 },
      panicRatio: 0,
      outlierDetection: false,
      ...options,
    });
  }

  readonly fn = (context: AttemptContext): Promise<unknown> => {
    const answer = deferred<unknown>();
    this.sent.push({ context, signal: context.signal, answer });
    return answer.promise;
  };

  begin(options: CallOptions<unknown> = {}): void {
    const onAttempt = (record: AttemptRecord): void => void this.records.push(record);
    this.call = watched(
      this.client.call(this.fn, {
        idempotent: true,
        signal: this.stop.signal,
        onAttempt,
        ...options,
      }),
    );
  }

  /** Somebody else's call that takes the only place. */
  occupy(): () => void {
    const other = new AbortController();
    void watched(this.client.call(this.fn, { signal: other.signal }));
    const leave = (): void => other.abort();
    this.others.push(leave);
    return leave;
  }

  /** Somebody else's attempt at an instance. */
  take(id: string): void {
    const excluded = 'abc'.split('').filter((other) => other !== id);
    const lease = this.client.pick({ excluded });
    this.others.push(() => lease.end('ignored'));
  }

  endOthers(): void {
    for (const end of this.others.splice(0)) end();
  }

  /** The attempt number `n`, from 1. */
  at(n: number): Deferred<unknown> {
    const sent = this.sent[n - 1];
    if (sent === undefined) throw new Error(`attempt ${n} was not made`);
    return sent.answer;
  }

  answerHolding(n: number): void {
    this.sent[n - 1]?.context.hold(this.body.promise);
    this.at(n).resolve('answer');
  }

  phase(): Phase {
    const { status, queued, instances } = this.client.snapshot();
    const [sent, ended] = [this.sent.length, this.records.length];
    if (this.call.status !== 'pending') {
      const isHeld =
        this.call.status === 'resolved' && instances.some(({ pending }) => pending > 0);
      return isHeld ? 'held body' : 'over';
    }
    if (this.usesFallback) return 'fallback';
    if (queued > 0) return status === 'waiting' ? 'queue' : 'full instances';
    if (status === 'waiting') return 'first list';
    if (this.records.some(({ outcome }) => outcome === 'success')) return 'between';
    if (sent - ended === 2) return 'first attempt and hedge';
    if (sent - ended === 1) {
      if (this.records.length === 0) return 'first attempt';
      const isHedged = this.sent.length === 2 && this.isHedging;
      return isHedged ? 'one of two, the other has failed' : 'retry';
    }
    return ended > 0 && this.clock.pendingTimers > 0 ? 'pause' : 'between';
  }
}

interface Scenario {
  readonly name: string;
  /** Makes the scene; the call is begun by the first event. */
  readonly stage: () => Scene;
  /** What happens, in this order. */
  readonly events: readonly ((scene: Scene) => void)[];
  /** Where the call stands once all has been said and done after each event. */
  readonly phases: readonly Phase[];
  /** Attempts it makes when nobody cancels. */
  readonly attempts: number;
  /** How the call ends that nobody cancels. */
  readonly end: { readonly value: unknown } | { readonly error: string };
}

const BUDGET = { ratio: 0, minPerSecond: RESERVE / 10 };

const EVERYTHING: Scenario = {
  name: 'that waits for its turn, for the first list, is hedged, pauses, waits for room, and holds its body',
  stage: () => {
    const scene = new Scene({
      retry: { maxAttempts: 3, budget: BUDGET },
      hedge: { delayMs: 20, maxRatio: 1 },
      maxConcurrency: { client: 1, perInstance: 1, queueSize: 5 },
    });
    scene.isHedging = true;
    scene.occupy();
    // Somebody is quicker than the call that waits for the list.
    scene.client.on('instances.changed', () => scene.take('c'));
    return scene;
  },
  events: [
    (scene) => scene.begin(),
    (scene) => scene.endOthers(),
    ({ source }) => source.set(specs('a', 'b', 'c')),
    ({ clock }) => clock.step(),
    (scene) => scene.at(1).reject(reset()),
    (scene) => scene.at(2).reject(reset()),
    ({ clock }) => clock.step(),
    (scene) => scene.endOthers(),
    (scene) => scene.answerHolding(3),
    ({ body }) => body.resolve('success'),
  ],
  phases: [
    'queue',
    'first list',
    'first attempt',
    'first attempt and hedge',
    'one of two, the other has failed',
    'pause',
    'full instances',
    'retry',
    'held body',
    'over',
  ],
  attempts: 3,
  end: { value: 'answer' },
};

const scenarios: readonly Scenario[] = [
  EVERYTHING,
  {
    ...EVERYTHING,
    name: 'that does all that with a deadline handed on',
    stage: () => {
      const scene = new Scene({
        retry: { maxAttempts: 3, budget: BUDGET },
        hedge: { delayMs: 20, maxRatio: 1 },
        maxConcurrency: { client: 1, perInstance: 1, queueSize: 5 },
        inheritDeadline: true,
      });
      scene.isHedging = true;
      scene.occupy();
      scene.client.on('instances.changed', () => scene.take('c'));
      return scene;
    },
  },
  {
    name: 'that is hedged, and the hedge is first',
    stage: () =>
      new Scene({ retry: { budget: BUDGET }, hedge: { delayMs: 20, maxRatio: 1 }, breaker: {} }, [
        'a',
        'b',
      ]),
    events: [
      (scene) => scene.begin(),
      ({ clock }) => clock.step(),
      (scene) => scene.at(2).resolve('answer'),
    ],
    phases: ['first attempt', 'first attempt and hedge', 'over'],
    attempts: 2,
    end: { value: 'answer' },
  },
  {
    name: 'that waits for room at once, is retried at once, and falls back',
    stage: () => {
      const scene = new Scene(
        {
          retry: { maxAttempts: 2, budget: BUDGET },
          maxConcurrency: { perInstance: 1, queueSize: 5 },
        },
        ['a', 'b', 'c'],
      );
      scene.client.on('instances.changed', () => 'abc'.split('').forEach((id) => scene.take(id)));
      return scene;
    },
    events: [
      (scene) =>
        scene.begin({
          fallback: () => {
            scene.usesFallback = true;
            return scene.stale.promise;
          },
        }),
      (scene) => scene.endOthers(),
      (scene) => scene.at(1).reject(refused()),
      (scene) => scene.at(2).reject(reset()),
      (scene) => {
        scene.stale.resolve('stale');
        scene.hasFallenBack = true;
      },
    ],
    phases: ['full instances', 'first attempt', 'retry', 'fallback', 'over'],
    attempts: 2,
    end: { value: 'stale' },
  },
  {
    name: 'whose attempts reach their limit one after the other',
    stage: () =>
      new Scene({ retry: { maxAttempts: 3, budget: BUDGET }, attemptTimeoutMs: 100 }, [
        'a',
        'b',
        'c',
      ]),
    events: [
      (scene) => scene.begin(),
      ...Array.from(
        { length: 5 },
        () =>
          ({ clock }: Scene) =>
            clock.step(),
      ),
    ],
    phases: ['first attempt', 'pause', 'retry', 'pause', 'retry', 'over'],
    attempts: 3,
    end: { error: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT' },
  },
];

/** What was so when the call was cancelled. */
interface Cut {
  readonly phase: Phase;
  readonly sent: number;
  readonly records: readonly AttemptRecord[];
  readonly wasOver: boolean;
}

/** Plays a scenario up to step `k`, and cancels there. @returns `undefined` when it has no such step. */
async function cancelAt(
  k: number,
  { stage, events }: Scenario,
  reason: Error,
): Promise<{ readonly scene: Scene; readonly cut: Cut } | undefined> {
  const scene = stage();
  await settle();
  let step = 0;
  for (const happen of events) {
    happen(scene);
    for (let turn = 0; turn < TURNS; turn++) {
      if (step++ === k) {
        const { sent, records, call } = scene;
        const wasOver = call.status !== 'pending';
        const cut = { phase: scene.phase(), sent: sent.length, records: [...records], wasOver };
        scene.stop.abort(reason);
        await settle();
        return { scene, cut };
      }
      await Promise.resolve();
    }
  }
  return undefined;
}

/** Checks the promises of a call that was cancelled. */
async function check(
  { scene, cut }: { readonly scene: Scene; readonly cut: Cut },
  { attempts }: Scenario,
): Promise<void> {
  const { client, clock, source, stop, call, sent, records } = scene;
  const reason: unknown = stop.signal.reason;

  // The call ends at once: with the reason, unless its end was known already.
  const isAnswered = cut.records.some(({ outcome }) => outcome === 'success');
  const hasFailed = cut.records.length === attempts && cut.phase !== 'fallback';
  if (cut.wasOver || isAnswered || hasFailed || scene.hasFallenBack)
    expect(call.status).not.toBe('pending');
  else expect(call).toMatchObject({ status: 'rejected', error: reason });
  if (isAnswered) expect(call.value).toBe('answer');

  // Nothing more is sent; what was under way is told so, what had ended is not.
  expect(sent.length).toBe(cut.sent);
  expect(records).toHaveLength(sent.length);
  for (const { context, signal } of sent) {
    const before = cut.records.find(({ attempt }) => attempt === context.attempt);
    const now = records.find(({ attempt }) => attempt === context.attempt);
    if (before === undefined) {
      expect(signal.reason).toBe(reason);
      expect(now).toMatchObject({ ended: 'cancelled', outcome: 'ignored' });
    } else {
      expect(now).toBe(before);
      if (cut.phase === 'held body') expect(signal.aborted).toBe(before.outcome === 'success');
    }
  }

  // Nobody is blamed but for what went wrong before.
  for (const { id, ewmaMs, successRatio, breaker } of client.snapshot().instances) {
    const before = cut.records.filter(({ instanceId }) => instanceId === id);
    const blamed = before.some(({ outcome }) => outcome === 'failure');
    const measured = blamed || before.some(({ outcome }) => outcome === 'success');
    expect(ewmaMs === undefined, id).toBe(!measured);
    expect(successRatio < 1, id).toBe(blamed);
    expect(breaker, id).toBe(blamed ? 'open' : 'closed');
  }
  expect(
    RESERVE - (client.snapshot().budget?.available ?? 0),
    'only attempts made are charged for',
  ).toBeCloseTo(Math.max(0, sent.length - 1));

  // Nothing is left behind.
  scene.body.resolve('success'); // that it is let go is up to its owner
  scene.endOthers();
  if (client.snapshot().status === 'waiting') source.set(specs('a', 'b', 'c'));
  await settle();
  scene.endOthers();
  await settle();
  const { inFlight, queued, instances } = client.snapshot();
  expect({ inFlight, queued }).toEqual({ inFlight: 0, queued: 0 });
  expect(instances.filter(({ pending }) => pending !== 0)).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
  expect(getEventListeners(stop.signal, 'abort')).toEqual([]);

  await checkPlaces(client);
  await client.close();
  expect(clock.pendingTimers).toBe(0);
}

/** As many calls as before get in at once, and no more. */
async function checkPlaces(client: Client): Promise<void> {
  const { limit } = client.snapshot();
  const answers = [deferred<string>(), deferred<string>()];
  const following = answers.map(({ promise }) => watched(client.call(() => promise)));
  await settle();
  if (limit === 1) expect(client.snapshot().queued).toBe(1);
  for (const { resolve } of answers) {
    resolve('next');
    await settle();
  }
  expect(following.map(({ value }) => value)).toEqual(['next', 'next']);
}

describe.each(scenarios)('a call $name', (scenario) => {
  it('runs as it should when nobody cancels', async () => {
    const scene = scenario.stage();
    await settle();
    const seen: Phase[] = [];
    for (const happen of scenario.events) {
      happen(scene);
      for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
      const state = (): unknown => [scene.phase(), scene.sent.length, scene.clock.pendingTimers];
      const before = state();
      await settle();
      expect(state(), `${String(TURNS)} turns are enough`).toEqual(before);
      seen.push(scene.phase());
    }
    expect(seen).toEqual(scenario.phases);
    const { end } = scenario;
    if ('value' in end) expect(scene.call.value).toBe(end.value);
    else expect(scene.call.error).toMatchObject({ code: end.error });
    expect(scene.clock.pendingTimers).toBe(0);
    await scene.client.close();
  });

  it('keeps its promises wherever it is cancelled', { timeout: 60_000 }, async () => {
    const reason = new Error('enough');
    const phases = new Set<Phase>();
    const wrong = new Map<string, number>();
    const uncaught = await collectUncaught(async () => {
      for (let k = 0; ; k++) {
        const played = await cancelAt(k, scenario, reason);
        if (played === undefined) break;
        phases.add(played.cut.phase);
        try {
          await check(played, scenario);
        } catch (error) {
          // All kinds of them are told, with the first step of each: one alone says little.
          const what = `${played.cut.phase}: ${String(error)}`;
          if (!wrong.has(what)) wrong.set(what, k);
        }
      }
    });
    expect(Object.fromEntries(wrong)).toEqual({});
    expect(uncaught).toEqual([]);
    expect([...phases].filter((phase) => phase !== 'between').sort()).toEqual(
      [...new Set(scenario.phases)].sort(),
    );
  });
});
