import { InvalidOptionError } from './errors.js';
import {
  type HealthCheckOptions,
  type OutlierDetectionOptions,
  type ResolvedHealthCheck,
  type ResolvedOutlierDetection,
  resolveHealthCheck,
  resolveOutlierDetection,
} from './health-options.js';
import {
  type ConcurrencyOptions,
  type HedgeOptions,
  type ResolvedConcurrency,
  type ResolvedHedge,
  type ResolvedRetryBudget,
  resolveConcurrency,
  resolveHedge,
  resolveRetry,
  type RetryOptions,
} from './resilience-options.js';
import {
  type ResolvedSavedList,
  resolveSavedList,
  type SavedListOptions,
} from './saved-list-options.js';
import { type ResolvedStages, resolveStages, type StagesOptions } from './topology-options.js';
import type { Classify, DiscoveryAdapter, Env, Policy } from './types.js';
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkMs,
  checkMsOrZero,
  checkNumber,
  checkRatio,
  checkString,
  isObject,
} from './validate.js';

/** Names of the built-in policies. */
export type PolicyName =
  | 'adaptive'
  | 'peak-ewma'
  | 'p2c'
  | 'least-request'
  | 'round-robin'
  | 'weighted-round-robin'
  | 'server-weighted'
  | 'random'
  | 'rendezvous'
  | 'ring-hash'
  | 'maglev'
  | 'sticky';

export interface BreakerOptions {
  /** Opens when at least this share of the window's attempts failed, > 0 to 1. Default 0.5. */
  readonly errorThresholdRatio?: number | undefined;
  /** Attempts the window must hold before the ratio counts, an integer >= 1. Default 10. */
  readonly minAttempts?: number | undefined;
  /** Opens after this many failures in a row, an integer >= 1. Default 5. */
  readonly consecutiveFailures?: number | undefined;
  /** Length of the sliding window in ms, >= 100. Default 10,000. */
  readonly windowMs?: number | undefined;
  /** First open time in ms, half as long again with each opening in a row. Default 1,000. */
  readonly openMs?: number | undefined;
  /** Longest open time in ms, >= `openMs`. Default 60,000. */
  readonly maxOpenMs?: number | undefined;
}

/** Authorities, keys and certificates are the HTTP client's own: its agent or dispatcher has them. */
export interface TlsOptions {
  /**
   * The name that is sent (SNI) and that the certificate must be for: a host name, or an IP address, which is not sent.
   * Default: the host of the URL asked for, so the service's name.
   */
  readonly servername?: string | undefined;
}

/** What every client of a pool can be given. */
export interface ClientDefaults {
  /** How an instance is chosen. Default `'adaptive'`: by latency, calls in flight and success. */
  readonly policy?: PolicyName | Policy | undefined;
  /** Per-instance circuit breaker; `false` turns it off. */
  readonly breaker?: BreakerOptions | false | undefined;
  /** Takes out what does worse than its peers, and bounds how many are out; `false` does neither. */
  readonly outlierDetection?: OutlierDetectionOptions | false | undefined;
  /** Active health checks. Default false: the calls themselves tell. */
  readonly healthCheck?: HealthCheckOptions | false | undefined;
  /** Which instances come into question: priorities, zones, subsets. */
  readonly stages?: StagesOptions | undefined;
  /**
   * How long an instance that joins warm ones, or comes back, gets less than its share, in ms >= 0. Default 30,000; 0
   * never. After an outage the ramp is no longer than half the outage.
   */
  readonly slowStartMs?: number | undefined;
  /** Retries on another instance; `false` turns them off. */
  readonly retry?: RetryOptions | false | undefined;
  /** A second attempt beside a slow first one, for idempotent calls; `true` takes the defaults. Default false. */
  readonly hedge?: HedgeOptions | boolean | undefined;
  /** Bounds on what is under way at once, with a queue. Default: none. */
  readonly maxConcurrency?: ConcurrencyOptions | false | undefined;
  /** Time for a whole call, all attempts and pauses included, in ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Time for one attempt, in ms. Default, when the call is idempotent: an equal share of the time left for each
   * attempt left, so that an instance that hangs leaves time for another (a third for the first of three attempts, all
   * for the first where there is but one instance); else all the time left.
   */
  readonly attemptTimeoutMs?: number | undefined;
  /**
   * Calls made within another call's function, or within {@link withDeadline}, end no later than that. Carried by
   * AsyncLocalStorage, which costs every `await` of the process a little. Default false.
   */
  readonly inheritDeadline?: boolean | undefined;
  /** Time `ready()` waits for instances, in ms. Default 10,000. */
  readonly readyTimeoutMs?: number | undefined;
  /**
   * Below this share of available instances all are used (panic), 0 to 1; also where fewer than this share of those
   * available are in good health, the others being in only for `maxEjectedRatio`. Default 0.5; 0 never panics while one
   * is left.
   */
  readonly panicRatio?: number | undefined;
  /** How long a list that empties or shrinks by more than half is doubted, in ms >= 0. Default 15,000; 0 believes at once. */
  readonly shrinkGraceMs?: number | undefined;
  /**
   * Saves the list on disk, and starts with the saved one while the source does not answer. Default false: nothing is
   * written.
   */
  readonly savedList?: SavedListOptions | false | undefined;
  /** How the wrapped HTTP clients, and health checks, speak TLS with the instances. */
  readonly tls?: TlsOptions | undefined;
  /** Judges settled attempts; returns `undefined` to leave one to the built-in rules. */
  readonly classify?: Classify | undefined;
  /** Clock and randomness, for tests. Default: the real ones. */
  readonly env?: Env | undefined;
}

