/** Options of what makes calls end well: retries and their budget, hedges, bounds on concurrency. */
import { InvalidOptionError } from './errors.js';
import { checkKeys, checkMs, checkNumber, checkRatio, isObject } from './validate.js';

export interface RetryOptions {
  /** Attempts a call may make in all, hedges included; an integer >= 1; 1 turns retries off. Default 3. */
  readonly maxAttempts?: number | undefined;
  /** How many retries and hedges all calls of the client together may make; `false` does not bound them. */
  readonly budget?: RetryBudgetOptions | false | undefined;
}

export interface RetryBudgetOptions {
  /** Retries and hedges allowed per call that succeeds, 0 to 1. Default 0.2. */
  readonly ratio?: number | undefined;
  /** Retries and hedges allowed per second whatever succeeds, >= 0: the reserve. Default 10. */
  readonly minPerSecond?: number | undefined;
  /** How long a success counts, and over how long the reserve can be saved up, in ms, >= 1,000. Default 10,000. */
  readonly windowMs?: number | undefined;
}

export interface HedgeOptions {
  /** Age of the first attempt at which a second is sent beside it, in ms. Default: measured, see `quantileRatio`. */
  readonly delayMs?: number | undefined;
  /**
   * Instead of `delayMs`: sent once the first attempt has taken longer than this share of the first attempts of the
   * last minute, 0.5 to 0.999. Default 0.95. Until enough were measured nothing is hedged.
   */
  readonly quantileRatio?: number | undefined;
  /** Hedges per call at most, > 0 to 1. Default 0.05. */
  readonly maxRatio?: number | undefined;
}

export interface ConcurrencyOptions {
  /** Calls under way at once; `'adaptive'` finds the limit by itself. Default: not bounded. */
  readonly client?: number | 'adaptive' | AdaptiveLimitOptions | undefined;
  /** Attempts in flight at once at one instance, those of `pick()` included. Default: not bounded. */
  readonly perInstance?: number | 'adaptive' | AdaptiveLimitOptions | undefined;
  /** Calls that may wait for their turn, within their deadlines; an integer >= 0. Default 100. */
  readonly queueSize?: number | undefined;
}

/** A limit that is found by measuring: it shrinks when latency grows, and grows while it does not. */
export interface AdaptiveLimitOptions {
  /** Where it starts, an integer. Default 20. */
  readonly initial?: number | undefined;
  /** Never less, an integer >= 1. Default 1. */
  readonly min?: number | undefined;
  /** Never more, an integer. Default 1,000. */
  readonly max?: number | undefined;
  /** Latency may grow by this factor, over its long-term mean, before the limit shrinks, >= 1. Default 1.5. */
  readonly tolerance?: number | undefined;
}

export interface ResolvedRetryBudget {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly windowMs: number;
}

export interface ResolvedRetry {
  readonly maxAttempts: number;
  readonly budget: ResolvedRetryBudget | undefined;
}

export interface ResolvedHedge {
  /** `undefined`: measured. */
  readonly delayMs: number | undefined;
  readonly quantileRatio: number;
  readonly maxRatio: number;
}

export interface ResolvedAdaptiveLimit {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly tolerance: number;
}

export interface ResolvedConcurrency {
  readonly client: number | ResolvedAdaptiveLimit | undefined;
  readonly perInstance: number | ResolvedAdaptiveLimit | undefined;
  readonly queueSize: number;
}

/** @throws {InvalidOptionError} naming the first option out of range. */
export function resolveRetry(options: RetryOptions | false = {}): ResolvedRetry {
  if (options === false) return { maxAttempts: 1, budget: undefined };
  checkKeys('retry', options, ['maxAttempts', 'budget']);
  return {
    maxAttempts: checkNumber('retry.maxAttempts', options.maxAttempts ?? 3, {
      min: 1,
      integer: true,
    }),
    budget: resolveBudget(options.budget),
  };
}

