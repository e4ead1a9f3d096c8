/** `fairlead/fetch`: a fetch whose URLs name services. */
import { type FairleadError, isFairleadError, tellStory } from '../errors.js';
import { checkFunction } from '../validate.js';
import { sendAttempt } from './fetch-attempt.js';
import {
  hashRequest,
  isIdempotent,
  isReplayable,
  readUrl,
  signalOf,
  wantsRedirects,
} from './fetch-request.js';
import type { HashKey, HashRequest } from './hash-key.js';
import { type Fetch, followRedirect } from './redirect.js';
import { heedingRedirects } from './redirected.js';
import { type FairleadRequestOptions, requestOptions } from './request-options.js';
import { clientFor } from './route.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions } from './wrap-options.js';

export type { FairleadRequestOptions, HashKey, HashRequest, Target };

/** Options of {@link wrapFetch}. */
export interface WrapFetchOptions extends WrapOptions {
  /** The fetch that sends. Default: the global one, looked up at each call. */
  readonly fetch?: Fetch | undefined;
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
 * Idempotent methods, and requests with an `Idempotency-Key` header, are retried; others only when provably
 * unsent. A stream body, or the body of a `Request`, is never sent twice. A reply that is a failure (5xx, 429) is
 * retried like an error; the last one is returned as fetch would. Rejects as fetch does: with a `TypeError` whose
 * `cause` tells why, or with the reason of the caller's signal. The client's time limits apply until the reply's
 * headers. A redirect of a request that may not be repeated is followed as a call of its own; of any other, within
 * the attempt, and on the same instance where it leads to the service.
 *
 * `fairlead` in the `init` has options for one request: `fetch(url, { fairlead: { timeoutMs: 200 } })`.
 *
 * For a policy that hashes, `hashKey` says what by: {@link HashKey}. The key is made once per call, and anew for a
 * redirect that is one. What a response says of the instance's load in an `endpoint-load-metrics` header is kept for
 * a policy that weighs by it, whatever the status.
 *
 * With `deadlineHeader` each attempt says how much time it has, unless the request has a header of that name itself. No
 * host but the service's instances gets to see it, over redirects neither.
 *
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function wrapFetch(target: Target, options: WrapFetchOptions = {}): Fetch {
  const wrapping = resolveWrapping('wrapFetch', target, options, ['fetch']);
  if (options.fetch !== undefined) checkFunction('wrapFetch.fetch', options.fetch);
  const { readHashKey, deadlineHeader } = wrapping;
  const wrapped: Fetch = async (input, given) => {
    const init = given ?? {}; // fetch takes null, too
    const send = options.fetch ?? globalThis.fetch;
    const url = readUrl(input);
    try {
      const client = url === undefined ? undefined : clientFor(wrapping, url);
      if (url === undefined || client === undefined) return await send(input, given);
      const own = requestOptions(init.fairlead);
      const signal = signalOf(input, init);
      const idempotent = own.idempotent ?? isIdempotent(input, init);
      // A redirect tells that the request was received. Were fetch to follow it unseen, a connection refused on
      // the way there would look like a request that was never sent.
      const follows = !wantsRedirects(input, init) ? 'leave' : idempotent ? 'follow' : 'return';
      const sending = {
        url,
        input,
        init,
        signal,
        send,
        redirects: follows,
        deadlineHeader,
      } as const;
      const response = await client.call((attempt) => sendAttempt(attempt, sending), {
        ...own,
        idempotent,
        replayable: isReplayable(input, init),
        hashKey: own.hashKey ?? readHashKey?.(hashRequest(url, input, init)),
        classify: heedingRedirects(own.classify),
        signal,
      });
      if (follows !== 'return') return response;
      return await followRedirect(response, { from: url, input, init, fetch: wrapped });
    } catch (error) {
      throw isFairleadError(error) ? asFetchError(error) : error;
    }
  };
  return wrapped;
}

/** Fetch tells of trouble on the way with a TypeError; the real error is its cause. */
function asFetchError(cause: FairleadError): TypeError {
  const error = new TypeError('fetch failed', { cause });
  tellStory(error, cause);
  return error;
}
