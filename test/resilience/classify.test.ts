import { describe, expect, it } from 'vitest';
import { toInstance } from '../../src/discovery.js';
import { FairleadError } from '../../src/errors.js';
import { classify } from '../../src/resilience/classify.js';
import type { Verdict } from '../../src/types.js';

const SUCCESS: Verdict = { outcome: 'success', retry: 'never' };
const IGNORED: Verdict = { outcome: 'ignored', retry: 'never' };
const FAILED: Verdict = { outcome: 'failure', retry: 'if-idempotent' };
const FAILED_HERE: Verdict = { ...FAILED, where: 'elsewhere' };
const UNSENT: Verdict = { outcome: 'failure', retry: 'always' };
const UNSENT_HERE: Verdict = { ...UNSENT, where: 'elsewhere' };
const NOT_TAKEN: Verdict = { outcome: 'ignored', retry: 'always' };
const NOT_TAKEN_HERE: Verdict = { ...NOT_TAKEN, where: 'elsewhere' };
const CLOSED: Verdict = { outcome: 'ignored', retry: 'if-idempotent' };
const REFUSED: Verdict = { outcome: 'overload', retry: 'always' };
const OVERLOAD: Verdict = { outcome: 'overload', retry: 'if-idempotent' };

function ofError(error: unknown): Verdict {
  return classify({ ok: false, error });
}

function ofResponse(status: number, headers: Record<string, string> = {}): Verdict {
  const [body, init] = [null, { status, headers }];
  return classify({ ok: true, value: new Response(body, init) });
}

function withCode(code: string, more: object = {}): Error {
  return Object.assign(new Error(code), { code, ...more });
}

describe('a value', () => {
  it.each([
    [undefined],
    [null],
    [0],
    ['text'],
    [{ status: 500 }],
    [{ status: 'failed', headers: new Map() }],
  ])('that is no response is a success: %j', (value) => {
    expect(classify({ ok: true, value })).toEqual(SUCCESS);
  });

  it('that looks like a response is judged as one (axios)', () => {
    const value = { status: 502, headers: { get: () => undefined }, data: {} };
    expect(classify({ ok: true, value })).toEqual(FAILED);
  });

  it('that looks like a response of undici, got or Node is judged as one', () => {
    const value = { statusCode: 503, headers: { 'retry-after': '3' } };
    expect(classify({ ok: true, value })).toEqual({ ...OVERLOAD, retryAfterMs: 3_000 });
    const repeated = { statusCode: 429, headers: { 'retry-after': ['4', '5'] } };
    expect(classify({ ok: true, value: repeated })).toEqual({ ...OVERLOAD, retryAfterMs: 4_000 });
  });

  it.each([
    [{ status: 99, headers: {} }],
    [{ status: 600, headers: {} }],
    [{ statusCode: 503, headers: null }],
    [[503]],
  ])('whose status or headers are none is a success: %j', (value) => {
    expect(classify({ ok: true, value })).toEqual(SUCCESS);
  });
});

describe('a response', () => {
  it.each([
    [200, SUCCESS],
    [204, SUCCESS],
    [304, SUCCESS],
    [400, IGNORED],
    [401, IGNORED],
    [404, IGNORED],
    [408, FAILED],
    [409, IGNORED],
    [413, IGNORED],
    [421, NOT_TAKEN_HERE],
    [423, IGNORED],
    [425, NOT_TAKEN],
    [429, OVERLOAD],
    [431, IGNORED],
    [499, IGNORED],
    [500, FAILED],
    [501, IGNORED],
    [502, FAILED],
    [503, FAILED],
    [504, FAILED],
    [505, IGNORED],
    [507, FAILED_HERE],
    [508, IGNORED],
    [510, IGNORED],
    [511, IGNORED],
    [529, FAILED],
    [599, FAILED],
  ])('of status %s', (status, verdict) => {
    expect(ofResponse(status)).toEqual(verdict);
  });

  it.each([429, 503])('of status %s with Retry-After in seconds is overload', (status) => {
    expect(ofResponse(status, { 'retry-after': '7' })).toEqual({
      ...OVERLOAD,
      retryAfterMs: 7_000,
    });
  });

  it('with Retry-After as a date is held against its own Date header', () => {
    const headers = {
      'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT',
      date: 'Wed, 21 Oct 2026 07:28:00 GMT',
    };
    expect(ofResponse(503, headers)).toEqual({ ...OVERLOAD, retryAfterMs: 30_000 });
  });

  it('with Retry-After in the past asks for no pause', () => {
    const headers = {
      'retry-after': 'Wed, 21 Oct 2026 07:00:00 GMT',
      date: 'Wed, 21 Oct 2026 07:28:00 GMT',
    };
    expect(ofResponse(503, headers)).toMatchObject({ retryAfterMs: 0 });
  });

  it.each(['', 'soon', 'Wed, 21 Oct 2026 07:28:00 GMT'])(
    'with a Retry-After of no use (%j) is judged by its status',
    (value) => {
      expect(ofResponse(503, { 'retry-after': value })).toEqual(FAILED);
    },
  );

  it('of another status does not heed Retry-After', () => {
    expect(ofResponse(500, { 'retry-after': '7' })).toEqual(FAILED);
    expect(ofResponse(301, { 'retry-after': '7' })).toEqual(SUCCESS);
  });
});

