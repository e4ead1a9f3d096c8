/** A fetch of any make, whose requests to a service are given the URL of an instance. */
import { type FairleadError, isFairleadError, tellStory } from '../errors.js';
import type { ClientView } from '../client-view.js';
import { addressOf, sendAttempt } from './fetch-attempt.js';
import { FetchDeadline } from './fetch-deadline.js';
import type { FetchDispatcher } from './fetch-below.js';
import {
  flatInit,
  hashRequest,
  isIdempotent,
  isReplayable,
  readUrl,
  wantsRedirects,
} from './fetch-request.js';
import {
  type Fetch,
  type FetchInit,
  type FetchInput,
  locationOf,
  MAX_REDIRECTS,
  redirected,
  redirectError,
} from './redirect.js';
import { type FairleadRequestOptions, requestOptions } from './request-options.js';
import { discardStream } from './response-stream.js';
import { clientFor } from './route.js';
import type { Wrapping } from './wrap-options.js';

export interface RewritingRoute {
  readonly wrapping: Wrapping;
  readonly send: Fetch;
  readonly isNamed: boolean;
  readonly dispatcher: FetchDispatcher | undefined;
}

/** Sends all to a service that the URL names; anything else goes to `send` as it is. */
export async function fetchRewritten(
  route: RewritingRoute,
  input: FetchInput,
  given: FetchInit | null | undefined,
): Promise<Response> {
  const url = readUrl(input);
  try {
    const client = url && clientFor(route.wrapping, url);
    if (url === undefined || client === undefined) {
      return await route.send(input, given ?? undefined);
    }
    const own = requestOptions(given?.fairlead);
    return await new RewrittenFetch(route, own).run(url, flatInit(input, given));
  } catch (error) {
    throw isFairleadError(error) ? asFetchError(error) : error;
  }
}

/** One fetch: the request, and those it is redirected to. Each to a service is a call of its own. */
class RewrittenFetch {
  readonly #deadline: FetchDeadline;
  #first: ClientView | undefined;

  constructor(
    private readonly route: RewritingRoute,
    private readonly own: FairleadRequestOptions,
  ) {
    this.#deadline = new FetchDeadline(own);
  }

  async run(first: URL, firstInit: FetchInit): Promise<Response> {
    let url = first;
    let init = firstInit;
    // A redirect tells that the request was received. Were `send` to follow it unseen, a connection refused on the way
    // there would look like a request that was never sent.
    const follows = wantsRedirects(firstInit);
    if (follows) init.redirect = 'manual';
    for (let redirects = 0; ; redirects++) {
      const client = clientFor(this.route.wrapping, url);
      const reply = await (client === undefined
        ? this.route.send(url.href, init)
        : this.#call(client, url, init));
      const location = follows ? locationOf(reply) : undefined;
      if (location === undefined) {
        if (client !== undefined) rename(reply, url);
        if (redirects > 0) define(reply, 'redirected', true);
        return reply;
      }
      discardStream(reply.body);
      if (redirects === MAX_REDIRECTS) throw redirectError('redirect count exceeded');
      const to = resolve(location, url, addressOf(reply));
      init = redirected(init, reply.status, { from: url, to, isReplayable: isReplayable(init) });
      url = to;
    }
  }

  #call(client: ClientView, url: URL, init: FetchInit): Promise<Response> {
    const { wrapping, send, isNamed, dispatcher } = this.route;
    const { readHashKey, deadlineHeader } = wrapping;
    const isFirst = this.#first === undefined;
    this.#first ??= client;
    const own = isFirst ? this.own : (this.#deadline.optionsFor(client, this.#first) ?? this.own);
    const sending = {
      url,
      init,
      send,
      isNamed,
      dispatcher: init.dispatcher ?? dispatcher,
      deadlineHeader,
      servername: client.tlsServername ?? url.hostname,
    };
    return client.call((attempt) => sendAttempt(attempt, sending), {
      ...own,
      idempotent: own.idempotent ?? isIdempotent(init),
      replayable: isReplayable(init),
      hashKey: own.hashKey ?? readHashKey?.(hashRequest(url, init)),
      signal: init.signal ?? undefined,
      discard: (settled) => {
        if (settled.ok) discardStream((settled.value as Response).body);
      },
    });
  }
}

/** A server that makes an absolute URL of what it is asked for may name itself. */
function resolve(location: string, from: URL, address: URL | undefined): URL {
  if (!URL.canParse(location, from.href)) {
    throw redirectError(`the redirect to ${location} is no URL`);
  }
  const to = new URL(location, from);
  if (to.origin !== address?.origin) return to;
  return new URL(to.href.slice(to.origin.length), from);
}

/** As the URL was asked for: the instance's is nobody's business. */
function rename(reply: Response, url: URL): void {
  const named = new URL(url);
  named.hash = '';
  define(reply, 'url', named.href);
}

/** Of a clone, too. What a fetch of the caller's own gives may be no `Response`. */
function define(reply: Response, key: 'url' | 'redirected', value: unknown): void {
  Reflect.defineProperty(reply, key, { value, configurable: true });
  if (typeof reply.clone !== 'function') return;
  const clone = reply.clone.bind(reply);
  const cloned = (): Response => {
    const copy = clone();
    define(copy, key, value);
    return copy;
  };
  Reflect.defineProperty(reply, 'clone', { value: cloned, configurable: true, writable: true });
}

/** Fetch tells of trouble on the way with a TypeError; the real error is its cause. */
function asFetchError(cause: FairleadError): TypeError {
  const error = new TypeError('fetch failed', { cause });
  tellStory(error, cause);
  return error;
}
