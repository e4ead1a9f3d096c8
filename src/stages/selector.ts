import { InvalidOptionError } from '../errors.js';
import type { Candidate, Stage } from '../types.js';
import { checkKeys, checkString, isObject } from '../validate.js';

/** Which instances a view of a client uses. All that is given must hold. */
export interface Selector {
  /** Tags that the instance carries, all of them. */
  readonly tags?: readonly string[] | undefined;
  /** Metadata that the instance has, all of them, with these values. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** What health checks found the instance to be, such as `'primary'`. */
  readonly role?: string | undefined;
  /** What to do when none matches: fail with `ERR_FAIRLEAD_NO_MATCH`, or use any. Default `'error'`. */
  readonly fallback?: 'error' | 'any' | undefined;
}

/** @throws {InvalidOptionError} naming what is out of range. */
export function checkSelector(selector: Selector): Selector {
  checkKeys('where', selector, ['tags', 'metadata', 'role', 'fallback']);
  const { tags, metadata, role, fallback = 'error' } = selector;
  if (
    tags !== undefined &&
    !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))
  ) {
    throw new InvalidOptionError('where.tags', 'an array of strings', tags);
  }
  if (metadata !== undefined) {
    if (!isObject(metadata)) {
      throw new InvalidOptionError('where.metadata', 'an object of strings', metadata);
    }
    for (const [key, value] of Object.entries(metadata)) {
      if (typeof value === 'string') continue;
      throw new InvalidOptionError(`where.metadata.${key}`, 'a string', value);
    }
  }
  if (role !== undefined) checkString('where.role', role);
  if (!['error', 'any'].includes(fallback)) {
    throw new InvalidOptionError('where.fallback', "'error' or 'any'", fallback);
  }
  return selector;
}

/** A selector in words, the same for selectors that mean the same: `role "primary", tag "v2"`. */
function describeSelector({ tags = [], metadata = {}, role }: Selector): string {
  return [
    ...(role === undefined ? [] : [`role ${JSON.stringify(role)}`]),
    ...[...new Set(tags)].sort().map((tag) => `tag ${JSON.stringify(tag)}`),
    ...Object.entries(metadata)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `metadata ${JSON.stringify(key)} = ${JSON.stringify(value)}`),
  ].join(', ');
}

/** Several selectors in words: all of them must hold. */
export function describeSelectors(selectors: readonly Selector[]): string {
  return selectors.map(describeSelector).join(', ');
}

/**
 * Keeps the instances that all selectors mean; the last one says what to do when there is none. Before
 * availability is asked for: what it drops is not even used in panic.
 */
export function matching(selectors: readonly Selector[]): Stage {
  return {
    name: 'where',
    apply(part, context) {
      const candidates = part.candidates.filter((candidate) => matches(selectors, candidate));
      const isLast = candidates.length === 0 && part.candidates.length > 0;
      if (isLast && selectors.at(-1)?.fallback === 'any') {
        context.panic(`no instance has ${describeSelectors(selectors)}`);
        return [part];
      }
      return [{ ...part, eligible: candidates, candidates }];
    },
  };
}

/** True when the instance is what all selectors mean. */
export function matches(selectors: readonly Selector[], { instance, state }: Candidate): boolean {
  return selectors.every(
    ({ tags = [], metadata = {}, role }) =>
      (role === undefined || state.role === role) &&
      tags.every((tag) => instance.tags.includes(tag)) &&
      Object.entries(metadata).every(([key, value]) => instance.metadata[key] === value),
  );
}
