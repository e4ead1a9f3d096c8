import type { Verdict } from '../types.js';
import { type ErrorLike, messageOf } from './error-like.js';
import {
  CLOSED,
  FAILED,
  IGNORED,
  NOT_TAKEN,
  NOT_TAKEN_HERE,
  OVERLOADED,
  REFUSED,
  UNSENT,
  UNSENT_HERE,
} from './verdicts.js';

/** What the code of an error says by itself; `undefined` when that is nothing. */
export function ofCode(error: ErrorLike): Verdict | undefined {
  const { code, syscall } = error;
  if (typeof code !== 'string') return undefined;
  const known = CODES.get(code);
  if (known !== undefined) return known;
  if (code === 'EADDRNOTAVAIL') return syscall === 'connect' ? NOT_TAKEN_HERE : IGNORED;
  if (CERTIFICATE.test(code)) return UNSENT_HERE;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return ofTlsError(error);
  if (code.startsWith('ERR_HTTP2_')) return ofHttp2Error(error, code);
  if (code.startsWith('UND_ERR_SOCKS5')) return NOT_TAKEN_HERE;
  if (MISUSE.test(code)) return IGNORED;
  if (code === 'UND_ERR_SOCKET' && messageOf(error).includes('"GOAWAY"')) return ofGoAway(error);
  return isBeforeSending(syscall) ? UNSENT : undefined;
}

/** Connecting, and looking up the name: by the system's resolver, or by `node:dns` (`queryA`, ...). */
function isBeforeSending(syscall: unknown): boolean {
  return (
    syscall === 'connect' ||
    syscall === 'getaddrinfo' ||
    (typeof syscall === 'string' && syscall.startsWith('query'))
  );
}

/**
 * Alerts that a server sends in the handshake alone, and refusals of the client's own that arise in it alone. Others do
 * not prove that nothing was sent: "wrong version number" is what any rubbish amid an established connection makes, and
 * in TLS 1.3 a server may refuse the client's certificate after the request is on its way.
 */
const HANDSHAKE =
  /alert (?:handshake failure|protocol version|insufficient security|no application protocol)|unrecognized name|unsupported protocol|no protocols available|dh key too small|ee key too small/;

/** node:https says EPROTO where undici says ERR_SSL_...; the reason is in the message of both. */
function ofTlsError(error: ErrorLike): Verdict {
  return HANDSHAKE.test(messageOf(error)) ? UNSENT_HERE : FAILED;
}

/** Node and undici tell the code of a stream's or a session's end in words alone. Source: RFC 9113, 7 and 8.7. */
function ofHttp2Error(error: ErrorLike, code: string): Verdict {
  const message = messageOf(error);
  if (code === 'ERR_HTTP2_STREAM_ERROR') {
    if (message.includes('NGHTTP2_REFUSED_STREAM')) return REFUSED; // "prior to any processing"
    if (message.includes('NGHTTP2_ENHANCE_YOUR_CALM')) return OVERLOADED;
    return message.includes('NGHTTP2_HTTP_1_1_REQUIRED') ? IGNORED : FAILED;
  }
  if (code === 'ERR_HTTP2_SESSION_ERROR') return message.endsWith(' 11') ? OVERLOADED : FAILED;
  // The rest of the family is misuse.
  return HTTP2_FAILURES.has(code) ? FAILED : IGNORED;
}

const HTTP2_FAILURES = new Set([
  'ERR_HTTP2_ERROR',
  'ERR_HTTP2_INVALID_STREAM',
  'ERR_HTTP2_PING_CANCEL',
  'ERR_HTTP2_SETTINGS_CANCEL',
  'ERR_HTTP2_TOO_MANY_INVALID_FRAMES',
]);

/** undici ends a request in flight so, whether or not the instance had taken it (measured, 7.30). */
function ofGoAway(error: ErrorLike): Verdict {
  const [, code] = /code (\d+)$/.exec(messageOf(error)) ?? [];
  if (code === '0') return CLOSED; // an instance that shuts down, as it should
  return code === '11' ? OVERLOADED : FAILED;
}

/** OpenSSL's verification errors: the handshake ended before a request could be sent. */
const CERTIFICATE =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|CRL_|ERR_TLS_CERT_|ERR_TLS_DH_PARAM_SIZE)/;

/** What Node and the libraries say to a caller who asks for what cannot be: no instance would do better. */
const MISUSE =
  /^(?:ERR_INVALID_|ERR_HTTP_|ERR_MISSING_|ERR_OSSL_|ERR_TLS_|ERR_BAD_OPTION|ERR_FR_|UND_MOCK_)/;

/** Codes of Node, undici, axios, got and superagent that need no second look. */
const CODES = new Map<string, Verdict>([
  ...all(UNSENT, [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTDOWN',
    'UND_ERR_CONNECT_TIMEOUT',
    'ERR_SOCKET_CONNECTION_TIMEOUT',
  ]),
  // A session of HTTP/2 that was over before the request was given to it.
  ...all(NOT_TAKEN, ['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']),
  ...all(IGNORED, [
    // cancelled
    'ABORT_ERR',
    'ABORTED',
    'ERR_ABORTED',
    'ERR_CANCELED',
    'UND_ERR_ABORT',
    'UND_ERR_ABORTED',
    // this machine's want
    'EMFILE',
    'ENFILE',
    'ENOBUFS',
    'ENOMEM',
    'ENOSPC',
    'EDQUOT',
    'EROFS',
    // the caller's own limits
    'HPE_HEADER_OVERFLOW',
    'UND_ERR_HEADERS_OVERFLOW',
    'UND_ERR_RES_EXCEEDED_MAX_SIZE',
    'UND_ERR_WS_MESSAGE_SIZE_EXCEEDED',
    'UND_ERR_MAX_ORIGINS_REACHED',
    'ERR_TOO_MANY_REDIRECTS',
    // misuse
    'ERR_BAD_REQUEST',
    'ERR_METHOD_NOT_IMPLEMENTED',
    'ERR_NOT_SUPPORT',
    'ERR_OUT_OF_RANGE',
    'ERR_SOCKET_BAD_PORT',
    'ERR_STREAM_WRITE_AFTER_END',
    'ERR_UNESCAPED_CHARACTERS',
    'ERR_UNSUPPORTED_PROTOCOL',
    'UND_ERR_BPL_MISSING_UPSTREAM',
    'UND_ERR_INVALID_ARG',
    'UND_ERR_INVALID_RETURN_VALUE',
    'UND_ERR_NOT_SUPPORTED',
    'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
    // the caller's client or proxy
    'UND_ERR_CLOSED',
    'UND_ERR_DESTROYED',
    'UND_ERR_PRX_TLS',
  ]),
]);

function all(verdict: Verdict, codes: readonly string[]): readonly (readonly [string, Verdict])[] {
  return codes.map((code) => [code, verdict]);
}