describe('an error', () => {
  it.each([
    ['ECONNREFUSED', UNSENT],
    ['ENOTFOUND', UNSENT],
    ['EAI_AGAIN', UNSENT],
    ['EHOSTDOWN', UNSENT],
    ['UND_ERR_CONNECT_TIMEOUT', UNSENT],
    ['ERR_SOCKET_CONNECTION_TIMEOUT', UNSENT],
    ['ERR_TLS_CERT_ALTNAME_INVALID', UNSENT_HERE],
    ['CERT_HAS_EXPIRED', UNSENT_HERE],
    ['CERT_NOT_YET_VALID', UNSENT_HERE],
    ['CERT_REVOKED', UNSENT_HERE],
    ['CRL_HAS_EXPIRED', UNSENT_HERE],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', UNSENT_HERE],
    ['HOSTNAME_MISMATCH', UNSENT_HERE],
    ['INVALID_CA', UNSENT_HERE],
    ['INVALID_PURPOSE', UNSENT_HERE],
    ['PATH_LENGTH_EXCEEDED', UNSENT_HERE],
    ['SELF_SIGNED_CERT_IN_CHAIN', UNSENT_HERE],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNSENT_HERE],
    ['ERR_TLS_DH_PARAM_SIZE', UNSENT_HERE],
    ['ECONNRESET', FAILED],
    ['ECONNABORTED', FAILED],
    ['EPIPE', FAILED],
    ['ETIMEDOUT', FAILED],
    ['EHOSTUNREACH', FAILED],
    ['EPROTO', FAILED],
    ['HPE_INVALID_CONSTANT', FAILED],
    ['ERR_NETWORK', FAILED],
    ['ERR_STREAM_PREMATURE_CLOSE', FAILED],
    ['ERR_BODY_PARSE_FAILURE', FAILED],
    ['UND_ERR_SOCKET', FAILED],
    ['UND_ERR_INFO', FAILED],
    ['UND_ERR_HEADERS_TIMEOUT', FAILED],
    ['UND_ERR_BODY_TIMEOUT', FAILED],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', FAILED],
    ['UND_ERR_REQ_RETRY', FAILED],
    ['ERR_HTTP2_ERROR', FAILED],
    ['ERR_HTTP2_STREAM_ERROR', FAILED],
    ['ERR_HTTP2_SESSION_ERROR', FAILED],
    ['ERR_HTTP2_PING_CANCEL', FAILED],
    ['ERR_HTTP2_GOAWAY_SESSION', NOT_TAKEN],
    ['ERR_HTTP2_INVALID_SESSION', NOT_TAKEN],
    ['ERR_HTTP2_STREAM_CANCEL', NOT_TAKEN],
    ['ERR_HTTP2_INVALID_PSEUDOHEADER', IGNORED],
    ['ERR_HTTP2_OUT_OF_STREAMS', IGNORED],
    ['ABORT_ERR', IGNORED],
    ['ERR_ABORTED', IGNORED],
    ['ERR_CANCELED', IGNORED],
    ['UND_ERR_ABORT', IGNORED],
    ['UND_ERR_ABORTED', IGNORED],
    ['UND_ERR_CLOSED', IGNORED],
    ['UND_ERR_DESTROYED', IGNORED],
    ['UND_ERR_HEADERS_OVERFLOW', IGNORED],
    ['HPE_HEADER_OVERFLOW', IGNORED],
    ['UND_ERR_RES_EXCEEDED_MAX_SIZE', IGNORED],
    ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', IGNORED],
    ['UND_ERR_NOT_SUPPORTED', IGNORED],
    ['UND_ERR_BPL_MISSING_UPSTREAM', IGNORED],
    ['UND_ERR_INVALID_ARG', IGNORED],
    ['UND_ERR_INVALID_RETURN_VALUE', IGNORED],
    ['UND_ERR_PRX_TLS', IGNORED],
    ['UND_ERR_SOCKS5_AUTH', NOT_TAKEN_HERE],
    ['UND_MOCK_ERR_MOCK_NOT_MATCHED', IGNORED],
    ['ERR_INVALID_URL', IGNORED],
    ['ERR_INVALID_ARG_TYPE', IGNORED],
    ['ERR_OUT_OF_RANGE', IGNORED],
    ['ERR_UNESCAPED_CHARACTERS', IGNORED],
    ['ERR_HTTP_INVALID_HEADER_VALUE', IGNORED],
    ['ERR_OSSL_PEM_NO_START_LINE', IGNORED],
    ['ERR_TLS_INVALID_PROTOCOL_VERSION', IGNORED],
    ['ERR_BAD_REQUEST', IGNORED],
    ['ERR_BAD_OPTION_VALUE', IGNORED],
    ['ERR_FR_TOO_MANY_REDIRECTS', IGNORED],
    ['ERR_TOO_MANY_REDIRECTS', IGNORED],
    ['EMFILE', IGNORED],
    ['ENOSPC', IGNORED],
    ['EADDRNOTAVAIL', IGNORED],
  ])('of code %s', (code, verdict) => {
    expect(ofError(withCode(code))).toEqual(verdict);
  });

  it.each(['ETIMEDOUT', 'ENETUNREACH', 'EHOSTUNREACH', 'ECONNRESET'])(
    'of code %s while connecting was never sent',
    (code) => {
      expect(ofError(withCode(code, { syscall: 'connect' }))).toEqual(UNSENT);
    },
  );

  it('while looking up the name was never sent', () => {
    expect(ofError(withCode('EAI_FAIL', { syscall: 'getaddrinfo' }))).toEqual(UNSENT);
    expect(ofError(withCode('ESERVFAIL', { syscall: 'queryA' }))).toEqual(UNSENT);
  });

  it('for want of a local port to this instance blames nobody, and others can take it', () => {
    expect(ofError(withCode('EADDRNOTAVAIL', { syscall: 'connect' }))).toEqual(NOT_TAKEN_HERE);
    expect(ofError(withCode('EADDRNOTAVAIL', { syscall: 'bind' }))).toEqual(IGNORED);
    expect(ofError(withCode('EMFILE', { syscall: 'connect' }))).toEqual(IGNORED);
  });

  it('of a numeric code is judged as one without', () => {
    expect(ofError(Object.assign(new Error('grpc'), { code: 14 }))).toEqual(FAILED);
  });

  it.each([
    ['text'],
    [null],
    [undefined],
    [5],
    [new Error('plain')],
    [new TypeError('fetch failed', { cause: new Error('anything') })],
    [new SyntaxError('Unexpected token <')], // an instance that answers JSON with a page
    [new DOMException('late', 'TimeoutError')],
  ])('of no known kind is the failure of the instance: %s', (error) => {
    expect(ofError(error)).toEqual(FAILED);
  });

  it.each([[new TypeError('x is not a function')], [new ReferenceError('x is not defined')]])(
    "is the caller's own slip, which blames nobody and is vain to repeat: %s",
    (error) => {
      expect(ofError(error)).toEqual(IGNORED);
    },
  );

  it('of an abort blames nobody', () => {
    expect(ofError(new DOMException('gone', 'AbortError'))).toEqual(IGNORED);
  });

  it('is judged by its cause, as fetch hides it', () => {
    const cause = withCode('ECONNREFUSED', { syscall: 'connect' });
    expect(ofError(new TypeError('fetch failed', { cause }))).toEqual(UNSENT);
    expect(ofError(new Error('outer', { cause: new Error('middle', { cause }) }))).toEqual(UNSENT);
  });

  it('with a cyclic chain of causes ends', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(ofError(error)).toEqual(FAILED);
  });

  it.each([
    [429, OVERLOAD],
    [404, IGNORED],
    [503, FAILED],
  ])('that carries the status %s is judged by it', (status, verdict) => {
    expect(ofError(Object.assign(new Error('http'), { status }))).toEqual(verdict);
    expect(ofError(Object.assign(new Error('http'), { statusCode: status }))).toEqual(verdict);
  });

  it('that carries a status outside 400 to 599 is not', () => {
    expect(ofError(Object.assign(new Error('odd'), { status: 200 }))).toEqual(FAILED);
    expect(ofError(Object.assign(new Error('odd'), { status: 7 }))).toEqual(FAILED);
  });

  it('that carries a response is judged by that, Retry-After included (axios)', () => {
    const headers = { get: (name: string) => (name === 'retry-after' ? '2' : undefined) };
    const error = Object.assign(withCode('ERR_BAD_RESPONSE'), {
      status: 503,
      response: { status: 503, headers },
    });
    expect(ofError(error)).toEqual({ ...OVERLOAD, retryAfterMs: 2_000 });
  });

  it('of a call inside this call blames nobody', () => {
    expect(ofError(new FairleadError('ERR_FAIRLEAD_NO_INSTANCES', 'other service'))).toEqual(
      IGNORED,
    );
  });
});

