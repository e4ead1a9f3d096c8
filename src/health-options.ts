/** Options of active health checks and outlier detection. */
import { InvalidOptionError } from './errors.js';
import { checkHttp, checkPort, type HttpCheck } from './http-check-options.js';
import type { Instance } from './types.js';
import {
  checkFunction,
  checkKeys,
  checkMs,
  checkNumber,
  checkOneGiven,
  checkRatio,
  isObject,
} from './validate.js';

/** Takes out an instance that does worse than its peers, and bounds how many can be out by their breakers. */
export interface OutlierDetectionOptions {
  /**
   * Opens the breaker of an instance whose success ratio over the window is below this, while its peers do better by
   * more than chance, 0 to 1. Default 0.8; 0 never does.
   */
  readonly successRatio?: number | undefined;
  /** Attempts the window must hold before the ratio counts, an integer >= 1. Default 10. */
  readonly minAttempts?: number | undefined;
  /** Length of the window in ms, in ten exact steps, >= 100. Default 10,000. */
  readonly windowMs?: number | undefined;
  /**
   * At most this share of a priority's instances is out by breakers at a time, the next one included, 0 to 1; the last
   * one never. Default 0.5. A breaker that would open beyond it stays closed, and says so (`breaker.held`). It does not
   * bind while another priority can take over.
   */
  readonly maxEjectedRatio?: number | undefined;
}

/** What a check of the user's own found: healthy or not, and what the instance is. `undefined` means healthy. */
export interface CheckResult {
  readonly healthy: boolean;
  /** Such as `'primary'` or `'standby'`; a selector can require it. */
  readonly role?: string | undefined;
}

/** One check of one instance. Throwing, or taking longer than `timeoutMs`, means that the check failed. */
export type CheckFunction = (context: {
  readonly instance: Instance;
  /** Aborts at the time limit, and when the client closes. */
  readonly signal: AbortSignal;
}) => Promise<CheckResult | boolean | undefined> | CheckResult | boolean | undefined;

export interface TcpCheck {
  /** Default: the instance's own. */
  readonly port?: number | undefined;
}

/** Active health checks. Exactly one of `http`, `tcp` and `check`. */
export interface HealthCheckOptions {
  readonly http?: HttpCheck | undefined;
  /** Healthy when a TCP connection is accepted. `true` is `{}`. */
  readonly tcp?: TcpCheck | true | undefined;
  readonly check?: CheckFunction | undefined;
  /** From one check of an instance to the next in ms, plus or minus a tenth by chance. Default 5,000. */
  readonly intervalMs?: number | undefined;
  /** Time for one check in ms, all its requests included. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /** Good checks in a row that make an unhealthy instance healthy, an integer >= 1. Default 2. */
  readonly healthyThreshold?: number | undefined;
  /** Failed checks in a row that make a healthy instance unhealthy, an integer >= 1. Default 3. */
  readonly unhealthyThreshold?: number | undefined;
  /** Checks under way at a time, over all instances, an integer >= 1. Default 20. */
  readonly concurrency?: number | undefined;
}

export type ResolvedOutlierDetection = {
  readonly [Key in keyof OutlierDetectionOptions]-?: NonNullable<OutlierDetectionOptions[Key]>;
};

export interface ResolvedHealthCheck {
  readonly probe:
    | { readonly kind: 'http'; readonly http: HttpCheck }
    | { readonly kind: 'tcp'; readonly port: number | undefined }
    | { readonly kind: 'function'; readonly check: CheckFunction };
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  readonly concurrency: number;
}

/** @throws {InvalidOptionError} naming the option out of range. */
export function resolveOutlierDetection(
  given: OutlierDetectionOptions | false = {},
): ResolvedOutlierDetection | undefined {
  if (given === false) return undefined;
  const at = 'outlierDetection';
  const value: unknown = given;
  if (!isObject(value)) throw new InvalidOptionError(at, 'an object or false', value);
  checkKeys(at, given, ['successRatio', 'minAttempts', 'windowMs', 'maxEjectedRatio']);
  return {
    successRatio: checkRatio(`${at}.successRatio`, given.successRatio ?? 0.8),
    minAttempts: checkCount(`${at}.minAttempts`, given.minAttempts ?? 10),
    windowMs: checkNumber(`${at}.windowMs`, given.windowMs ?? 10_000, {
      min: 100,
      unit: 'milliseconds',
    }),
    maxEjectedRatio: checkRatio(`${at}.maxEjectedRatio`, given.maxEjectedRatio ?? 0.5),
  };
}

/** @throws {InvalidOptionError} naming the option out of range. */
export function resolveHealthCheck(
  given: HealthCheckOptions | false = false,
  servername?: string,
): ResolvedHealthCheck | undefined {
  if (given === false) return undefined;
  const at = 'healthCheck';
  const value: unknown = given;
  if (!isObject(value)) throw new InvalidOptionError(at, 'an object or false', value);
  checkKeys(at, given, [
    'http',
    'tcp',
    'check',
    'intervalMs',
    'timeoutMs',
    'healthyThreshold',
    'unhealthyThreshold',
    'concurrency',
  ]);
  return {
    probe: resolveProbe(given, servername),
    intervalMs: checkMs(`${at}.intervalMs`, given.intervalMs ?? 5_000),
    timeoutMs: checkMs(`${at}.timeoutMs`, given.timeoutMs ?? 2_000),
    healthyThreshold: checkCount(`${at}.healthyThreshold`, given.healthyThreshold ?? 2),
    unhealthyThreshold: checkCount(`${at}.unhealthyThreshold`, given.unhealthyThreshold ?? 3),
    concurrency: checkCount(`${at}.concurrency`, given.concurrency ?? 20),
  };
}

function resolveProbe(
  { http, tcp, check }: HealthCheckOptions,
  servername: string | undefined,
): ResolvedHealthCheck['probe'] {
  checkOneGiven('healthCheck', 'exactly one of http, tcp and check', { http, tcp, check });
  if (http !== undefined)
    return { kind: 'http', http: withServername(checkHttp(http), servername) };
  if (check !== undefined) {
    return { kind: 'function', check: checkFunction('healthCheck.check', check) };
  }
  const options: unknown = tcp === true ? {} : tcp;
  if (!isObject(options)) {
    throw new InvalidOptionError('healthCheck.tcp', 'an object or true', options);
  }
  const { port } = checkKeys('healthCheck.tcp', options, ['port']);
  return { kind: 'tcp', port: checkPort('healthCheck.tcp.port', port) };
}

/** Where the check names no server of its own it is the client's. */
function withServername(http: HttpCheck, servername: string | undefined): HttpCheck {
  if (servername === undefined || http.tls?.servername !== undefined) return http;
  return { ...http, tls: { ...http.tls, servername } };
}

function checkCount(option: string, value: unknown): number {
  return checkNumber(option, value, { min: 1, integer: true });
}
