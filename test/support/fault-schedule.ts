/** Random things that happen to a client: what its options are, which calls are made, how instances behave and change. */
import fc from 'fast-check';
import type { ClientOptions, PolicyName } from '../../src/options.js';
import type { InstanceSpec, Outcome, Verdict } from '../../src/types.js';

/** What an instance does with one attempt. */
export interface Play {
  readonly kind:
    | 'answer'
    | 'reset'
    | 'refused'
    | 'error'
    | 'throw' // at once, before there is a promise
    | 'busy' // 503 with Retry-After
    | 'missing' // 404
    | 'judged' // as the call's own `classify` says
    | 'heed' // hangs until its signal aborts
    | 'hang'
    | 'late-answer' // long after every deadline, whatever its signal says
    | 'late-error'
    | 'hold' // answers, and holds its body
    | 'nest' // makes a call of its own
    | 'cancel'; // the caller cancels from within
  /** Time it takes. */
  readonly ms: number;
  readonly verdict: Verdict;
  /** How a held body ends; it rejects for `undefined`. */
  readonly body: Outcome | undefined;
}

export interface PlannedCall {
  readonly atMs: number;
  /** One for each attempt, over and over. */
  readonly plays: readonly Play[];
  readonly idempotent: boolean;
  readonly replayable: boolean;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number | undefined;
  readonly abortAfterMs: number | undefined;
  readonly hashKey: string | undefined;
  readonly hedge: boolean;
  readonly fallback: 'none' | 'value' | 'function' | 'throws';
}

export interface Schedule {
  readonly options: Partial<ClientOptions>;
  readonly lists: readonly { readonly atMs: number; readonly specs: readonly InstanceSpec[] }[];
  readonly calls: readonly PlannedCall[];
  readonly picks: readonly {
    readonly atMs: number;
    readonly forMs: number;
    readonly outcome: Outcome;
  }[];
  /** How late timers are at most, as those of a busy process. */
  readonly lateMs: number;
  readonly seed: number;
}

/** All that is planned begins before. */
export const LAST_BEGIN_MS = 1_500;
export const LONGEST_TIMEOUT_MS = 1_200;
/** How long an instance that answers late takes. */
export const LATE_ANSWER_MS = 4_000;

const POLICIES: readonly PolicyName[] = [
  'adaptive',
  'peak-ewma',
  'p2c',
  'least-request',
  'round-robin',
  'weighted-round-robin',
  'server-weighted',
  'random',
  'rendezvous',
  'ring-hash',
  'maglev',
  'sticky',
];

const outcome = fc.constantFrom<Outcome>('success', 'failure', 'overload', 'ignored');

const verdict: fc.Arbitrary<Verdict> = fc.record({
  outcome,
  retry: fc.constantFrom('never', 'if-idempotent', 'always'),
  where: fc.constantFrom(undefined, 'elsewhere', 'anywhere'),
  retryAfterMs: fc.constantFrom(undefined, 0, 30, 5_000),
});

const play: fc.Arbitrary<Play> = fc.record({
  kind: fc.constantFrom(
    'answer',
    'answer',
    'answer',
    'reset',
    'reset',
    'refused',
    'refused',
    'error',
    'throw',
    'busy',
    'missing',
    'judged',
    'heed',
    'hang',
    'late-answer',
    'late-error',
    'hold',
    'nest',
    'cancel',
  ),
  ms: fc.constantFrom(0, 0, 1, 5, 20, 60, 200),
  verdict,
  body: fc.option(outcome, { nil: undefined }),
});

const call: fc.Arbitrary<PlannedCall> = fc.record({
  atMs: fc.integer({ min: 0, max: LAST_BEGIN_MS }),
  plays: fc.array(play, { minLength: 1, maxLength: 6 }),
  idempotent: fc.oneof(fc.constant(true), fc.boolean()),
  replayable: fc.oneof(fc.constant(true), fc.constant(true), fc.boolean()),
  timeoutMs: fc.integer({ min: 1, max: LONGEST_TIMEOUT_MS }),
  attemptTimeoutMs: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
  abortAfterMs: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined, freq: 2 }),
  hashKey: fc.constantFrom(undefined, 'k1', 'k2'),
  hedge: fc.oneof(fc.constant(true), fc.boolean()),
  fallback: fc.constantFrom('none', 'none', 'none', 'value', 'function', 'throws'),
});