describe('an error with the answer in it', () => {
  const headers = { 'retry-after': '2' };
  it.each([
    ['superagent', { status: 503, response: { status: 503, headers } }],
    ['got', { code: 'ERR_NON_2XX_3XX_RESPONSE', response: { statusCode: 503, headers } }],
    ['undici', { code: 'UND_ERR_RESPONSE', statusCode: 503, headers }],
    ["undici's retry agent", { code: 'UND_ERR_REQ_RETRY', statusCode: 503, headers }],
  ])('heeds Retry-After (%s)', (_library, shape) => {
    expect(ofError(Object.assign(new Error('503'), shape))).toEqual({
      ...OVERLOAD,
      retryAfterMs: 2_000,
    });
  });

  it('may be the response itself, thrown', () => {
    expect(ofError(new Response(null, { status: 404 }))).toEqual(IGNORED);
    expect(ofError(new Response(null, { status: 200 }))).toEqual(FAILED);
  });

  it('counts a 3xx that the library did not want as answered', () => {
    expect(
      ofError(Object.assign(new Error('304'), { response: { status: 304, headers } })),
    ).toEqual(SUCCESS);
  });

  it('is not judged by a 2xx whose body came to nothing (axios)', () => {
    const error = { code: 'ERR_BAD_RESPONSE', status: 200, response: { status: 200, headers } };
    expect(ofError(Object.assign(new Error('stream has been aborted'), error))).toEqual(FAILED);
  });
});

