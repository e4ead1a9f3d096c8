import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkVerdict } from '../../src/call-options.js';
import { toInstance } from '../../src/discovery.js';
import { classify } from '../../src/resilience/classify.js';
import type { Settled, Verdict } from '../../src/types.js';

const INSTANCE = toInstance({ host: '10.0.0.1', port: 80 }, 'here');

/** The names that `classify` reads, here with values of any kind. */
const NAMES = [
  'name',
  'message',
  'code',
  'syscall',
  'address',
  'port',
  'hostname',
  'errors',
  'cause',
  'status',
  'statusCode',
  'headers',
  'response',
  'request',
  'config',
  'socket',
  'type',
  '_currentRequest',
  'reusedSocket',
  'secureConnecting',
  '_redirectCount',
  'signal',
  'reason',
];

const word = fc.constantFrom(
  'ECONNRESET',
  'ECONNREFUSED',
  'EADDRNOTAVAIL',
  'ERR_HTTP2_STREAM_CANCEL',
  'ERR_HTTP2_STREAM_ERROR',
  'UND_ERR_SOCKET',
  'ERR_CANCELED',
  'EPROTO',
  'connect',
  'AbortError',
  'FetchError',
  'fetch failed',
);
const leaf = fc.oneof(
  word,
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
  fc.integer({ min: 90, max: 610 }),
  fc.constantFrom(Symbol('s'), () => 1, new Map(), new Headers({ 'retry-after': '1' })),
);

const { value: anyError } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .tuple(
        fc.constantFrom(Error, TypeError, Object),
        fc.dictionary(fc.constantFrom(...NAMES), tie('value'), {
          maxKeys: 6,
          noNullPrototype: true,
        }),
        fc.constantFrom('plain', 'frozen', 'cyclic', 'throwing'),
      )
      .map(([Kind, fields, how]) => made(new Kind() as object, fields, how)),
  ),
}));

function made(error: object, fields: Record<string, unknown>, how: string): object {
  for (const [name, value] of Object.entries(fields)) {
    Object.defineProperty(error, name, { value, configurable: true, writable: true });
  }
  if (how === 'frozen') Object.freeze(error);
  if (how === 'cyclic') Object.assign(error, { cause: error, errors: [error, error, error] });
  if (how === 'throwing') {
    const [name = 'code'] = Object.keys(fields);
    Object.defineProperty(error, name, {
      get() {
        throw new RangeError('a getter of theirs');
      },
    });
  }
  return error;
}

it('never throws, and always gives a verdict, which it gives again', () => {
  fc.assert(
    fc.property(fc.boolean(), anyError, (ok, thing) => {
      const settled: Settled = ok ? { ok, value: thing } : { ok, error: thing };
      const verdict = classify(settled, INSTANCE);
      expect(checkVerdict(verdict)).toBe(verdict);
      expect(classify(settled, INSTANCE)).toEqual(verdict);
    }),
    { numRuns: 2_000 },
  );
});

it('never takes an error for a success, but one that an answer below 400 came with', () => {
  fc.assert(
    fc.property(anyError, (error) => {
      const { outcome } = classify({ ok: false, error }, INSTANCE);
      if (outcome === 'success') expect(answersBelow400(error)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

function answersBelow400(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 16) return false;
  const { response, cause, errors } = error as {
    response?: { status?: unknown; statusCode?: unknown };
    cause?: unknown;
    errors?: unknown;
  };
  const status = Number(response?.status ?? response?.statusCode);
  if (status >= 300 && status < 400) return true;
  const parts = Array.isArray(errors) ? (errors as unknown[]) : [];
  return [cause, ...parts].some((part) => part !== error && answersBelow400(part, depth + 1));
}

it('ends with errors whose parts are themselves, and soon', () => {
  const error = new AggregateError([]);
  for (let i = 0; i < 30; i++) error.errors.push(error);
  const verdict: Verdict = classify({ ok: false, error });
  expect(verdict).toEqual({ outcome: 'failure', retry: 'if-idempotent' });
});

it('bears what cannot even be asked what it is', () => {
  const { proxy, revoke } = Proxy.revocable(new Error('gone'), {});
  revoke();
  expect(classify({ ok: false, error: proxy }, INSTANCE)).toEqual({
    outcome: 'failure',
    retry: 'if-idempotent',
  });
  expect(classify({ ok: true, value: proxy })).toEqual({ outcome: 'success', retry: 'never' });
});
