/** Bodies of requests that may be sent more than once. */
import { UsedUpBody } from './used-up-body.js';
import { KeptBody } from './kept-body.js';
import { requestHeader } from './headers.js';
import type { Body, DispatchOptions } from './types.js';

/** A body of known length is kept while it is sent, to be sent again, up to so many bytes. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** Of a request without one. */
export const NO_BODY: Body = { isReplayable: true, next: () => undefined };

/**
 * A string, bytes, an array, a `FormData` or a `Blob` is sent as it is, each time; a function is called each time; what
 * is iterated (fetch hands on all of its bodies so) is kept as it is read, where its length is known and bearable. A
 * stream is used up.
 *
 * @param hasFailed whether the attempt that reads it has: then a stream's error is what the dispatcher made of that.
 */
export function bodyOf({ body, headers }: DispatchOptions, hasFailed: () => boolean): Body {
  if (body === undefined || body === null) return NO_BODY;
  if (typeof body === 'function') {
    return { isReplayable: true, next: body as () => unknown };
  }
  if (!isUsedUp(body)) return { isReplayable: true, next: () => body };
  const length = Number(requestHeader(headers, 'content-length') ?? NaN);
  if (!isAsyncIterable(body) || 'pipe' in body || !(length <= MAX_KEPT_BYTES)) {
    return new UsedUpBody(body, hasFailed);
  }
  return new KeptBody(body);
}

function isUsedUp(body: unknown): body is object {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body)) return false;
  if (Array.isArray(body) || body instanceof ArrayBuffer) return false;
  // By name: undici and Node each have classes of their own.
  const name = (body as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return name !== 'FormData' && name !== 'Blob' && name !== 'File';
}

function isAsyncIterable(body: object): body is AsyncIterable<unknown> {
  return Symbol.asyncIterator in body;
}