describe('a limit of the caller', () => {
  it.each([
    [withCode('ERR_BAD_RESPONSE', { message: 'maxContentLength size of 3 exceeded' }), IGNORED],
    // The words of axios before 1.8 for a body cut short, where no limit is set.
    [withCode('ERR_BAD_RESPONSE', { message: 'maxContentLength size of -1 exceeded' }), FAILED],
    [Object.assign(new Error('over'), { name: 'FetchError', type: 'max-size' }), IGNORED],
    [Object.assign(new Error('cut'), { name: 'FetchError', type: 'system' }), FAILED],
    [new TypeError('fetch failed', { cause: new Error('redirect count exceeded') }), IGNORED],
    [new TypeError('fetch failed', { cause: new Error('unexpected redirect') }), IGNORED],
    // Only this port is refused.
    [new TypeError('fetch failed', { cause: new Error('bad port') }), FAILED_HERE],
  ])('blames nobody, what only looks like one does: %s', (error, verdict) => {
    expect(ofError(error)).toEqual(verdict);
  });
});

describe('an abort', () => {
  const timeout = new DOMException('late', 'TimeoutError');

  it("by the function's own timeout is the failure of the instance", () => {
    expect(ofError(withCode('ABORT_ERR', { name: 'AbortError', cause: timeout }))).toEqual(FAILED);
    const config = { signal: { reason: timeout } };
    expect(ofError(withCode('ERR_CANCELED', { config }))).toEqual(FAILED);
  });

  it('by anything else blames nobody', () => {
    expect(ofError(withCode('ABORT_ERR', { cause: new Error('closed') }))).toEqual(IGNORED);
    expect(ofError(withCode('ERR_CANCELED', { config: { signal: { reason: 1 } } }))).toEqual(
      IGNORED,
    );
    expect(ofError(withCode('ECONNABORTED', { message: 'Request aborted' }))).toEqual(IGNORED);
  });

  it('that is a proxy which could not reach the instance sends the call elsewhere', () => {
    const message = 'Proxy response (502) !== 200 when HTTP Tunneling';
    expect(ofError(withCode('UND_ERR_ABORTED', { name: 'AbortError', message }))).toEqual(
      NOT_TAKEN_HERE,
    );
  });
});

