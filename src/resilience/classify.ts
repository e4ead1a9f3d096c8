import { isIPv4 } from 'node:net';
import { isFairleadError } from '../errors.js';
import { parseRetryAfter } from '../retry-after.js';
import type { Instance, Settled, Verdict } from '../types.js';

const SUCCESS: Verdict = { outcome: 'success', retry: 'never' };
const IGNORED: Verdict = { outcome: 'ignored', retry: 'never' };
/** The instance may have acted on it. */
const FAILED: Verdict = { outcome: 'failure', retry: 'if-idempotent' };
/** Provably never reached the instance. */
const UNSENT: Verdict = { outcome: 'failure', retry: 'always' };

/**
 * The built-in answer to the two questions about a settled attempt: does it blame the instance, and may it be
 * retried? Judges a response by its HTTP status; an error by the HTTP status it carries, else by the error
 * codes of Node and undici anywhere in its chain of causes. Any other value is a success; any other error is
 * the instance's failure, but for slips of the caller's own (a TypeError or ReferenceError without a cause).
 *
 * @param instance the one the attempt was made on. A connection that failed to somewhere else (a redirect's
 * target, a database the function uses) neither blames it nor proves that nothing was sent to it.
 */
export function classify(settled: Settled, instance?: Instance): Verdict {
  if (settled.ok) return isHttpResponse(settled.value) ? ofResponse(settled.value) : SUCCESS;
  const verdict = ofError(settled.error);
  const isElsewhere =
    verdict === UNSENT && instance !== undefined && wentElsewhere(settled.error, instance);
  return isElsewhere ? IGNORED : verdict;
}

/** A fetch `Response`, or anyone else's response that looks like one (axios). */
interface HttpResponse {
  readonly status: number;
  readonly headers: { get(name: string): unknown };
}

function isHttpResponse(value: unknown): value is HttpResponse {
  if (typeof value !== 'object' || value === null) return false;
  const { status, headers } = value as Partial<HttpResponse>;
  return typeof status === 'number' && typeof headers?.get === 'function';
}

function ofResponse({ status, headers }: HttpResponse): Verdict {
  const verdict = ofStatus(status);
  const retryAfterMs =
    status === 429 || status === 503
      ? parseRetryAfter(headers.get('retry-after'), headers.get('date'))
      : undefined;
  if (retryAfterMs === undefined) return verdict;
  return { outcome: 'overload', retry: verdict.retry, retryAfterMs };
}

function ofStatus(status: number): Verdict {
  if (status < 400) return SUCCESS;
  if (status === 429) return { outcome: 'overload', retry: 'if-idempotent' };
  // The caller's mistake, or a method no instance knows: says nothing of this instance, and asking again is vain.
  if (status < 500 ? status !== 408 : status === 501 || status === 505) return IGNORED;
  return FAILED;
}

interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
  readonly errors?: readonly ErrorLike[];
  readonly cause?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly response?: unknown;
}

/** Longest chain of causes followed; a cyclic one must end too. */
const MAX_CAUSES = 5;

function ofError(error: unknown): Verdict {
  let link = error;
  for (let depth = 0; depth < MAX_CAUSES && typeof link === 'object' && link !== null; depth++) {
    const verdict = ofLink(link);
    if (verdict !== undefined) return verdict;
    link = (link as ErrorLike).cause;
  }
  return FAILED;
}

/** Whether a connect or look-up error names another address than the instance's. */
function wentElsewhere(error: unknown, instance: Instance): boolean {
  let link = error;
  for (let depth = 0; depth < MAX_CAUSES && typeof link === 'object' && link !== null; depth++) {
    // Of a name with several addresses each try has an error of its own.
    const { cause, errors }: ErrorLike = link;
    const { address, port, hostname }: ErrorLike = errors?.[0] ?? link;
    if (typeof port === 'number' && port !== instance.port) return true;
    if (typeof hostname === 'string' && hostname !== instance.host) return true;
    if (typeof address === 'string' && isIPv4(instance.host) && address !== instance.host) {
      return true;
    }
    link = cause;
  }
  return false;
}

function ofLink(error: ErrorLike): Verdict | undefined {
  // A call inside this call failed: that service's own breakers have already judged it.
  if (isFairleadError(error)) return IGNORED;
  if (isHttpResponse(error.response)) return ofResponse(error.response);
  const status = error.status ?? error.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 600) return ofStatus(status);
  if (error.name === 'AbortError' || isProgrammersError(error) || isOwnLimit(error)) return IGNORED;
  return typeof error.code === 'string' ? ofCode(error.code, error.syscall) : undefined;
}

/**
 * A slip in the caller's own function. Blaming instances for it would put the whole set into panic. What fetch
 * reports as a TypeError has a cause.
 */
function isProgrammersError(error: ErrorLike): boolean {
  const isSlip = error instanceof TypeError || error instanceof ReferenceError;
  return isSlip && error.cause === undefined && (error as ErrorLike).code === undefined;
}

/** The caller's own limit, not the instance: axios's `maxContentLength`, fetch's `redirect: 'error'`. */
function isOwnLimit(error: ErrorLike): boolean {
  const cause = error instanceof TypeError ? (error.cause as ErrorLike | undefined) : undefined;
  return error.code === 'ERR_BAD_RESPONSE' || cause?.message === 'unexpected redirect';
}

function ofCode(code: string, syscall: unknown): Verdict | undefined {
  if (LOCAL.has(code) || code.startsWith('ERR_INVALID_')) return IGNORED;
  if (BEFORE_SENDING.has(code) || CERTIFICATE.test(code)) return UNSENT;
  if (syscall === 'connect' || syscall === 'getaddrinfo') return UNSENT;
  return undefined;
}

/** The caller's own doing, or this machine's want: no instance is to blame and no other would do better. */
const LOCAL = new Set([
  'ABORT_ERR',
  'ERR_CANCELED',
  'UND_ERR_ABORTED',
  'UND_ERR_INVALID_ARG',
  'ERR_BAD_OPTION',
  'ERR_BAD_OPTION_VALUE',
  'ERR_BAD_REQUEST',
  'ERR_NOT_SUPPORT',
  'ERR_FR_TOO_MANY_REDIRECTS',
  'ERR_FR_MAX_BODY_LENGTH_EXCEEDED',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'EADDRNOTAVAIL',
]);

/** Name resolution and connecting: no byte of the request has left. */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** OpenSSL's verification errors: the handshake ended before a request could be sent. */
const CERTIFICATE =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_CERT|HOSTNAME_MISMATCH|INVALID_CA|CRL_)/;
