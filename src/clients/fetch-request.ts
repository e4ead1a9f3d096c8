/** What is read of a request to fetch: of the `init`, else of the `Request`. */
import type { HashRequest } from './hash-key.js';
import type { FetchInit, FetchInput } from './redirect.js';
import { IDEMPOTENT_METHODS } from './route.js';

/** `undefined` for what fetch itself must judge (a relative or malformed URL). */
export function readUrl(input: FetchInput): URL | undefined {
  const text = input instanceof Request ? input.url : String(input);
  return URL.canParse(text) ? new URL(text) : undefined;
}

function methodOf(input: FetchInput, init: FetchInit): string {
  return (init.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase();
}

/** Those of `init` replace those of a `Request`, all of them. */
export function headersOf(input: FetchInput, init: FetchInit): Headers {
  const isRequests = init.headers === undefined && input instanceof Request;
  return isRequests ? input.headers : new Headers(init.headers);
}

export function signalOf(input: FetchInput, init: FetchInit): AbortSignal | undefined {
  return init.signal ?? (input instanceof Request ? input.signal : undefined);
}

/** Whether redirects are to be followed, as they are unless something else is asked for. */
export function wantsRedirects(input: FetchInput, init: FetchInit): boolean {
  return (init.redirect ?? (input instanceof Request ? input.redirect : 'follow')) === 'follow';
}

export function isIdempotent(input: FetchInput, init: FetchInit): boolean {
  if (IDEMPOTENT_METHODS.has(methodOf(input, init))) return true;
  return headersOf(input, init).has('idempotency-key');
}

/** A body that is read while it is sent is used up by the first attempt. */
export function isReplayable(input: FetchInput, init: FetchInit): boolean {
  const body: unknown = init.body ?? (input instanceof Request ? input.body : undefined);
  if (typeof body !== 'object' || body === null) return true;
  if (body instanceof Blob || body instanceof URLSearchParams || body instanceof FormData) {
    return true;
  }
  return body instanceof ArrayBuffer || ArrayBuffer.isView(body);
}

export function hashRequest(url: URL, input: FetchInput, init: FetchInit): HashRequest {
  const headers = headersOf(input, init);
  return {
    method: methodOf(input, init),
    url: new URL(url),
    header: (name) => headers.get(name) ?? undefined,
  };
}
