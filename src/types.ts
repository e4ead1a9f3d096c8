/** Every shared noun and interface of Fairlead. Types only: this file emits no code. */

/** What a discovery adapter emits for one instance: `host` and `port`, all else optional. */
export interface InstanceSpec {
  /** Host name or IP address. IPv6 is given without brackets. */
  readonly host: string;
  /** TCP port, 1 to 65535. */
  readonly port: number;
  /** Stable identity across snapshots. Default: `host:port`. */
  readonly id?: string | undefined;
  /** URL scheme of the instance. Default: `'http'`. */
  readonly protocol?: 'http' | 'https' | (string & {}) | undefined;
  /** Relative capacity, finite and >= 0. Default 1; 0 means draining: no new calls. */
  readonly weight?: number | undefined;
  /** Failover order, an integer >= 0, 0 first. Default 0. */
  readonly priority?: number | undefined;
  readonly locality?: Locality | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface Locality {
  readonly region?: string | undefined;
  readonly zone?: string | undefined;
}

/** One process that serves: a validated {@link InstanceSpec} with its defaults filled in. Frozen. */
export interface Instance {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: Locality;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** `protocol://host:port`, IPv6 in brackets, no trailing slash. */
  readonly url: string;
}

/** The full current list of one service, as its source sees it. */
export type Snapshot =
  | {
      readonly kind: 'instances';
      readonly instances: readonly InstanceSpec[];
      /** Opaque version of the source (an index, an etag), for people who debug. */
      readonly version?: string | undefined;
      readonly stale?: SnapshotCaveats['stale'];
      readonly incomplete?: SnapshotCaveats['incomplete'];
    }
  /** The source knows no such service. Differs from an empty list. */
  | ({ readonly kind: 'not-found' } & SnapshotCaveats);

export interface SnapshotCaveats {
  /** Why it may be out of date, in words: it comes from a cache, or from a follower without a leader. */
  readonly stale?: string | undefined;
  /**
   * Why instances may be missing from it that live, in words: rights that are missing, say. What it leaves out is then
   * kept, for as long as that is so.
   */
  readonly incomplete?: string | undefined;
}

/** A source of instances. One method; backoff, caching and cancellation are the core's work. */
export interface DiscoveryAdapter {
  readonly name: string;
  /**
   * Yields full snapshots until `context.signal` aborts. Throwing means "broken for now": the last good
   * snapshot is kept and `watch` is called again after a jittered backoff. Returning before an abort
   * counts as throwing.
   */
  watch(service: string, context: WatchContext): AsyncIterable<Snapshot>;
}

export interface WatchContext {
  readonly signal: AbortSignal;
  /** Its timers and sleeps never keep the process alive. */
  readonly clock: Clock;
  readonly rng: Rng;
  /** Resolves after `ms`, or early when fresh data is wanted; rejects with the signal's reason on abort. */
  sleep(ms: number): Promise<void>;
  /** Reports a fault that was tolerated (a bad entry, a failed read). Emitted as `discovery.fault`. */
  report(fault: DiscoveryFault): void;
  /**
   * The source was heard and what it said last still holds. A snapshot says that, too; call this where a read brings
   * nothing new, so that the list does not count as stale. `details` are shown in `client.discoveryStatus()`.
   */
  confirm(standing?: SourceStanding): void;
}

/** What a source says of itself beside its list. */
export interface SourceStanding extends Pick<SnapshotCaveats, 'stale'> {
  /** Facts for people who debug, plain values: which agent, index, consistency. Never a secret. */
  readonly details?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
}

/**
 * What a fault means for the list: `'none'`, it is current all the same; `'stale'`, nothing newer than the last could be
 * had; `'refused'`, the same, and it will stay so until somebody changes a configuration (a token, a filter).
 */
export type FaultEffect = 'none' | 'stale' | 'refused';

/** Something wrong at the source that did not cost the list. `field` and `value` where one entry is to blame. */
export interface DiscoveryFault {
  readonly message: string;
  /** Default `'none'`. A watch that throws or returns early is `'stale'`. */
  readonly effect?: FaultEffect | undefined;
  readonly field?: string | undefined;
  readonly value?: unknown;
  readonly cause?: unknown;
}

/** How an attempt ended, for the instance: only `failure` and `overload` blame it; `ignored` changes nothing. */
export type Outcome = 'success' | 'failure' | 'overload' | 'ignored';

/** The answer of `classify` to its two questions: does it blame the instance, and may it be retried? */
export interface Verdict {
  readonly outcome: Outcome;
  /** `'if-idempotent'`: the instance may have acted on it. `'always'`: it provably has not: nothing reached it, or it said so. */
  readonly retry: 'never' | 'if-idempotent' | 'always';
  /**
   * `'elsewhere'`: only on an instance that this call has not tried, for the same one would say the same again. Default
   * `'anywhere'`: on one not tried while there is one, else on the same.
   */
  readonly where?: 'elsewhere' | 'anywhere' | undefined;
  /** The source asked for at least this pause, in ms (Retry-After). */
  readonly retryAfterMs?: number | undefined;
}

/** What `classify` is given: how the function of one attempt settled. */
export type Settled =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** Judges one settled attempt on `instance`. `undefined` leaves the judgement to the built-in rules. */
export type Classify = (settled: Settled, instance: Instance) => Verdict | undefined;

/** Passive-removal state of one instance. Written by the breaker, read by `isAvailable` alone. */
export type BreakerState =
  | { readonly kind: 'closed' }
  /** No calls until `untilMs` (clock time). */
  | { readonly kind: 'open'; readonly untilMs: number }
  /**
   * One attempt at a time may try. While it is out no other may until `probeUntilMs`, in case it never ends;
   * `undefined` when none is out.
   */
  | { readonly kind: 'half-open'; readonly probeUntilMs: number | undefined };

/** The live record of one instance, as pickers, loads and stages see it. It survives snapshot updates. */
export interface InstanceRecord {
  readonly instance: Instance;
  /** Attempts begun, ever. */
  readonly attempts: number;
  /** Attempts in flight. */
  readonly pending: number;
  /**
   * When the attempt that has waited longest for its answer began; Infinity while none waits. One that was overtaken,
   * by a success of an attempt begun later, does not count.
   */
  readonly waitingSinceMs: number;
  /** Latency estimate in ms at `ewmaAtMs`; until something was measured the load's `seed`, or 0. */
  readonly ewmaMs: number;
  readonly ewmaAtMs: number;
  /** Outcomes seen that count (success, failure, overload). */
  readonly measured: number;
  /** Share of good outcomes, 0 to 1, averaged over about the last 10, as of `ewmaAtMs`; 1 again when its breaker closes. */
  readonly successRatio: number;
  /** Failures and overloads since the last success. */
  readonly failuresInARow: number;
  /** What the instance last said of its own load; `undefined` until it did. */
  readonly report: ReceivedReport | undefined;
  readonly breaker: BreakerState;
  /**
   * Until when it is in doubt, for its breaker would have opened but for `maxEjectedRatio`: retries avoid it. -Infinity
   * if that never was so.
   */
  readonly heldUntilMs: number;
  /**
   * What it can be given now, in units of weight: `weight * ramp`. Less than its weight while the instance warms up
   * (slow start). Loads divide what waits there by it, and draws by weight go by it.
   */
  readonly capacity: number;
  /** What active health checks found; `'unknown'` without them, or before the first answer. */
  readonly health: Health;
  /** What the health check last said it is, such as `'primary'`; `undefined` while it said nothing. */
  readonly role: string | undefined;
}

/** What active health checks found of an instance. An `'unhealthy'` one gets no calls, except in panic. */
export type Health = 'unknown' | 'healthy' | 'unhealthy';

/**
 * What a server says of its own load, over its last few seconds. The names of ORCA, the load report that Envoy and
 * gRPC share, are `rps_fractional`, `application_utilization` (or `cpu_utilization`) and `eps`.
 */
export interface LoadReport {
  /** Requests per second it serves, >= 0. */
  readonly qps: number;
  /** Part of its capacity in use, >= 0; 1 is full, more is overload. */
  readonly utilization: number;
  /** Requests per second it fails, >= 0. Default 0. */
  readonly errorsPerSecond?: number | undefined;
}

export interface ReceivedReport extends Required<LoadReport> {
  /** Clock reading when it came. */
  readonly atMs: number;
}

/** An instance with its live record, still eligible. */
export interface Candidate {
  readonly instance: Instance;
  readonly state: InstanceRecord;
}

/** What a picker is told of the call it picks for. Not to be kept: the next pick may have the same object. */
export interface CallContext {
  /** Clock reading of this pick. */
  readonly nowMs: number;
  /** Ids of the instances this call has already tried. */
  readonly excluded: ReadonlySet<string>;
  /** Key for consistent hashing, when the caller gave one. */
  readonly hashKey: string | undefined;
  /** Attempts in flight at all instances of the service together. */
  readonly inFlight: number;
  /** True when an attempt of the same call has failed, or is slow. */
  readonly retry: boolean;
  /** True where the call is only passing through: a trial, or a retry in another part. No session moves for that. */
  readonly passing: boolean;
}

/** A chooser over a fixed candidate list. Keeps positions, never candidates of another list. */
export interface Picker {
  /** A candidate that is not excluded, or `undefined` when none is left. */
  pick(context: CallContext): Candidate | undefined;
  /** True when it has a session of this key. Where calls are divided, the key then stays with this picker. */
  keeps?(hashKey: string): boolean;
}

/** A configured algorithm. */
export interface Policy {
  readonly name: string;
  /** The load metric whose observations the instances keep. Default: Peak EWMA over 10 s. */
  readonly load?: Load | undefined;
  /** True when it picks by `hashKey`: a key then stays in one part (priority, zone) of the set too. Default false. */
  readonly keyed?: boolean | undefined;
  /** Builds a picker. `previous` is what this policy built for the list before, so that positions survive. */
  build(candidates: readonly Candidate[], env: Env, previous?: Picker): Picker;
}

/** The cost of a candidate; less is better. */
export interface Load {
  readonly name: string;
  /**
   * A number >= 0, what the instance costs with the call to come; one that is none (NaN) counts as the largest. A call in
   * flight is taken to make up `cost / (pending + 1)` of it.
   */
  of(state: InstanceRecord, nowMs: number): number;
  /** The estimate, in ms, that an instance never measured starts with among these. Default 0. */
  seed?(peers: readonly InstanceRecord[], nowMs: number): number;
  /**
   * The latency estimate after an attempt that took `elapsedMs` to answer or fail. `overtaken`: one begun later at the
   * same instance had succeeded before it. Default: Peak EWMA over 10 s.
   */
  observe?(
    state: InstanceRecord,
    elapsedMs: number,
    outcome: Outcome,
    nowMs: number,
    overtaken: boolean,
  ): number;
}

/**
 * A part of the calls, and the candidates that take it. All parts of a selection together take all calls; one with
 * ratio 0 is a reserve, used by a call that has tried all candidates of the others.
 */
export interface Part {
  /** Where it stands among its siblings: `'priority 1, zone b'`; empty for the whole. */
  readonly name: string;
  /** Its share of all calls, 0 to 1. */
  readonly ratio: number;
  /** True for instances that are to be tried, before they take part: whatever the key of a call, it may be one. */
  readonly trial?: boolean | undefined;
  /** The instances that take calls, whatever their health. */
  readonly eligible: readonly Candidate[];
  /** Those of them that may be picked now. */
  readonly candidates: readonly Candidate[];
}

/** A step that narrows a part of the candidates, or divides it. One object serves one selection: it may remember. */
export interface Stage {
  readonly name: string;
  /** @returns the parts that take the place of `part`, the preferred first; their ratios sum up to its ratio. */
  apply(part: Part, context: StageContext): readonly Part[];
}

export interface StageContext {
  readonly nowMs: number;
  /** What is returned stays right until `atMs` at the latest; the earliest wish wins. */
  expireAt(atMs: number): void;
  /** Records that the stage could not hold its rule and let more through (panic), with the reason. */
  panic(reason: string): void;
}

/** Monotonic time in ms, and timers. The only clock of the library. */
export interface Clock {
  now(): number;
  /** Resolves after `ms`; rejects with `signal.reason` on abort. Keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once after `ms`. Keeps the process alive unless `unref` is called. */
  setTimer(ms: number, fn: () => void): Timer;
  /** Timers for what is nearly always done before. Default: those of `setTimer`. */
  readonly limits?: LimitTimers | undefined;
}

/** Timers that cost little to set and to cancel. */
export interface LimitTimers {
  /**
   * As {@link Clock.setTimer}, but `fn` is called in no particular async context.
   *
   * @param nowMs the clock's reading now: whoever sets a limit has it at hand.
   */
  set(ms: number, fn: () => void, nowMs: number): Timer;
  /** Drops what is kept for timers to come. */
  tidy(): void;
}

export interface Timer {
  cancel(): void;
  /** Lets the process exit while this timer is pending. */
  unref(): void;
}

/** Its methods are called as methods: they may need their `this`. */
export interface Rng {
  /** Uniform in [0, 1). */
  next(): number;
}

export interface Env {
  readonly clock: Clock;
  readonly rng: Rng;
  /** Epoch ms, by which the age of a saved list is told. Default: the system's. */
  readonly wallClock?: (() => number) | undefined;
}

/** What an attempt is to its call: the first; one after a failure; one beside a slow one. */
export type AttemptKind = 'first' | 'retry' | 'hedge';

/**
 * Why an attempt ended: its function returned or threw; it reached its own time limit (`timed-out`) or the call's
 * (`deadline`); the caller cancelled; or another attempt of the call was done first (`lost`).
 */
export type AttemptEnding = 'returned' | 'threw' | 'timed-out' | 'deadline' | 'cancelled' | 'lost';

/** One send to one instance, as the record on a final error or in an event shows it. */
export interface AttemptRecord {
  /** From 1. */
  readonly attempt: number;
  readonly kind: AttemptKind;
  readonly instanceId: string;
  readonly durationMs: number;
  readonly outcome: Outcome;
  readonly ended: AttemptEnding;
  /** Code or message of the error; absent on success. */
  readonly error?: string | undefined;
}