export interface ClientOptions extends ClientDefaults {
  /** Name of the service, as the discovery adapter knows it. */
  readonly service: string;
  /** Where its instances are found. */
  readonly discovery: DiscoveryAdapter;
}

export interface ClientPoolOptions {
  /** Where the instances of every service are found that names no adapter of its own. */
  readonly discovery?: DiscoveryAdapter | undefined;
  /** Options for every service. */
  readonly defaults?: ClientDefaults | undefined;
  /** Options by service name, over `defaults`. */
  readonly services?:
    | Readonly<Record<string, ClientDefaults & { readonly discovery?: DiscoveryAdapter }>>
    | undefined;
}

/** `BreakerOptions` with every default filled in. */
export type ResolvedBreaker = {
  readonly [Key in keyof BreakerOptions]-?: NonNullable<BreakerOptions[Key]>;
};

/** `ClientOptions`, validated, with every default filled in. */
export interface ResolvedOptions {
  readonly service: string;
  readonly discovery: DiscoveryAdapter;
  readonly policy: PolicyName | Policy;
  readonly breaker: ResolvedBreaker | undefined;
  readonly outlierDetection: ResolvedOutlierDetection | undefined;
  readonly healthCheck: ResolvedHealthCheck | undefined;
  readonly stages: ResolvedStages;
  readonly slowStartMs: number;
  readonly maxAttempts: number;
  readonly budget: ResolvedRetryBudget | undefined;
  readonly hedge: ResolvedHedge | undefined;
  readonly maxConcurrency: ResolvedConcurrency | undefined;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number | undefined;
  readonly inheritDeadline: boolean;
  readonly readyTimeoutMs: number;
  readonly panicRatio: number;
  readonly shrinkGraceMs: number;
  readonly savedList: ResolvedSavedList | undefined;
  readonly tls: TlsOptions;
  readonly classify: Classify | undefined;
  readonly env: Env | undefined;
}

const DEFAULT_KEYS = [
  'policy',
  'breaker',
  'outlierDetection',
  'healthCheck',
  'stages',
  'slowStartMs',
  'retry',
  'hedge',
  'maxConcurrency',
  'timeoutMs',
  'attemptTimeoutMs',
  'inheritDeadline',
  'readyTimeoutMs',
  'panicRatio',
  'shrinkGraceMs',
  'savedList',
  'tls',
  'classify',
  'env',
] as const;

