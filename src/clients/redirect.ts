export type Fetch = typeof globalThis.fetch;
export type FetchInput = Parameters<Fetch>[0];
export type FetchInit = NonNullable<Parameters<Fetch>[1]>;

const MAX_REDIRECTS = 20;
const ABOUT_THE_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type'];
const FOR_ONE_ORIGIN = ['authorization', 'cookie', 'host', 'proxy-authorization'];

/** Redirects behind a request so far, by its `init`. */
const counts = new WeakMap<FetchInit, number>();

/** A request that may have been redirected, as it was sent, and how to send another. */
export interface Redirected {
  readonly from: URL;
  readonly input: FetchInput;
  readonly init: FetchInit;
  /** Sends the next request, and follows where that is redirected. */
  readonly fetch: (to: URL, init: FetchInit) => Promise<Response>;
  /** The address of a URL redirected to. Default: the URL itself. */
  readonly locate?: ((to: URL) => URL) | undefined;
}

/**
 * Follows the redirect that a request was answered with, for fetch would follow it unseen. Any other response is
 * returned as it is.
 *
 * A 303, and a 301 or 302 to a POST, goes on as GET without the body; 307 and 308 repeat method and body, which
 * must not have been a stream. Another origin is not told credentials. Source: Fetch standard, "HTTP-redirect
 * fetch".
 */
export async function followRedirect(
  response: Response,
  { from, input, init, fetch, locate = (to) => to }: Redirected,
): Promise<Response> {
  if (![301, 302, 303, 307, 308].includes(response.status)) return response;
  const location = response.headers.get('location');
  if (location === null) return response;
  await response.body?.cancel();

  const request = input instanceof Request ? input : undefined;
  if (!URL.canParse(location, from.href)) throw failure(`the redirect to ${location} is no URL`);
  const to = locate(new URL(location, from));
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase();
  const headers = new Headers(init.headers ?? request?.headers);
  const next: FetchInit = { ...init, method, headers };
  const becomesGet = response.status === 303 || (response.status < 303 && method === 'POST');
  if (becomesGet) {
    next.method = method === 'HEAD' ? 'HEAD' : 'GET';
    delete next.body;
    for (const name of ABOUT_THE_BODY) headers.delete(name);
  } else if (request?.body != null || init.body instanceof ReadableStream) {
    throw failure('a body that was streamed cannot be sent again to where it was redirected');
  }
  if (to.origin !== from.origin) for (const name of FOR_ONE_ORIGIN) headers.delete(name);
  if (request !== undefined) next.signal = init.signal ?? request.signal;

  const count = (counts.get(init) ?? 0) + 1;
  if (count > MAX_REDIRECTS) throw failure('redirect count exceeded');
  counts.set(next, count);
  const followed = await fetch(to, next);
  Object.defineProperty(followed, 'redirected', { value: true, configurable: true });
  return followed;
}

/** What was answered, not how: the code is one that blames no instance. */
function failure(message: string): TypeError {
  const cause = Object.assign(new Error(message), { code: 'ERR_INVALID_REDIRECT' });
  return new TypeError('fetch failed', { cause });
}
