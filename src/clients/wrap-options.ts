/** What the HTTP wrappers are given beside their target, and have in common. */
import { checkBoolean, checkKeys } from '../validate.js';
import { deadlineHeaderName } from './deadline-header.js';
import { type HashKey, hashKeyReader, type HashKeyReader } from './hash-key.js';
import { checkTarget, type Target } from './target.js';

export interface WrapOptions {
  /** What requests are hashed by, where they bring no `fairlead.hashKey` of their own. Default: nothing. */
  readonly hashKey?: HashKey | undefined;
  /**
   * The header that tells a server how many ms it has; `true` is `x-request-timeout-ms`. Default false: none. What a
   * server does by it is up to the server: {@link withDeadline}.
   */
  readonly deadlineHeader?: boolean | string | undefined;
  /**
   * What becomes of a URL whose host names no service: false, the default, sends it as it is; true refuses it with
   * `ERR_FAIRLEAD_UNKNOWN_HOST`. It goes for redirects as well.
   */
  readonly strict?: boolean | undefined;
}

/** What a wrapper was made with. */
export interface Wrapping {
  readonly target: Target;
  readonly readHashKey: HashKeyReader | undefined;
  readonly deadlineHeader: string | undefined;
  readonly strict: boolean;
}

const KEYS = ['hashKey', 'deadlineHeader', 'strict'];

/**
 * @param name the wrapper's, for errors.
 * @param own options that this wrapper alone has.
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function resolveWrapping(
  name: string,
  target: Target,
  options: WrapOptions,
  own: readonly string[] = [],
): Wrapping {
  checkTarget(target);
  checkKeys(name, options, [...KEYS, ...own]);
  const { hashKey, deadlineHeader, strict = false } = options;
  return {
    target,
    readHashKey: hashKey === undefined ? undefined : hashKeyReader(`${name}.hashKey`, hashKey),
    deadlineHeader: deadlineHeaderName(`${name}.deadlineHeader`, deadlineHeader),
    strict: checkBoolean(`${name}.strict`, strict),
  };
}