function resolveBudget(options: RetryBudgetOptions | false = {}): ResolvedRetryBudget | undefined {
  if (options === false) return undefined;
  const given: unknown = options;
  if (!isObject(given)) throw new InvalidOptionError('retry.budget', 'an object or false', given);
  checkKeys('retry.budget', options, ['ratio', 'minPerSecond', 'windowMs']);
  return {
    ratio: checkRatio('retry.budget.ratio', options.ratio ?? 0.2),
    minPerSecond: checkNumber('retry.budget.minPerSecond', options.minPerSecond ?? 10, { min: 0 }),
    windowMs: checkNumber('retry.budget.windowMs', options.windowMs ?? 10_000, {
      min: 1_000,
      max: 3_600_000,
      unit: 'milliseconds',
    }),
  };
}

/** @throws {InvalidOptionError} naming the first option out of range. */
export function resolveHedge(
  options: HedgeOptions | boolean = false,
  { maxAttempts }: ResolvedRetry,
): ResolvedHedge | undefined {
  if (options === false) return undefined;
  const given: unknown = options === true ? {} : options;
  if (!isObject(given)) throw new InvalidOptionError('hedge', 'an object, true or false', given);
  const { delayMs, quantileRatio, maxRatio } = checkKeys('hedge', given, [
    'delayMs',
    'quantileRatio',
    'maxRatio',
  ]);
  if (maxAttempts < 2) {
    // Silently never hedging would be worse: a hedge is an attempt.
    throw new InvalidOptionError('retry.maxAttempts', 'at least 2 with hedge', maxAttempts);
  }
  if (delayMs !== undefined && quantileRatio !== undefined) {
    throw new InvalidOptionError(
      'hedge.quantileRatio',
      'absent where hedge.delayMs is given',
      quantileRatio,
    );
  }
  const ratio = checkNumber('hedge.quantileRatio', quantileRatio ?? 0.95, { min: 0.5, max: 0.999 });
  return {
    delayMs: delayMs === undefined ? undefined : checkMs('hedge.delayMs', delayMs),
    quantileRatio: ratio,
    maxRatio: checkNumber('hedge.maxRatio', maxRatio ?? 0.05, {
      min: 0,
      exclusiveMin: true,
      max: 1,
    }),
  };
}

/** @throws {InvalidOptionError} naming the first option out of range. */
export function resolveConcurrency(
  options: ConcurrencyOptions | false = false,
): ResolvedConcurrency | undefined {
  if (options === false) return undefined;
  const given: unknown = options;
  if (!isObject(given)) throw new InvalidOptionError('maxConcurrency', 'an object or false', given);
  checkKeys('maxConcurrency', options, ['client', 'perInstance', 'queueSize']);
  return {
    client: resolveLimit('maxConcurrency.client', options.client),
    perInstance: resolveLimit('maxConcurrency.perInstance', options.perInstance),
    queueSize: checkNumber('maxConcurrency.queueSize', options.queueSize ?? 100, {
      min: 0,
      integer: true,
    }),
  };
}

function resolveLimit(path: string, given: unknown): number | ResolvedAdaptiveLimit | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'number') return checkNumber(path, given, { min: 1, integer: true });
  const options: unknown = given === 'adaptive' ? {} : given;
  if (!isObject(options)) {
    throw new InvalidOptionError(path, "an integer >= 1, 'adaptive' or an object", given);
  }
  checkKeys(path, options, ['initial', 'min', 'max', 'tolerance']);
  const integer = (name: string, fallback: number, least: number, most?: number): number =>
    checkNumber(`${path}.${name}`, options[name] ?? fallback, {
      min: least,
      ...(most !== undefined && { max: most }),
      integer: true,
    });
  const min = integer('min', 1, 1);
  const max = integer('max', Math.max(1_000, min), min);
  return {
    min,
    max,
    initial: integer('initial', Math.min(max, Math.max(min, 20)), min, max),
    tolerance: checkNumber(`${path}.tolerance`, options['tolerance'] ?? 1.5, { min: 1 }),
  };
}
