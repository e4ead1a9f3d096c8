export type Fetch = typeof globalThis.fetch;
export type FetchInput = Parameters<Fetch>[0];
export type FetchInit = NonNullable<Parameters<Fetch>[1]>;

/** More make a fetch fail (Fetch standard, "HTTP-redirect fetch", step 8). */
export const MAX_REDIRECTS = 20;

const ABOUT_THE_BODY = ['content-encoding', 'content-language', 'content-location', 'content-type'];
const FOR_ONE_ORIGIN = ['authorization', 'cookie', 'host', 'proxy-authorization'];
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Where a response says that it is to be found; `undefined` when it is no redirect. */
export function locationOf({ status, headers }: Response): string | undefined {
  return REDIRECTS.has(status) ? (headers.get('location') ?? undefined) : undefined;
}

/**
 * What goes to where a request was redirected. A 303, and a 301 or 302 to a POST, goes on as GET without the body; 307
 * and 308 repeat method and body. Another origin is not told credentials. Source: Fetch standard, "HTTP-redirect fetch".
 *
 * @param isReplayable whether the body can be sent again.
 * @throws {TypeError} as fetch does.
 */
export function redirected(
  init: FetchInit,
  status: number,
  { from, to, isReplayable }: { from: URL; to: URL; isReplayable: boolean },
): FetchInit {
  if (to.protocol !== 'http:' && to.protocol !== 'https:') {
    throw redirectError('URL scheme must be a HTTP(S) scheme');
  }
  const method = (init.method ?? 'GET').toUpperCase();
  const headers = new Headers(init.headers);
  const next: FetchInit = { ...init, headers };
  const becomesGet =
    status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  if (becomesGet) {
    next.method = 'GET';
    delete next.body;
    delete next.duplex;
    for (const name of ABOUT_THE_BODY) headers.delete(name);
  } else if (!isReplayable) {
    throw redirectError('a body that was streamed cannot be sent again to where it was redirected');
  }
  if (to.origin !== from.origin) for (const name of FOR_ONE_ORIGIN) headers.delete(name);
  return next;
}

/** About what was answered, not how: the code is one that blames no instance. */
export function redirectError(message: string): TypeError {
  const cause = Object.assign(new Error(message), { code: 'ERR_INVALID_REDIRECT' });
  return new TypeError('fetch failed', { cause });
}
