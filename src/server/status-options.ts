/** Options of a server's status and of its drain, with their defaults. */
import { validateHeaderName } from 'node:http';
import { realEnv } from '../env.js';
import { InvalidOptionError } from '../errors.js';
import type { Clock } from '../types.js';
import type { Load } from './load-meter.js';
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkMs,
  checkMsOrZero,
  checkNumber,
  isObject,
} from '../validate.js';

export interface ServerStatusOptions {
  /**
   * Path that answers 200 while the server takes calls and 503 while it does not, to `GET` and `HEAD`. Default
   * `'/ready'`; `false` for none.
   */
  readonly readinessPath?: string | false | undefined;
  /** Path that answers 200 as long as the process can answer at all, draining or not. Default `false`: none. */
  readonly livenessPath?: string | false | undefined;
  /** Whether the server takes calls from the start, or only after `setReady(true)`. Default true. */
  readonly ready?: boolean | undefined;
  /**
   * Response header that reports the load. Default `'endpoint-load-metrics'`, as Envoy reads it; `false` sends none, which
   * is right for responses that leave for the public. Fairlead reads `'x-endpoint-load-metrics'`, too.
   */
  readonly loadHeader?: string | false | undefined;
  /**
   * Requests in flight at which the server is full, > 0. They are not limited by it. Given, the utilization is that of
   * what is fuller: the event loop, or the places for requests. Default: the event loop alone counts.
   */
  readonly maxConcurrency?: number | undefined;
  /**
   * The part of the capacity in use in place of our own measure: 0 idle, 1 full, more is overload. It should grow with
   * the load. Asked a hundred times per `windowMs` at most; while it throws or gives no such number, no load is reported.
   * `({ eventLoop }) => Math.max(eventLoop, pool.used / pool.size)`.
   */
  readonly utilization?: UtilizationFunction | undefined;
  /** Over how long requests, errors and utilization are averaged, in ms >= 100. Default 10,000. */
  readonly windowMs?: number | undefined;
  /** The clock, for tests. Default: the system's. */
  readonly env?: { readonly clock: Clock } | undefined;
}

/** Tells the utilization from, or beside, what was measured. */
export type UtilizationFunction = (load: Load) => number;

export interface ServerStatusSettings {
  readonly readinessPath: string | undefined;
  readonly livenessPath: string | undefined;
  readonly ready: boolean;
  readonly loadHeader: string | undefined;
  readonly maxConcurrency: number | undefined;
  readonly utilization: UtilizationFunction | undefined;
  readonly windowMs: number;
  readonly clock: Clock;
}

export interface DrainOptions {
  /**
   * Time for callers to find out, in ms >= 0: requests are served and waited for at least so long. Default 5,000. With
   * active health checks their `intervalMs * unhealthyThreshold`; with a source that tells of the change (Consul) 1,000.
   */
  readonly minMs?: number | undefined;
  /** `drain` waits no longer for requests in flight, in ms > 0 and >= `minMs`. Default: `minMs` and 20,000 more. */
  readonly timeoutMs?: number | undefined;
  /** Ends the waiting: the promise rejects with the signal's reason. The server goes on draining. */
  readonly signal?: AbortSignal | undefined;
}

export interface DrainSettings {
  readonly minMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Between what is kept back for callers to find out and the 30 s that Kubernetes gives a process. */
const DEFAULT_GRACE_MS = 20_000;

const KEYS: readonly (keyof ServerStatusOptions)[] = [
  'readinessPath',
  'livenessPath',
  'ready',
  'loadHeader',
  'maxConcurrency',
  'utilization',
  'windowMs',
  'env',
];

/** @throws {InvalidOptionError} naming the option out of range. */
export function resolveStatus(given: ServerStatusOptions): ServerStatusSettings {
  checkKeys('', given, KEYS);
  const readinessPath = checkPath('readinessPath', given.readinessPath ?? '/ready');
  const livenessPath = checkPath('livenessPath', given.livenessPath ?? false);
  if (livenessPath !== undefined && livenessPath === readinessPath) {
    throw new InvalidOptionError('livenessPath', 'another path than readinessPath', livenessPath);
  }
  const { maxConcurrency, utilization } = given;
  if (maxConcurrency !== undefined && utilization !== undefined) {
    throw new InvalidOptionError(
      'maxConcurrency',
      'absent with utilization, which takes its place',
      maxConcurrency,
    );
  }
  return {
    readinessPath,
    livenessPath,
    ready: checkBoolean('ready', given.ready ?? true),
    loadHeader: checkHeader('loadHeader', given.loadHeader ?? 'endpoint-load-metrics'),
    maxConcurrency:
      maxConcurrency === undefined
        ? undefined
        : checkNumber('maxConcurrency', maxConcurrency, { min: 0, exclusiveMin: true }),
    utilization: utilization === undefined ? undefined : checkFunction('utilization', utilization),
    windowMs: checkNumber('windowMs', given.windowMs ?? 10_000, { min: 100, unit: 'milliseconds' }),
    clock: checkClock(given.env),
  };
}

/** @throws {InvalidOptionError} naming the option out of range. */
export function resolveDrain(given: DrainOptions): DrainSettings {
  checkKeys('drain', given, ['minMs', 'timeoutMs', 'signal']);
  const minMs = checkMsOrZero('drain.minMs', given.minMs ?? 5_000);
  const timeoutMs = checkMs('drain.timeoutMs', given.timeoutMs ?? minMs + DEFAULT_GRACE_MS);
  if (timeoutMs < minMs) {
    throw new InvalidOptionError('drain.timeoutMs', `>= minMs (${String(minMs)})`, timeoutMs);
  }
  const { signal } = given;
  if (signal !== undefined && !isSignal(signal)) {
    throw new InvalidOptionError('drain.signal', 'an AbortSignal', signal);
  }
  return { minMs, timeoutMs, signal };
}

function isSignal(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value
  );
}

function checkPath(option: string, path: unknown): string | undefined {
  if (path === false) return undefined;
  // What stands in a request line before its query.
  if (typeof path === 'string' && /^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(path)) return path;
  throw new InvalidOptionError(
    option,
    'false, or a path that begins with /, in ASCII and percent-encoded, without a query',
    path,
  );
}

function checkHeader(option: string, name: unknown): string | undefined {
  if (name === false) return undefined;
  try {
    validateHeaderName(name as string);
    return (name as string).toLowerCase(); // HTTP/2 has no other
  } catch {
    throw new InvalidOptionError(option, 'false, or the name of a header', name);
  }
}

function checkClock(env: unknown): Clock {
  if (env === undefined) return realEnv().clock;
  // All of an Env may be given; but for the clock nothing of it is used.
  const { clock } = checkKeys('env', env, ['clock', 'rng', 'wallClock']);
  if (!isObject(clock)) throw new InvalidOptionError('env.clock', 'a Clock', clock);
  for (const method of ['now', 'setTimer']) {
    checkFunction(`env.clock.${method}`, clock[method]);
  }
  return clock as unknown as Clock;
}
