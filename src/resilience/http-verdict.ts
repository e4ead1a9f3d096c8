import { parseRetryAfter } from '../retry-after.js';
import type { Verdict } from '../types.js';
import { isObject } from '../validate.js';
import {
  FAILED,
  FAILED_HERE,
  IGNORED,
  NOT_TAKEN,
  NOT_TAKEN_HERE,
  OVERLOADED,
  SUCCESS,
} from './verdicts.js';

/** A fetch `Response`, or another library's response: of axios, undici, got, superagent, Node itself. */
export interface HttpResponse {
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly headers: object;
}

/** By shape: a status and headers. */
export function isHttpResponse(value: unknown): value is HttpResponse {
  return isObject(value) && isObject(value['headers']) && statusOf(value) !== undefined;
}

/** The HTTP status that a response or an error carries, 100 to 599. */
export function statusOf(value: object): number | undefined {
  const { status, statusCode } = value as Partial<HttpResponse>;
  const number = status ?? statusCode;
  return typeof number === 'number' && number >= 100 && number < 600 ? number : undefined;
}

export function ofResponse(response: HttpResponse): Verdict {
  const status = statusOf(response);
  const verdict = ofStatus(status);
  if (status !== 429 && status !== 503) return verdict;
  const { headers } = response;
  const retryAfterMs = parseRetryAfter(headerOf(headers, 'retry-after'), headerOf(headers, 'date'));
  return retryAfterMs === undefined ? verdict : { ...OVERLOADED, retryAfterMs };
}

export function ofStatus(status = 200): Verdict {
  if (status < 400) return SUCCESS;
  const special = SPECIAL.get(status);
  if (special !== undefined) return special;
  // 4xx is the caller's fault.
  return status < 500 ? IGNORED : FAILED;
}

/** The statuses that differ from the rest of their class. Sections are of RFC 9110 unless said otherwise. */
const SPECIAL = new Map<number, Verdict>([
  [408, FAILED], // the request did not come in time: the connection was slow, or the instance (15.5.9)
  [421, NOT_TAKEN_HERE], // may be repeated on another connection, idempotent or not (15.5.20)
  [425, NOT_TAKEN], // unwilling to risk processing it as early data (RFC 8470, 5.2)
  [429, OVERLOADED],
  [501, IGNORED], // a method no instance knows
  [505, IGNORED], // a version of HTTP
  [507, FAILED_HERE], // its disk is full (RFC 4918, 11.5)
  [508, IGNORED], // it goes in circles, wherever it enters (RFC 5842, 7.2)
  [510, IGNORED], // the request lacks an extension (RFC 2774, 7)
  [511, IGNORED], // from the network on the way, not from the instance (RFC 6585, 6)
]);

function headerOf(headers: object, name: string): unknown {
  const { get } = headers as { readonly get?: unknown };
  const value: unknown =
    typeof get === 'function'
      ? get.call(headers, name)
      : (headers as Readonly<Record<string, unknown>>)[name];
  return Array.isArray(value) ? value[0] : value;
}
