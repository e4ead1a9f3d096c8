import { InvalidOptionError, show } from './errors.js';
import type { Outcome } from './types.js';

/** Checks of single option values. Each returns the value, or throws an error that names option, range and value. */

export function checkNumber(
  option: string,
  value: unknown,
  range: { min: number; max?: number; integer?: boolean; exclusiveMin?: boolean; unit?: string },
): number {
  const { min, max = Infinity, integer = false, exclusiveMin = false } = range;
  const inRange =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (exclusiveMin ? value > min : value >= min) &&
    value <= max &&
    (!integer || Number.isInteger(value));
  if (inRange) return value;
  const kind = integer ? 'an integer' : 'a finite number';
  const unit = range.unit === undefined ? '' : ` of ${range.unit}`;
  const upper = max === Infinity ? '' : ` and <= ${String(max)}`;
  throw new InvalidOptionError(
    option,
    `${kind}${unit} ${exclusiveMin ? '>' : '>='} ${String(min)}${upper}`,
    value,
  );
}

/** A duration: finite, > 0, and short enough for Node's timers (24.8 days). */
export function checkMs(option: string, value: unknown): number {
  return checkNumber(option, value, {
    min: 0,
    exclusiveMin: true,
    max: 2_147_483_647,
    unit: 'milliseconds',
  });
}

/** A duration that may be 0. */
export function checkMsOrZero(option: string, value: unknown): number {
  return checkNumber(option, value, { min: 0, max: 2_147_483_647, unit: 'milliseconds' });
}

export function checkRatio(option: string, value: unknown): number {
  return checkNumber(option, value, { min: 0, max: 1 });
}

export function checkString(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new InvalidOptionError(option, 'a non-empty string', value);
}

export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionError(option, 'true or false', value);
}

export function checkFunction<F>(option: string, value: F): F {
  if (typeof value === 'function') return value;
  throw new InvalidOptionError(option, 'a function', value);
}

/** A plain object that has no other keys than `known`. `option` is its path, empty for the outermost. */
export function checkKeys(
  option: string,
  value: unknown,
  known: readonly string[],
): Record<string, unknown> {
  // A text in place of all options may be a token.
  const told = option === '' && typeof value === 'string' ? 'a string' : value;
  if (!isObject(value)) throw new InvalidOptionError(option || 'options', 'an object', told);
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const path = option === '' ? key : `${option}.${key}`;
    // A misspelt `token` holds a secret all the same: of what stands under an unknown name only the kind is told.
    const given = value[key];
    const told = isPlain(given) ? given : `(${typeof given}, not shown)`;
    throw new InvalidOptionError(
      path,
      'absent',
      told,
      `Unknown option "${path}"${isPlain(given) ? ` (${show(given)})` : ''}; known options: ${known.join(', ')}.`,
    );
  }
  return value;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean' || value == null;
}

/** Of `given` just one is there. */
export function checkOneGiven(
  option: string,
  expected: string,
  given: Readonly<Record<string, unknown>>,
): void {
  const names = Object.keys(given).filter((name) => given[name] !== undefined);
  if (names.length === 1) return;
  const got = names.length === 0 ? 'none' : names.join(' and ');
  throw new InvalidOptionError(
    option,
    `given ${expected}`,
    names,
    `Option "${option}" must have ${expected}; got ${got}.`,
  );
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const OUTCOMES: ReadonlySet<unknown> = new Set<Outcome>([
  'success',
  'failure',
  'overload',
  'ignored',
]);

export function isOutcome(value: unknown): value is Outcome {
  return OUTCOMES.has(value);
}

/** A misspelt outcome must not count as a failure. */
export function checkOutcome(option: string, value: unknown): Outcome {
  if (isOutcome(value)) return value;
  throw new InvalidOptionError(option, `one of ${[...OUTCOMES].join(', ')}`, value);
}
