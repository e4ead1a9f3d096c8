/** `fairlead/fetch`: a fetch whose URLs name services. */
import type { CallOptions } from '../call-options.js';
import { type FairleadError, isFairleadError, tellStory } from '../errors.js';
import { checkFunction, checkKeys } from '../validate.js';
import { type HashKey, hashKeyReader, type HashRequest } from './hash-key.js';
import { reportLoad } from './load-report.js';
import { type Fetch, type FetchInit, type FetchInput, followRedirect } from './redirect.js';
import { checkTarget, clientFor, IDEMPOTENT_METHODS, onInstance, type Target } from './route.js';

export type { HashKey, HashRequest, Target };

/** Options of {@link wrapFetch}. */
export interface WrapFetchOptions {
  /** The fetch that sends. Default: the global one, looked up at each call. */
  readonly fetch?: Fetch | undefined;
  /** What requests are hashed by. Default: nothing. */
  readonly hashKey?: HashKey | undefined;
}

/**
 * A drop-in for `fetch`: where the URL's host names a service of `target`, the request goes to one of its
 * instances, and to another when that fails and may be retried. Any other URL is fetched as it is.
 *
 * Idempotent methods, and requests with an `Idempotency-Key` header, are retried; others only when provably
 * unsent. A stream body, or the body of a `Request`, is never sent twice. A reply that is a failure (5xx, 429) is
 * retried like an error; the last one is returned as fetch would. Rejects as fetch does: with a `TypeError` whose
 * `cause` tells why, or with the reason of the caller's signal. The client's time limits apply until the reply's
 * headers. A redirect of a request that may not be repeated is followed as a call of its own.
 *
 * For a policy that hashes, `hashKey` says what by: {@link HashKey}. The key is made once per call, and anew for a
 * redirect that is one. What a response says of the instance's load in an `endpoint-load-metrics` header is kept for
 * a policy that weighs by it, whatever the status.
 *
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function wrapFetch(target: Target, options: WrapFetchOptions = {}): Fetch {
  checkTarget(target);
  checkKeys('wrapFetch', options, ['fetch', 'hashKey']);
  const { hashKey } = options;
  if (options.fetch !== undefined) checkFunction('wrapFetch.fetch', options.fetch);
  const readHashKey =
    hashKey === undefined ? undefined : hashKeyReader('wrapFetch.hashKey', hashKey);
  const wrapped: Fetch = async (input, given) => {
    const init = given ?? {}; // fetch takes null, too
    const send = options.fetch ?? globalThis.fetch;
    const url = readUrl(input);
    try {
      const client = url === undefined ? undefined : clientFor(target, url);
      if (url === undefined || client === undefined) return await send(input, given);
      const signal = init.signal ?? (input instanceof Request ? input.signal : undefined);
      const idempotent = isIdempotent(input, init);
      const mode = init.redirect ?? (input instanceof Request ? input.redirect : 'follow');
      // A redirect tells that the request was received. Were fetch to follow it unseen, a connection refused on
      // the way there would look like a request that was never sent.
      const redirect = mode === 'follow' && !idempotent ? 'manual' : mode;
      const call: CallOptions = {
        idempotent,
        replayable: isReplayable(input, init),
        hashKey: readHashKey?.(hashRequest(url, input, init)),
        signal,
      };
      const response = await client.call(async (attempt) => {
        const there = onInstance(url, attempt.instance);
        // The call is over at the headers; the caller's signal must reach the body, too.
        const both =
          signal === undefined ? attempt.signal : AbortSignal.any([attempt.signal, signal]);
        const request = input instanceof Request ? new Request(there, input) : there;
        const reply = await send(request, { ...init, redirect, signal: both });
        // Where a redirect led elsewhere, it is another server that speaks of its load.
        const isFromInstance = !reply.redirected || reply.url.startsWith(`${there.origin}/`);
        if (isFromInstance) reportLoad(attempt, reply.headers);
        return reply;
      }, call);
      return redirect === mode
        ? response
        : await followRedirect(response, url, input, init, wrapped);
    } catch (error) {
      throw isFairleadError(error) ? asFetchError(error) : error;
    }
  };
  return wrapped;
}

/** `undefined` for what fetch itself must judge (a relative or malformed URL). */
function readUrl(input: FetchInput): URL | undefined {
  const text = input instanceof Request ? input.url : String(input);
  return URL.canParse(text) ? new URL(text) : undefined;
}

function methodOf(input: FetchInput, init: FetchInit): string {
  return (init.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase();
}

/** Those of `init` replace those of a `Request`, all of them. */
function headersOf(input: FetchInput, init: FetchInit): Headers {
  const isRequests = init.headers === undefined && input instanceof Request;
  return isRequests ? input.headers : new Headers(init.headers);
}

function isIdempotent(input: FetchInput, init: FetchInit): boolean {
  if (IDEMPOTENT_METHODS.has(methodOf(input, init))) return true;
  return headersOf(input, init).has('idempotency-key');
}

function hashRequest(url: URL, input: FetchInput, init: FetchInit): HashRequest {
  const headers = headersOf(input, init);
  return {
    method: methodOf(input, init),
    url: new URL(url),
    header: (name) => headers.get(name) ?? undefined,
  };
}

/** A body that is read while it is sent is used up by the first attempt. */
function isReplayable(input: FetchInput, init: FetchInit): boolean {
  const body: unknown = init.body ?? (input instanceof Request ? input.body : undefined);
  if (typeof body !== 'object' || body === null) return true;
  if (body instanceof Blob || body instanceof URLSearchParams || body instanceof FormData) {
    return true;
  }
  return body instanceof ArrayBuffer || ArrayBuffer.isView(body);
}

/** Fetch tells of trouble on the way with a TypeError; the real error is its cause. */
function asFetchError(cause: FairleadError): TypeError {
  const error = new TypeError('fetch failed', { cause });
  tellStory(error, cause);
  return error;
}
