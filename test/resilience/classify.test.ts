import { describe, expect, it } from 'vitest';
import { FairleadError } from '../../src/errors.js';
import { classify } from '../../src/resilience/classify.js';
import type { Verdict } from '../../src/types.js';

const SUCCESS: Verdict = { outcome: 'success', retry: 'never' };
const IGNORED: Verdict = { outcome: 'ignored', retry: 'never' };
const FAILED: Verdict = { outcome: 'failure', retry: 'if-idempotent' };
const UNSENT: Verdict = { outcome: 'failure', retry: 'always' };
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
});

describe('a response', () => {
  it.each([
    [200, SUCCESS],
    [204, SUCCESS],
    [304, SUCCESS],
    [400, IGNORED],
    [401, IGNORED],
    [404, IGNORED],
    [409, IGNORED],
    [408, FAILED],
    [429, OVERLOAD],
    [500, FAILED],
    [501, IGNORED],
    [502, FAILED],
    [503, FAILED],
    [504, FAILED],
    [505, IGNORED],
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
    ['ERR_TLS_CERT_ALTNAME_INVALID', UNSENT],
    ['CERT_HAS_EXPIRED', UNSENT],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', UNSENT],
    ['SELF_SIGNED_CERT_IN_CHAIN', UNSENT],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', UNSENT],
    ['ECONNRESET', FAILED],
    ['EPIPE', FAILED],
    ['ETIMEDOUT', FAILED],
    ['UND_ERR_SOCKET', FAILED],
    ['UND_ERR_HEADERS_TIMEOUT', FAILED],
    ['UND_ERR_BODY_TIMEOUT', FAILED],
    ['ABORT_ERR', IGNORED],
    ['ERR_CANCELED', IGNORED],
    ['UND_ERR_ABORTED', IGNORED],
    ['UND_ERR_INVALID_ARG', IGNORED],
    ['ERR_INVALID_URL', IGNORED],
    ['ERR_INVALID_ARG_TYPE', IGNORED],
    ['EMFILE', IGNORED],
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
  });

  it('for want of a local port blames nobody, although it arose while connecting', () => {
    expect(ofError(withCode('EADDRNOTAVAIL', { syscall: 'connect' }))).toEqual(IGNORED);
  });

  it.each([
    ['text'],
    [null],
    [undefined],
    [5],
    [new Error('plain')],
    [new TypeError('fetch failed', { cause: new Error('bad port') })],
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