describe('a reset', () => {
  const reset = (request: object): Error => withCode('ECONNRESET', { request });
  it.each([
    ['a reused connection', { reusedSocket: true }, CLOSED],
    ['a reused connection, below redirects', { _currentRequest: { reusedSocket: true } }, CLOSED],
    ['a reused connection, amid the answer', { reusedSocket: true, res: {} }, FAILED],
    ['a new connection', { reusedSocket: false }, FAILED],
    ['a connection amid its TLS handshake', { socket: { secureConnecting: true } }, UNSENT],
  ])('of %s', (_connection, request, verdict) => {
    expect(ofError(reset(request))).toEqual(verdict);
  });

  it('is known by what axios wraps, where that says more', () => {
    const cause = withCode('ECONNRESET', { syscall: 'connect' });
    expect(ofError(withCode('ECONNRESET', { cause, request: {} }))).toEqual(UNSENT);
  });

  it('is told apart from a write that failed on a new connection', () => {
    expect(ofError(withCode('EPIPE', { request: { reusedSocket: true } }))).toEqual(CLOSED);
    expect(ofError(withCode('ENOTCONN', { request: { reusedSocket: true } }))).toEqual(FAILED);
  });

  it('of undici is a failure, whatever was read before', () => {
    const cause = withCode('UND_ERR_SOCKET', { socket: { bytesRead: 40 } });
    expect(ofError(new TypeError('fetch failed', { cause }))).toEqual(FAILED);
  });

  it('amid the handshake with a certificate that is refused is not tried here again', () => {
    const request = { socket: { secureConnecting: true } };
    expect(ofError(withCode('CERT_HAS_EXPIRED', { request }))).toEqual(UNSENT_HERE);
    expect(ofError(withCode('ECONNABORTED', { request }))).toEqual(UNSENT);
    expect(ofError(withCode('ERR_CANCELED', { request }))).toEqual(IGNORED);
  });
});

describe('a TLS error', () => {
  const ssl = (reason: string): Error =>
    new Error(`80BC:error:0A00:SSL routines:f:${reason}:x.c:1`);
  it.each([
    ['tlsv1 alert protocol version', UNSENT_HERE],
    ['sslv3 alert handshake failure', UNSENT_HERE],
    ['tlsv1 alert no application protocol', UNSENT_HERE],
    ['tlsv1 unrecognized name', UNSENT_HERE],
    ['unsupported protocol', UNSENT_HERE],
    // As made by rubbish on a connection long established, and after a request was sent.
    ['wrong version number', FAILED],
    ['tlsv13 alert certificate required', FAILED],
  ])('with the reason "%s"', (reason, verdict) => {
    expect(ofError(Object.assign(ssl(reason), { code: 'EPROTO' }))).toEqual(verdict);
    expect(ofError(Object.assign(ssl(reason), { code: 'ERR_SSL_ANY' }))).toEqual(verdict);
  });
});

