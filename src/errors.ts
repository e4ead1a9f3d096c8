import type { AttemptRecord } from './types.js';

export type ErrorCode =
  | 'ERR_FAIRLEAD_INVALID_OPTION'
  | 'ERR_FAIRLEAD_INVALID_INSTANCE'
  | 'ERR_FAIRLEAD_NOT_READY'
  | 'ERR_FAIRLEAD_SERVICE_NOT_FOUND'
  | 'ERR_FAIRLEAD_UNKNOWN_HOST'
  | 'ERR_FAIRLEAD_NO_INSTANCES'
  | 'ERR_FAIRLEAD_NO_MATCH'
  | 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT'
  | 'ERR_FAIRLEAD_DEADLINE_EXCEEDED'
  | 'ERR_FAIRLEAD_CONCURRENCY_LIMIT'
  | 'ERR_FAIRLEAD_DISCOVERY'
  | 'ERR_FAIRLEAD_MISSING_DEPENDENCY'
  | 'ERR_FAIRLEAD_CLOSED';

const BRAND = Symbol.for('fairlead.error');

export interface FairleadErrorDetails {
  readonly cause?: unknown;
  readonly attempts?: readonly AttemptRecord[];
}

/**
 * Base of every error Fairlead makes. Use {@link isFairleadError} rather than `instanceof`:
 * the ESM and the CommonJS build each hold a class of their own.
 */
export class FairleadError extends Error {
  override readonly name: string = 'FairleadError';
  readonly code: ErrorCode;
  /** The sends of the call, oldest first; empty when nothing was sent. */
  readonly attempts: readonly AttemptRecord[];
  /** True when the call was not retried only because the client's retry budget was used up. */
  readonly budgetExhausted: boolean = false;

  constructor(code: ErrorCode, message: string, details: FairleadErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.attempts = details.attempts ?? [];
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** An option the caller gave is out of its range: `option` is its path, `value` what was given. */
export class InvalidOptionError extends FairleadError {
  override readonly name = 'InvalidOptionError';
  readonly option: string;
  /** The range, in words. */
  readonly expected: string;
  readonly value: unknown;

  constructor(
    option: string,
    expected: string,
    value: unknown,
    message = `Option "${option}" must be ${expected}; got ${show(value)}.`,
  ) {
    super('ERR_FAIRLEAD_INVALID_OPTION', message);
    this.option = option;
    this.expected = expected;
    this.value = value;
  }
}

/** An instance a source emitted is malformed: `field` says where, `value` what was found. */
export class InvalidInstanceError extends FairleadError {
  override readonly name = 'InvalidInstanceError';
  readonly field: string;
  readonly value: unknown;

  constructor(field: string, expected: string, value: unknown) {
    super(
      'ERR_FAIRLEAD_INVALID_INSTANCE',
      `Instance field "${field}" must be ${expected}; got ${show(value)}.`,
    );
    this.field = field;
    this.value = value;
  }
}

/** True for every Fairlead error, whichever build of the package made it. */
export function isFairleadError(error: unknown): error is FairleadError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

/** How a call that failed went. */
export interface CallStory {
  /** The sends, oldest first. */
  readonly attempts: readonly AttemptRecord[];
  /** True when it was not retried only because the client's retry budget was used up. */
  readonly budgetExhausted: boolean;
}

/** Adds the story of a call to an error that is not ours, as its property `fairlead`. An outer call tells its own. */
export function tellStory(error: object, { attempts, budgetExhausted }: CallStory): void {
  // `Reflect` does not throw where the error has such a property of its own that cannot be changed.
  Reflect.defineProperty(error, 'fairlead', {
    value: { attempts, budgetExhausted },
    configurable: true,
    writable: true,
  });
}

/** Notes on an error of ours that the budget was the only reason not to retry. */
export function tellBudgetExhausted(error: FairleadError): void {
  Object.defineProperty(error, 'budgetExhausted', { value: true, enumerable: true });
}

const NO_STORY: CallStory = { attempts: [], budgetExhausted: false };

/** The story behind an error that `call`, a wrapped axios or a wrapped fetch rejected with. */
export function storyOf(error: unknown): CallStory {
  if (isFairleadError(error)) return error;
  const story = (error as { fairlead?: Partial<CallStory> } | null | undefined)?.fairlead;
  return { ...NO_STORY, ...story };
}

/** The sends behind an error that `call`, a wrapped axios or a wrapped fetch rejected with, oldest first. */
export function attemptsOf(error: unknown): readonly AttemptRecord[] {
  return storyOf(error).attempts;
}

/** A value as a message shows it: short, quoted, never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(truncate(value));
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  return 'an object';
}

function truncate(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
