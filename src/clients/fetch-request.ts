/** What is read of a request to fetch: of the `init`, else of the `Request`. */
import { isObject } from '../validate.js';
import { isPlain } from './fetch-native.js';
import type { HashRequest } from './hash-key.js';
import type { FetchInit, FetchInput } from './redirect.js';
import { IDEMPOTENT_METHODS } from './route.js';

/** `undefined` for what fetch itself must judge (a relative or malformed URL). */
export function readUrl(input: FetchInput): URL | undefined {
  const text = isRequest(input) ? input.url : String(input);
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** What of a `Request` can stand in an init. */
const FIELDS = [
  'method',
  'headers',
  'redirect',
  'signal',
  'credentials',
  'cache',
  'mode',
  'integrity',
  'keepalive',
  'referrer',
  'referrerPolicy',
] as const;

/** All that is asked of a fetch but the URL, as one plain init: any fetch takes that. */
export function flatInit(input: FetchInput, given: FetchInit | null | undefined): FetchInit {
  const init: object & FetchInit = given ?? {};
  const request = isRequest(input) ? input : undefined;
  const flat: Record<string, unknown> = isPlain(init) ? { ...init } : {};
  for (const field of FIELDS) {
    const own: unknown = (init as Record<string, unknown>)[field];
    const value: unknown = own === undefined ? request?.[field] : own;
    if (value !== undefined) flat[field] = value;
  }
  const body = init.body ?? request?.body ?? undefined;
  if (body !== undefined) flat['body'] = body;
  // Inherited, where the init is a Request itself.
  const duplex = init.duplex ?? (isStream(body) && init.body !== body ? 'half' : undefined);
  if (duplex !== undefined) flat['duplex'] = duplex;
  delete flat['fairlead'];
  return flat;
}

/** By shape: other fetches have a class of their own. */
function isRequest(input: FetchInput): input is Request {
  const { url, method } = isObject(input) ? input : {};
  return typeof url === 'string' && typeof method === 'string';
}

function methodOf({ method = 'GET' }: FetchInit): string {
  return method.toUpperCase();
}

/** Whether redirects are to be followed, as they are unless something else is asked for. */
export function wantsRedirects({ redirect }: FetchInit): boolean {
  return redirect === undefined || redirect === 'follow';
}

export function isIdempotent(init: FetchInit): boolean {
  return IDEMPOTENT_METHODS.has(methodOf(init)) || new Headers(init.headers).has('idempotency-key');
}

/** A body that is read while it is sent is used up by the first attempt. That of a `Request` always is such a stream. */
export function isReplayable({ body }: FetchInit): boolean {
  if (!isObject(body)) return true;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  return RE_READABLE.has(Object.prototype.toString.call(body));
}

/** By their tags: other fetches bring classes of their own. */
const RE_READABLE: ReadonlySet<string> = new Set([
  '[object Blob]',
  '[object File]',
  '[object FormData]',
  '[object URLSearchParams]',
]);

function isStream(body: unknown): boolean {
  return isObject(body) && 'getReader' in body;
}

export function hashRequest(url: URL, init: FetchInit): HashRequest {
  const headers = new Headers(init.headers);
  return {
    method: methodOf(init),
    url: new URL(url),
    header: (name) => headers.get(name) ?? undefined,
  };
}
