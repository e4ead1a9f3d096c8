import { describe, expect, it } from 'vitest';
import { type HashKey, hashKeyReader, type HashRequest } from '../../src/clients/hash-key.js';
import { InvalidOptionError } from '../../src/errors.js';

function request(url: string, headers: Record<string, string> = {}): HashRequest {
  const all = new Headers(headers);
  return { method: 'GET', url: new URL(url), header: (name) => all.get(name) ?? undefined };
}

function keyOf(hashKey: HashKey, given: HashRequest): string | undefined {
  return hashKeyReader('wrapX.hashKey', hashKey)(given);
}

function errorOf(hashKey: unknown): unknown {
  try {
    return hashKeyReader('wrapX.hashKey', hashKey as HashKey);
  } catch (error) {
    return error;
  }
}

describe('a hash key', () => {
  const given = request('http://orders/v1/items?user=7&user=8&none=', {
    'X-User-Id': 'u7',
    Empty: '',
  });

  it.each<[string, HashKey, string | undefined]>([
    ['the path, without the query', 'path', '/v1/items'],
    ['a header, in any case', { header: 'x-USER-id' }, 'u7'],
    ['no header of that name', { header: 'x-other' }, undefined],
    ['an empty header', { header: 'empty' }, undefined],
    ['the first parameter of that name', { query: 'user' }, '7'],
    ['no parameter of that name', { query: 'User' }, undefined],
    ['an empty parameter', { query: 'none' }, undefined],
    ['no cookie at all', { cookie: 'session' }, undefined],
    ['what a function makes of it', ({ method, url }) => `${method} ${url.host}`, 'GET orders'],
    ['a header a function asks for', ({ header }) => header('X-User-Id'), 'u7'],
    ['a function that gives none', () => undefined, undefined],
    ['a function that gives an empty one', () => '', undefined],
  ])('of %s', (_what, hashKey, key) => {
    expect(keyOf(hashKey, given)).toBe(key);
  });

  it('of a parameter is decoded', () => {
    expect(keyOf({ query: 'a b' }, request('http://orders/?a+b=x%20y'))).toBe('x y');
  });

  it.each([
    ['session=abc', 'abc'],
    ['a=1; session=abc; b=2', 'abc'],
    ['a=1;session=abc', 'abc'],
    ['a=1; session = abc ; b', 'abc'],
    ['session="a b"', 'a b'],
    ['session="', '"'],
    ['session="a', '"a'],
    ['session=a=b==', 'a=b=='],
    ['session=first; session=second', 'first'],
    ['session=%20', '%20'], // a key needs no decoding
    ['xsession=abc; Session=abc; session', undefined],
    ['session=', undefined],
    ['session=""', undefined],
    [';;=;', undefined],
    ['', undefined],
  ])('of a cookie in %j is %j', (cookie, key) => {
    expect(keyOf({ cookie: 'session' }, request('http://orders/', { cookie }))).toBe(key);
  });

  it('is not made of what the function throws', () => {
    const own = new Error('own');
    const thrower = (): never => {
      throw own;
    };
    expect(() => keyOf(thrower, given)).toThrow(own);
  });

  it.each([[7], [null], [{}], [true], [Promise.resolve('k')]])(
    'cannot be %o, and the error says whose it was',
    (key) => {
      const wrong = (() => key) as unknown as HashKey;
      expect(() => keyOf(wrong, given)).toThrow(InvalidOptionError);
      expect(() => keyOf(wrong, given)).toThrow(
        /"wrapX\.hashKey\(\)" must be a string or undefined/,
      );
    },
  );
});

describe('the option hashKey', () => {
  it.each<[unknown, string]>([
    ['paht', 'wrapX.hashKey'],
    ['', 'wrapX.hashKey'],
    [null, 'wrapX.hashKey'],
    [7, 'wrapX.hashKey'],
    [[], 'wrapX.hashKey'],
    [{}, 'wrapX.hashKey'],
    [{ header: undefined }, 'wrapX.hashKey'],
    [{ header: 'a', cookie: 'b' }, 'wrapX.hashKey'],
    [{ heder: 'a' }, 'wrapX.hashKey.heder'],
    [{ header: 'a', ttl: 1 }, 'wrapX.hashKey.ttl'],
    [{ header: '' }, 'wrapX.hashKey.header'],
    [{ header: 'x user' }, 'wrapX.hashKey.header'],
    [{ header: 'x-user:' }, 'wrapX.hashKey.header'],
    [{ header: 'x-user\n' }, 'wrapX.hashKey.header'],
    [{ header: 7 }, 'wrapX.hashKey.header'],
    [{ cookie: 'a=b' }, 'wrapX.hashKey.cookie'],
    [{ cookie: 'a;b' }, 'wrapX.hashKey.cookie'],
    [{ cookie: null }, 'wrapX.hashKey.cookie'],
    [{ query: '' }, 'wrapX.hashKey.query'],
    [{ query: 7 }, 'wrapX.hashKey.query'],
  ])('refuses %j and names %s', (hashKey, option) => {
    const error = errorOf(hashKey);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option });
  });

  it('takes an undefined name for an absent one', () => {
    const hashKey = { header: 'x-user', cookie: undefined } as HashKey;
    expect(keyOf(hashKey, request('http://orders/', { 'x-user': 'u' }))).toBe('u');
  });
});
