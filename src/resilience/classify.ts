import { isFairleadError } from '../errors.js';
import type { Instance, Settled, Verdict } from '../types.js';
import { wasInHandshake, wasRedirected, wasReused, wentElsewhere } from './connection-evidence.js';
import { ofCode } from './error-codes.js';
import { type ErrorLike, isErrorLike, messageOf, read } from './error-like.js';
import { isHttpResponse, ofResponse, ofStatus, statusOf } from './http-verdict.js';
import {
  CLOSED,
  FAILED,
  FAILED_HERE,
  IGNORED,
  NOT_TAKEN,
  NOT_TAKEN_HERE,
  SUCCESS,
} from './verdicts.js';

/**
 * The built-in answer to the two questions about a settled attempt: does it blame the instance, and may it be
 * retried?
 *
 * A value is a success, but for what looks like a response (a status and headers), which is judged by its HTTP status.
 * An error is judged by the response or the HTTP status it carries; else by what it and its causes say: the error codes
 * of Node, HTTP/2 and TLS, undici, axios, and what is shaped like them. `retry` is `'always'` only where that proves
 * that the instance has not acted on the request. A connection that had served before and ended before this answer
 * blames nobody: most likely the instance had closed it for being idle. Any other error is the instance's failure, but
 * for slips of the caller's own (a TypeError or ReferenceError without a cause).
 *
 * Never throws, whatever it is given: what cannot be read says nothing.
 *
 * @param instance the one the attempt was made on. A connection that failed to somewhere else (a redirect's
 * target, a database the function uses) neither blames it nor proves that nothing was sent to it.
 */
export function classify(settled: Settled, instance?: Instance): Verdict {
  try {
    if (settled.ok) return isHttpResponse(settled.value) ? ofResponse(settled.value) : SUCCESS;
    const { error } = settled;
    const verdict = ofError(error, { left: MAX_LINKS });
    if (verdict.retry !== 'always') return verdict;
    if (instance !== undefined && wentElsewhere(error, instance)) return IGNORED;
    return wasRedirected(error) ? { ...verdict, retry: 'if-idempotent' } : verdict;
  } catch {
    return settled.ok ? SUCCESS : FAILED; // the getters of others may throw
  }
}

/** Errors looked at, causes and parts together: cyclic ones must end too. */
const MAX_LINKS = 16;

interface Links {
  left: number;
}

function ofError(error: unknown, links: Links): Verdict {
  for (let link = error; isErrorLike(link) && links.left > 0; link = link.cause) {
    links.left--;
    const verdict = ofLink(link, links);
    if (verdict !== undefined) return verdict;
  }
  return FAILED;
}

function ofLink(error: ErrorLike, links: Links): Verdict | undefined {
  // A call inside this call failed: that service's own breakers have already judged it.
  if (isFairleadError(error)) return IGNORED;
  const answered = ofAnswer(error);
  if (answered !== undefined) return answered;
  if (isTunnelRefused(error)) return NOT_TAKEN_HERE;
  if (isAborted(error)) return wasTimeout(error) ? FAILED : IGNORED;
  if (isProgrammersError(error) || isOwnLimit(error)) return IGNORED;
  if (error.message === 'bad port' && error.code === undefined) return FAILED_HERE; // fetch will not go there
  if (wasInHandshake(error)) return unsent(ofCode(error) ?? FAILED);
  if (wasReused(error)) return CLOSED;
  if (Array.isArray(error.errors) && error.errors.length > 0) return ofAll(error.errors, links);
  if (error.code === 'ERR_HTTP2_STREAM_CANCEL') return ofPending(error, links);
  // axios gives its error the code of the one it wraps, and not the rest.
  return error.code === read(error.cause, 'code') ? undefined : ofCode(error);
}

/**
 * By the answer that the error tells of. A 2xx is none to go by: there the error is about what came after the headers (a
 * body cut short, or not to be parsed).
 */
function ofAnswer(error: ErrorLike): Verdict | undefined {
  const { response } = error;
  if (isHttpResponse(response) && (statusOf(response) ?? 0) >= 300) return ofResponse(response);
  const status = statusOf(error) ?? 0;
  if (status < 400) return undefined;
  return isHttpResponse(error) ? ofResponse(error) : ofStatus(status);
}

/** The proxy would not connect to the instance. undici calls that an abort. */
function isTunnelRefused(error: ErrorLike): boolean {
  return error.code === 'UND_ERR_ABORTED' && messageOf(error).startsWith('Proxy response (');
}

function isAborted(error: ErrorLike): boolean {
  const { name, code } = error;
  return (
    name === 'AbortError' ||
    code === 'ABORT_ERR' ||
    code === 'ERR_CANCELED' ||
    (code === 'ECONNABORTED' && error.message === 'Request aborted') // axios; its timeouts have that code, too
  );
}

/** What aborted it was an `AbortSignal.timeout` of the function's own. axios tells of the signal alone. */
function wasTimeout({ cause, config }: ErrorLike): boolean {
  const reason = cause ?? read(read(config, 'signal'), 'reason');
  return read(reason, 'name') === 'TimeoutError';
}

/**
 * A slip in the caller's own function. Blaming instances for it would put the whole set into panic. What fetch
 * reports as a TypeError has a cause.
 */
function isProgrammersError(error: ErrorLike): boolean {
  const isSlip = error instanceof TypeError || error instanceof ReferenceError;
  return isSlip && error.cause === undefined && read(error, 'code') === undefined;
}

/** What the caller has forbidden, not the instance's doing. Only words tell these from failures. */
function isOwnLimit(error: ErrorLike): boolean {
  if (error.code === 'ERR_BAD_RESPONSE') {
    return /^maxContentLength size of \d+ exceeded/.test(messageOf(error)); // axios
  }
  if (error.name === 'FetchError') return NODE_FETCH_LIMITS.has(error.type);
  return messageOf(error) === 'fetch failed' && FETCH_LIMITS.has(read(error.cause, 'message'));
}

const NODE_FETCH_LIMITS = new Set<unknown>(['max-size', 'max-redirect', 'no-redirect']);

const FETCH_LIMITS = new Set<unknown>([
  'unexpected redirect',
  'redirect count exceeded',
  'unknown scheme',
  'URL scheme must be a HTTP(S) scheme',
  'invalid method',
  'cors failure',
  'proxy authentication required',
]);

/** Several tries of one attempt, as to the addresses of a name: the one that may have been acted on decides. */
function ofAll(errors: readonly unknown[], links: Links): Verdict {
  const verdicts = errors.map((error) => ofError(error, links));
  return (
    verdicts.find(({ retry }) => retry === 'if-idempotent') ??
    verdicts.find(({ outcome }) => outcome !== 'ignored') ??
    verdicts[0] ??
    FAILED
  );
}

/** A stream that waited for the HTTP/2 session to be connected: nothing was sent, whatever ended it. */
function ofPending({ cause }: ErrorLike, links: Links): Verdict {
  return cause === undefined ? NOT_TAKEN : unsent(ofError(cause, links));
}

/** The same, with the proof that the instance has not acted on it. */
export function unsent(verdict: Verdict): Verdict {
  return verdict.retry === 'if-idempotent' ? { ...verdict, retry: 'always' } : verdict;
}
