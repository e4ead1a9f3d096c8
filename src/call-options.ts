/** What a single call or pick can be given, beside the options of its client. */
import { InvalidOptionError } from './errors.js';
import type { AttemptRecord, Classify, Settled, Verdict } from './types.js';
import {
  checkBoolean,
  checkFunction,
  checkKeys,
  checkMs,
  checkNumber,
  checkOutcome,
  checkString,
  isObject,
} from './validate.js';

/** Options of one call. `F` is what its `fallback` gives. */
export interface CallOptions<F = never> {
  /**
   * The function may run more than once without harm. Default false: it is run again only after an end that
   * proves that the instance has not acted on it (its connection was refused, its name not found).
   */
  readonly idempotent?: boolean | undefined;
  /** The function can be run again at all; false for a stream body that is used up. Default true. */
  readonly replayable?: boolean | undefined;
  /** Cancels the call: it rejects with the signal's reason and blames no instance. */
  readonly signal?: AbortSignal | undefined;
  /** Time for the whole call, in ms. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  /** Time for one attempt, in ms. Default: as for the client. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Calls with the same key go to the same instance, where the policy hashes. Other policies do not heed it. Not empty. */
  readonly hashKey?: string | undefined;
  /** Judges this call's attempts before the client's `classify` does. */
  readonly classify?: Classify | undefined;
  /**
   * Frees what a settled attempt holds when its result will not be used, because it is retried or came too late.
   * Default: cancels the body of a fetch `Response`.
   */
  readonly discard?: ((settled: Settled) => void) | undefined;
  /** False: never a second attempt beside a slow one, though the client hedges. Default true. */
  readonly hedge?: boolean | undefined;
  /**
   * What the call resolves with instead of failing: a value, or a function of the error. Not used when the caller
   * cancels. Time limits do not apply to it.
   */
  readonly fallback?: F | ((error: unknown) => F | Promise<F>) | undefined;
  /**
   * What a wrapped client knows of its own attempts: judges what neither this call's `classify` nor the client's has, and
   * leaves to the built-in rules what it returns `undefined` for. @internal
   */
  readonly rules?: Classify | undefined;
  /** Told of each attempt of this call as it ends, before the call itself ends. */
  readonly onAttempt?: ((attempt: AttemptRecord) => void) | undefined;
}

/** Options of `pick`. */
export interface PickOptions {
  /** As in a call. */
  readonly hashKey?: string | undefined;
  /** Ids of instances not wanted. */
  readonly excluded?: Iterable<string> | undefined;
}

/** Checked per call: cheap, and wrong values must not reach a timer. */
export function checkCallOptions(options: CallOptions<unknown>): void {
  if (!hasOnly(CALL_KEYS, options)) checkKeys('call', options, [...CALL_KEYS]);
  if (options.timeoutMs !== undefined) checkMs('call.timeoutMs', options.timeoutMs);
  if (options.attemptTimeoutMs !== undefined) {
    checkMs('call.attemptTimeoutMs', options.attemptTimeoutMs);
  }
  if (options.idempotent !== undefined) checkBoolean('call.idempotent', options.idempotent);
  if (options.replayable !== undefined) checkBoolean('call.replayable', options.replayable);
  if (options.hashKey !== undefined) checkString('call.hashKey', options.hashKey);
  if (options.classify !== undefined) checkFunction('call.classify', options.classify);
  if (options.discard !== undefined) checkFunction('call.discard', options.discard);
  if (options.hedge !== undefined) checkBoolean('call.hedge', options.hedge);
  if (options.onAttempt !== undefined) checkFunction('call.onAttempt', options.onAttempt);
  if (options.signal !== undefined && !isAbortSignal(options.signal)) {
    throw new InvalidOptionError('call.signal', 'an AbortSignal', options.signal);
  }
}

/** What a `classify` of the application's own returned. */
export function checkVerdict(verdict: Verdict | undefined): Verdict | undefined {
  if (verdict === undefined) return undefined;
  if (!isObject(verdict)) throw new InvalidOptionError('classify()', 'a Verdict', verdict);
  checkOutcome('classify().outcome', verdict.outcome);
  const { retry } = verdict as { readonly retry?: unknown };
  if (retry !== 'never' && retry !== 'if-idempotent' && retry !== 'always') {
    throw new InvalidOptionError('classify().retry', 'never, if-idempotent or always', retry);
  }
  const { where } = verdict as { readonly where?: unknown };
  if (where !== undefined && where !== 'elsewhere' && where !== 'anywhere') {
    throw new InvalidOptionError('classify().where', 'elsewhere or anywhere', where);
  }
  if (verdict.retryAfterMs !== undefined) {
    checkNumber('classify().retryAfterMs', verdict.retryAfterMs, { min: 0 });
  }
  return verdict;
}

export function checkPickOptions(options: PickOptions): void {
  checkKeys('pick', options, ['hashKey', 'excluded']);
  if (options.hashKey !== undefined) checkString('pick.hashKey', options.hashKey);
  const { excluded } = options;
  if (excluded === undefined) return;
  const isIterable = typeof excluded === 'object' && Symbol.iterator in excluded;
  if (!isIterable) throw new InvalidOptionError('pick.excluded', 'an iterable of ids', excluded);
}

/** Costs next to nothing, unlike the check that says what is wrong. */
function hasOnly(keys: ReadonlySet<string>, options: unknown): boolean {
  if (!isObject(options)) return false;
  for (const key in options) if (!keys.has(key)) return false;
  return true;
}

/** By shape: a signal of another realm or of a polyfill serves too. */
function isAbortSignal(value: unknown): boolean {
  return isObject(value) && 'aborted' in value && typeof value['addEventListener'] === 'function';
}

const CALL_KEYS: ReadonlySet<string> = new Set([
  'idempotent',
  'replayable',
  'signal',
  'timeoutMs',
  'attemptTimeoutMs',
  'hashKey',
  'classify',
  'rules',
  'discard',
  'hedge',
  'fallback',
  'onAttempt',
]);
