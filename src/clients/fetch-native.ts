/** A fetch of undici's, Node's own or another, that sends through a dispatcher of ours. */
import { isFairleadError, storyOf, tellStory } from '../errors.js';
import { isObject } from '../validate.js';
import { type FetchRoute, OwnError, ServiceDispatcher } from './fetch-dispatcher.js';
import type { Fetch, FetchInit, FetchInput } from './redirect.js';

/**
 * Node's own fetch knows what to do with a `dispatcher`; what replaces it (a mock, a polyfill) may not, and would send to
 * a host that has the service's name. By its text, for that is the same in all versions of Node, and whoever replaced it
 * may have done so before this module was loaded. Should it ever change, fetches go the way that works with any.
 */
export function isNodesOwn(fetch: Fetch): boolean {
  if (fetch !== lastSeen) {
    lastSeen = fetch;
    isLastOwn =
      typeof fetch === 'function' &&
      Function.prototype.toString.call(fetch).includes('internal/deps/undici/undici');
  }
  return isLastOwn;
}

let lastSeen: Fetch | undefined;
let isLastOwn = false;

/** Has `fetch` do all that is fetch's: URLs, redirects, bodies, aborts. Its requests to a service become calls. */
export async function fetchThrough(
  route: FetchRoute,
  fetch: Fetch,
  input: FetchInput,
  init: FetchInit | null | undefined,
): Promise<Response> {
  const given: unknown = init;
  const isDictionary = typeof given === 'object' || typeof given === 'function';
  if (given !== undefined && !isDictionary) return fetch(input, init ?? undefined); // fetch has something to say of it
  const dispatcher = new ServiceDispatcher(route, init?.dispatcher, init?.fairlead);
  try {
    return await fetch(input, withDispatcher(input, init, dispatcher));
  } catch (error) {
    throw withStory(error);
  }
}

function withDispatcher(
  input: FetchInput,
  init: FetchInit | null | undefined,
  dispatcher: ServiceDispatcher,
): FetchInit {
  const ours = dispatcher as unknown as NonNullable<FetchInit['dispatcher']>;
  if (init !== undefined && init !== null && !isPlain(init)) {
    // Such as a Request for an init: what it has is inherited, and asks to be read of itself.
    return new Proxy(init, {
      get: (target, key): unknown => (key === 'dispatcher' ? ours : Reflect.get(target, key)),
    });
  }
  if (!isRequest(input) || !isEmpty(init)) return { ...init, dispatcher: ours };
  // An init, whatever it has, takes these from a Request (Fetch standard, constructor of Request, step 13).
  const { referrer, referrerPolicy } = input;
  return { referrer, referrerPolicy, dispatcher: ours };
}

function isRequest(input: FetchInput): input is Request {
  return isObject(input) && 'referrerPolicy' in input;
}

function isEmpty(init: FetchInit | null | undefined): boolean {
  return Object.entries(init ?? {}).every(
    ([key, value]) => key === 'fairlead' || value === undefined,
  );
}

export function isPlain(init: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(init);
  return prototype === Object.prototype || prototype === null;
}

/** Fetch tells of trouble with an error of its own; the call's is the cause of that, and knows how it went. */
function withStory(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!isObject(error) || !isObject(cause)) return error;
  if (cause instanceof OwnError) return cause.error;
  if (isFairleadError(cause) || 'fairlead' in cause) tellStory(error, storyOf(cause));
  return error;
}