/** @throws {InvalidOptionError} naming the first option out of range. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  checkKeys('', options, ['service', 'discovery', ...DEFAULT_KEYS]);
  const retry = resolveRetry(options.retry);
  const tls = checkTls(options.tls ?? {});
  return {
    service: checkString('service', options.service),
    discovery: checkAdapter('discovery', options.discovery),
    policy: options.policy ?? 'adaptive',
    breaker: resolveBreaker(options.breaker),
    outlierDetection: resolveOutlierDetection(options.outlierDetection),
    healthCheck: resolveHealthCheck(options.healthCheck, tls.servername),
    stages: resolveStages(options.stages),
    slowStartMs: checkMsOrZero('slowStartMs', options.slowStartMs ?? 30_000),
    ...retry,
    hedge: resolveHedge(options.hedge, retry),
    maxConcurrency: resolveConcurrency(options.maxConcurrency),
    timeoutMs: checkMs('timeoutMs', options.timeoutMs ?? 10_000),
    attemptTimeoutMs:
      options.attemptTimeoutMs === undefined
        ? undefined
        : checkMs('attemptTimeoutMs', options.attemptTimeoutMs),
    inheritDeadline: checkBoolean('inheritDeadline', options.inheritDeadline ?? false),
    readyTimeoutMs: checkMs('readyTimeoutMs', options.readyTimeoutMs ?? 10_000),
    panicRatio: checkRatio('panicRatio', options.panicRatio ?? 0.5),
    shrinkGraceMs: checkMsOrZero('shrinkGraceMs', options.shrinkGraceMs ?? 15_000),
    savedList: resolveSavedList(options.savedList),
    tls,
    classify:
      options.classify === undefined ? undefined : checkFunction('classify', options.classify),
    env: resolveEnv(options.env),
  };
}

/** @throws {InvalidOptionError} for what can be judged before a service is asked for. */
export function checkPoolOptions(options: ClientPoolOptions): void {
  checkKeys('', options, ['discovery', 'defaults', 'services']);
  if (options.discovery !== undefined) checkAdapter('discovery', options.discovery);
  checkKeys('defaults', options.defaults ?? {}, DEFAULT_KEYS);
  const services = options.services ?? {};
  if (!isObject(services)) throw new InvalidOptionError('services', 'an object', services);
  for (const [name, own] of Object.entries(services)) {
    checkKeys(`services.${name}`, own, ['discovery', ...DEFAULT_KEYS]);
    if (own.discovery === undefined && options.discovery === undefined) {
      throw new InvalidOptionError(
        `services.${name}.discovery`,
        'given where the pool has none',
        undefined,
      );
    }
  }
}

function resolveBreaker(options: BreakerOptions | false = {}): ResolvedBreaker | undefined {
  if (options === false) return undefined;
  const given: unknown = options;
  if (!isObject(given)) throw new InvalidOptionError('breaker', 'an object or false', given);
  checkKeys('breaker', options, [
    'errorThresholdRatio',
    'minAttempts',
    'consecutiveFailures',
    'windowMs',
    'openMs',
    'maxOpenMs',
  ]);
  const openMs = checkMs('breaker.openMs', options.openMs ?? 1_000);
  return {
    errorThresholdRatio: checkNumber(
      'breaker.errorThresholdRatio',
      options.errorThresholdRatio ?? 0.5,
      { min: 0, exclusiveMin: true, max: 1 },
    ),
    minAttempts: checkNumber('breaker.minAttempts', options.minAttempts ?? 10, {
      min: 1,
      integer: true,
    }),
    consecutiveFailures: checkNumber(
      'breaker.consecutiveFailures',
      options.consecutiveFailures ?? 5,
      { min: 1, integer: true },
    ),
    windowMs: checkNumber('breaker.windowMs', options.windowMs ?? 10_000, {
      min: 100,
      unit: 'milliseconds',
    }),
    openMs,
    maxOpenMs: checkNumber('breaker.maxOpenMs', options.maxOpenMs ?? Math.max(60_000, openMs), {
      min: openMs,
      unit: 'milliseconds',
    }),
  };
}

function checkAdapter(option: string, adapter: unknown): DiscoveryAdapter {
  if (!isObject(adapter)) {
    throw new InvalidOptionError(option, 'a DiscoveryAdapter such as staticList([...])', adapter);
  }
  checkString(`${option}.name`, adapter['name']);
  checkFunction(`${option}.watch`, adapter['watch']);
  return adapter as unknown as DiscoveryAdapter;
}

/** @throws {InvalidOptionError} naming the part of a clock or the generator that is missing. */
function resolveEnv(env: unknown): Env | undefined {
  if (env === undefined) return undefined;
  const { clock, rng, wallClock } = checkKeys('env', env, ['clock', 'rng', 'wallClock']);
  if (!isObject(clock)) throw new InvalidOptionError('env.clock', 'a Clock', clock);
  for (const method of ['now', 'sleep', 'setTimer']) {
    checkFunction(`env.clock.${method}`, clock[method]);
  }
  if (!isObject(rng)) throw new InvalidOptionError('env.rng', 'an Rng', rng);
  checkFunction('env.rng.next', rng['next']);
  if (wallClock !== undefined) checkFunction('env.wallClock', wallClock);
  return env as Env;
}

function checkTls(tls: TlsOptions): TlsOptions {
  const { servername } = checkKeys('tls', tls, ['servername']);
  if (servername !== undefined) checkString('tls.servername', servername);
  return tls;
}