const listing: fc.Arbitrary<readonly InstanceSpec[]> = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom(...'abcdefgh'),
    host: fc.constant('127.0.0.1'),
    port: fc.constant(80),
    weight: fc.constantFrom(1, 1, 1, 3, 0),
    priority: fc.constantFrom(0, 0, 0, 1, 2),
    locality: fc.constantFrom({}, { zone: 'here' }, { zone: 'here' }, { zone: 'there' }),
  }),
  { selector: ({ id }) => id, maxLength: 8 },
);

const limit = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 1, max: 4 }),
  fc.constant('adaptive' as const),
);

const options: fc.Arbitrary<Partial<ClientOptions>> = fc
  .record({
    policy: fc.constantFrom(...POLICIES),
    maxAttempts: fc.integer({ min: 1, max: 6 }),
    budget: fc.constantFrom(
      false as const,
      undefined,
      { ratio: 0, minPerSecond: 0 },
      { ratio: 0.3, minPerSecond: 0 },
      { ratio: 0.1, minPerSecond: 1, windowMs: 1_000 },
    ),
    hedge: fc.constantFrom(
      false as const,
      true as const,
      { delayMs: 5, maxRatio: 1 },
      { delayMs: 40, maxRatio: 1 },
      { delayMs: 5, maxRatio: 0.3 },
      { quantileRatio: 0.5, maxRatio: 1 },
    ),
    maxConcurrency: fc.option(
      fc.record({ client: limit, perInstance: limit, queueSize: fc.constantFrom(0, 1, 3, 20) }),
      { nil: false as const },
    ),
    breaker: fc.constantFrom(
      false as const,
      undefined,
      { consecutiveFailures: 1, openMs: 20 },
      { consecutiveFailures: 2, openMs: 200 },
    ),
    outlierDetection: fc.constantFrom(false as const, undefined),
    stages: fc.constantFrom(
      undefined,
      { priority: false as const },
      { priority: { mode: 'strict' as const, minMembers: 2, holdDownMs: 50, rampMs: 100 } },
      { zone: { local: 'here', minInstances: 2 } },
      { subset: { size: 2, seed: 's' } },
      { zone: { local: 'here', minInstances: 2, probeRatio: 0.3 }, subset: { size: 3, seed: 's' } },
    ),
    panicRatio: fc.constantFrom(0, 0.5),
    slowStartMs: fc.constantFrom(0, 500),
    inheritDeadline: fc.boolean(),
    shrinkGraceMs: fc.constant(0),
  })
  .map(({ maxAttempts, budget, hedge, ...others }) => ({
    ...others,
    retry: { maxAttempts, budget },
    hedge: maxAttempts > 1 && hedge, // a hedge is an attempt
  }));

export const schedule: fc.Arbitrary<Schedule> = fc.record({
  options,
  lists: fc
    .tuple(
      fc.record({ atMs: fc.constantFrom(0, 0, 0, 300), specs: listing }),
      fc.array(fc.record({ atMs: fc.integer({ min: 0, max: LAST_BEGIN_MS }), specs: listing }), {
        maxLength: 5,
      }),
    )
    .map(([first, later]) => [first, ...later]),
  calls: fc.array(call, { minLength: 1, maxLength: 30 }),
  picks: fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: LAST_BEGIN_MS }),
      forMs: fc.integer({ min: 0, max: 500 }),
      outcome,
    }),
    { maxLength: 4 },
  ),
  lateMs: fc.constantFrom(0, 0, 1, 10, 24),
  seed: fc.integer(),
});
