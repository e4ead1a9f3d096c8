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

/**
 * A copy that nobody can change any more: a view is remembered by what its selector was.
 *
 * @throws {InvalidOptionError} naming what is out of range.
 */
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
  return Object.freeze({
    tags: tags && Object.freeze([...tags]),
    metadata: metadata && Object.freeze({ ...metadata }),
    role,
    fallback,
  });
}

/** True when it leaves nobody out. */
export function selectsAll({ tags = [], metadata = {}, role }: Selector): boolean {
  return tags.length === 0 && Object.keys(metadata).length === 0 && role === undefined;
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
 * Keeps the instances that all selectors mean. Before availability is asked for: what it drops is not even used in
 * panic.
 */
export function matching(selectors: readonly Selector[]): Stage {
  return {
    name: 'where',
    apply(part, context) {
      const candidates = select(selectors, part.candidates, (selector) => {
        context.panic(`no instance has ${describeSelector(selector)}`);
      });
      return [{ ...part, eligible: candidates, candidates }];
    },
  };
}

/**
 * What all selectors mean, each of what the ones before it left. One that means nothing there, and falls back to any,
 * leaves all of that.
 *
 * @param onFallback told of such a selector.
 */
export function select<T extends Candidate>(
  selectors: readonly Selector[],
  candidates: readonly T[],
  onFallback: (selector: Selector) => void = () => undefined,
): readonly T[] {
  return selectors.reduce((left, selector) => {
    const found = left.filter((candidate) => isMeant(selector, candidate));
    if (found.length > 0 || left.length === 0 || selector.fallback !== 'any') return found;
    onFallback(selector);
    return left;
  }, candidates);
}

function isMeant(
  { tags = [], metadata = {}, role }: Selector,
  { instance, state }: Candidate,
): boolean {
  return (
    (role === undefined || state.role === role) &&
    tags.every((tag) => instance.tags.includes(tag)) &&
    Object.entries(metadata).every(([key, value]) => instance.metadata[key] === value)
  );
}
