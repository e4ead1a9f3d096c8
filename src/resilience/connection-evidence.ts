/** What an error lets on about the connection it arose on. */
import { isIPv4 } from 'node:net';
import type { Instance } from '../types.js';
import { type ErrorLike, isErrorLike, messageOf, read } from './error-like.js';

/** Longest chain of causes followed; a cyclic one must end too. */
const MAX_CAUSES = 5;

/** The request that axios tells of, below what follows redirects. */
function requestOf({ request }: ErrorLike): unknown {
  return read(request, '_currentRequest') ?? request;
}

/**
 * The TLS handshake had not ended. Node sends no early data, so the request was still held back. The socket says so
 * where the error has one (axios); else Node's own words for a connection that ended then.
 */
export function wasInHandshake(error: ErrorLike): boolean {
  if (read(read(requestOf(error), 'socket'), 'secureConnecting') === true) return true;
  return messageOf(error).includes('before secure TLS connection was established');
}

/**
 * The connection had served requests before, and ended before any answer to this one. Most likely the instance closed
 * it for having been idle just as it was used; but one that reads the request and then resets makes the very same
 * error, so it is no proof that nothing was received. A bad instance cannot hide behind it: each such connection has
 * had a good answer on it, and the next one is new.
 *
 * axios alone lets it be known. Node's own errors name no request, and the number of bytes read, which undici gives,
 * is not 0 on a new connection either (HTTP/2, headers cut short); but undici looks for closed connections itself.
 */
export function wasReused(error: ErrorLike): boolean {
  const { code } = error;
  if (code !== 'ECONNRESET' && code !== 'EPIPE') return false;
  const request = requestOf(error);
  return read(request, 'reusedSocket') === true && !isErrorLike(read(request, 'res'));
}

/** axios: the instance had answered, with a redirect, before the connection failed. */
export function wasRedirected(error: unknown): boolean {
  return Number(read(read(error, 'request'), '_redirectCount')) > 0;
}

/** Whether the connection was to somewhere else than the instance, as far as the error names where it went. */
export function wentElsewhere(error: unknown, { host, port }: Instance): boolean {
  let link = error;
  for (let depth = 0; depth < MAX_CAUSES && isErrorLike(link); depth++) {
    const target = targetOf(link);
    if (target.port !== undefined && target.port !== port) return true;
    if (target.hostname !== undefined && target.hostname !== host) return true;
    if (target.address !== undefined && isIPv4(host) && target.address !== host) return true;
    link = link.cause;
  }
  return false;
}

interface Target {
  readonly port?: number | undefined;
  readonly hostname?: string | undefined;
  readonly address?: string | undefined;
}

function targetOf(error: ErrorLike): Target {
  // undici has it in words alone.
  const words = / \(attempted address(?:es)?: (\S+):(\d+),/.exec(messageOf(error));
  if (words !== null) return { address: words[1], port: Number(words[2]) };
  // Of a name with several addresses each try has an error of its own.
  const first: unknown = Array.isArray(error.errors) ? error.errors[0] : undefined;
  const { address, port, hostname } = isErrorLike(first) ? first : error;
  const number = Number(port); // undici writes some as text
  return {
    port: Number.isInteger(number) && number > 0 ? number : undefined,
    hostname: typeof hostname === 'string' ? hostname : undefined,
    address: typeof address === 'string' ? address : undefined,
  };
}