describe('an HTTP/2 error', () => {
  const stream = (name: string): Error =>
    withCode('ERR_HTTP2_STREAM_ERROR', {
      message: `Stream closed with error code NGHTTP2_${name}`,
    });
  const session = (code: number): Error =>
    withCode('ERR_HTTP2_SESSION_ERROR', { message: `Session closed with error code ${code}` });
  const goAway = (code: number): Error =>
    withCode('UND_ERR_SOCKET', { message: `HTTP/2: "GOAWAY" frame received with code ${code}` });
  it.each([
    [stream('REFUSED_STREAM'), REFUSED],
    [stream('ENHANCE_YOUR_CALM'), OVERLOAD],
    [stream('HTTP_1_1_REQUIRED'), IGNORED],
    [stream('INTERNAL_ERROR'), FAILED],
    [session(11), OVERLOAD],
    [session(2), FAILED],
    [goAway(0), CLOSED],
    [goAway(11), OVERLOAD],
    [goAway(2), FAILED],
    [withCode('ERR_HTTP2_STREAM_CANCEL', { cause: withCode('ECONNRESET') }), UNSENT],
    [withCode('ERR_HTTP2_STREAM_CANCEL', { cause: withCode('ABORT_ERR') }), IGNORED],
  ])('%s', (error, verdict) => {
    expect(ofError(error)).toEqual(verdict);
  });
});

describe('several errors in one', () => {
  const connect = (code: string): Error => withCode(code, { syscall: 'connect' });
  const all = (...errors: Error[]): Error => {
    const [first] = errors as { code?: unknown }[];
    return Object.assign(new AggregateError(errors), { code: first?.code }); // as Node does
  };
  it.each([
    ['were all unsent', [connect('ETIMEDOUT'), connect('ECONNREFUSED')], UNSENT],
    [
      'had no route to the first address',
      [connect('EADDRNOTAVAIL'), connect('ECONNREFUSED')],
      UNSENT,
    ],
    ['had no route at all', [connect('EADDRNOTAVAIL')], NOT_TAKEN_HERE],
    ['may have been received once', [connect('ECONNREFUSED'), withCode('ECONNRESET')], FAILED],
  ])('that %s', (_what, errors, verdict) => {
    expect(ofError(all(...errors))).toEqual(verdict);
    const axiosError = withCode(String((errors[0] as { code?: unknown }).code), {
      cause: all(...errors),
    });
    expect(ofError(axiosError)).toEqual(verdict);
  });
});

describe('a connection that failed', () => {
  const instance = toInstance({ host: '10.0.0.1', port: 80 }, 'here');
  const verdictOf = (error: unknown): Verdict => classify({ ok: false, error }, instance);
  const refused = (more: object): Error =>
    withCode('ECONNREFUSED', { syscall: 'connect', ...more });
  const undici = (where: string): Error =>
    withCode('UND_ERR_CONNECT_TIMEOUT', {
      message: `Connect Timeout Error (attempted address: ${where}, timeout: 9ms)`,
    });
  it.each([
    [refused({ address: '10.0.0.1', port: 80 }), UNSENT],
    [refused({}), UNSENT],
    [refused({ address: '10.0.0.2', port: 80 }), IGNORED],
    [refused({ address: '10.0.0.1', port: 5432 }), IGNORED],
    [refused({ port: '81' }), IGNORED],
    [refused({ request: { _redirectCount: 1 } }), FAILED], // received, and redirected to itself
    [refused({ request: { _redirectCount: 1 }, port: 81 }), IGNORED],
    [refused({ request: { _redirectCount: 0 } }), UNSENT],
    [withCode('ENOTFOUND', { hostname: 'database' }), IGNORED],
    [undici('10.0.0.1:80'), UNSENT],
    [undici('10.0.0.1:81'), IGNORED],
    [undici('10.0.0.2:80'), IGNORED],
    [withCode('EADDRNOTAVAIL', { syscall: 'connect', port: 5432 }), IGNORED],
    [new Error('outer', { cause: refused({ port: 5432 }) }), IGNORED],
    // May have been sent: it blames the instance, as ever.
    [withCode('ECONNRESET', { port: 5432 }), FAILED],
  ])('to the instance or elsewhere: %s', (error, verdict) => {
    expect(verdictOf(error)).toEqual(verdict);
  });
});
