/** `fairlead/fetch`: a fetch whose URLs name services. */
import { InvalidOptionError } from '../errors.js';
import { checkFunction, isObject } from '../validate.js';
import type { FetchDispatcher } from './fetch-below.js';
import { FetchRoute } from './fetch-dispatcher.js';
import { fetchThrough, isNodesOwn } from './fetch-native.js';
import { fetchRewritten } from './fetch-rewriting.js';
import type { HashKey, HashRequest } from './hash-key.js';
import type { Fetch } from './redirect.js';
import type { FairleadRequestOptions } from './request-options.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions } from './wrap-options.js';

export type { FairleadRequestOptions, FetchDispatcher, HashKey, HashRequest, Target };

/** A fetch of any make: undici's, node-fetch, a mock. It is called with a URL as a string, and a plain `init`. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each has types of its own
export type AnyFetch = (input: any, init?: any) => Promise<any>;

/** Options of {@link wrapFetch}. */
export interface WrapFetchOptions extends WrapOptions {
  /** The fetch that sends. Default: the global one, looked up at each call. */
  readonly fetch?: AnyFetch | undefined;
  /**
   * The undici dispatcher that sends, such as an `Agent` with a certificate authority of its own. A `dispatcher` in the
   * `init` of a fetch comes first. Default: undici's global one. With `fetch`, that must be one that heeds a dispatcher.
   */
  readonly dispatcher?: FetchDispatcher | undefined;
}

declare global {
  interface RequestInit {
    /** Options of this request alone, for a fetch that {@link wrapFetch} made; any other does not heed them. */
    fairlead?: FairleadRequestOptions | undefined;
  }
}

/**
 * A drop-in for `fetch`: where the URL's host names a service of `target`, the request goes to one of its
 * instances, and to another when that fails and may be retried. Any other URL is fetched as it is.
 *
 * All that is fetch's is done by Node's own: its dispatcher alone is another. Redirects to a service are calls of their
 * own, to an instance picked anew; one time limit holds for all of them. Idempotent methods, and requests with an
 * `Idempotency-Key` header, are retried; others only when provably unsent. A stream body is never sent twice. A reply
 * that is a failure (5xx, 429) is retried like an error; the last one is returned as fetch would. Rejects as fetch does:
 * with a `TypeError` whose `cause` tells why, or with the reason of the caller's signal. The client's time limits apply
 * until the reply's headers; the attempt is in flight until the end of its body.
 *
 * With a `fetch` of the caller's own, or where the global one has been replaced, the URL of each attempt is the
 * instance's: that works with any fetch. `url` of the response is as asked for. A body that is read while it is sent,
 * which that of a `Request` is, is not sent again even where it was not begun. A `fetch` given without a `dispatcher` has
 * the instance's address for Host and TLS name, and its attempts end with the headers.
 *
 * `fairlead` in the `init` has options for one request: `fetch(url, { fairlead: { timeoutMs: 200 } })`.
 *
 * For a policy that hashes, `hashKey` says what by: {@link HashKey}. The key is made once per call, and anew for a
 * redirect. What a response says of the instance's load in an `endpoint-load-metrics` header is kept for a policy that
 * weighs by it, whatever the status.
 *
 * With `deadlineHeader` each attempt says how much time it has, unless the request has a header of that name itself. No
 * host but the service's instances gets to see it, over redirects neither.
 *
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function wrapFetch(target: Target, options: WrapFetchOptions = {}): Fetch {
  const wrapping = resolveWrapping('wrapFetch', target, options, ['fetch', 'dispatcher']);
  const { dispatcher } = options;
  const given = options.fetch as Fetch | undefined;
  if (given !== undefined) checkFunction('wrapFetch.fetch', given);
  if (dispatcher !== undefined) checkDispatcher(dispatcher);
  const dispatching = new FetchRoute(wrapping, dispatcher);
  const before = globalThis.fetch;
  const wrapped: Fetch = (input, init) => {
    const { fetch: now } = globalThis;
    const send = given ?? (now === wrapped ? before : now); // it may have been put in place of the global one
    if (given === undefined ? isNodesOwn(send) : dispatcher !== undefined || isNodesOwn(send)) {
      return fetchThrough(dispatching, send, input, init);
    }
    const isNamed = given === undefined;
    return fetchRewritten({ wrapping, send, isNamed, dispatcher }, input, init);
  };
  return wrapped;
}

function checkDispatcher(dispatcher: unknown): void {
  if (isObject(dispatcher) && typeof dispatcher['dispatch'] === 'function') return;
  throw new InvalidOptionError('wrapFetch.dispatcher', 'an undici Dispatcher', dispatcher);
}
