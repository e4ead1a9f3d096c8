/** The `hashKey` option of the HTTP wrappers: which part of a request a hashing policy is given as its key. */
import { InvalidOptionError } from '../errors.js';
import { checkKeys, checkString, isObject } from '../validate.js';

/** A request as its hash key is made from it. */
export interface HashRequest {
  /** In capitals. */
  readonly method: string;
  /** The URL asked for, with the service's name as host: no instance has been chosen yet. A copy. */
  readonly url: URL;
  /** A header by its name, in any case; `undefined` when the request has none. */
  header(name: string): string | undefined;
}

/**
 * What requests are hashed by: what nginx knows as `ip_hash` and `hash $key consistent`, Envoy as a hash policy.
 * Requests with the same key go to the same instance, where the policy hashes.
 *
 * - `'path'`: the path of the URL, without its query
 * - `{ header: 'x-user-id' }`, `{ cookie: 'session' }`, `{ query: 'user' }`: what the request has under that name
 * - a function of the request. A client's address is known only where its request came in; an `AsyncLocalStorage`
 *   brings it here: `() => incoming.getStore()?.socket.remoteAddress`
 *
 * A request without that header, cookie or parameter, or with an empty one, has no key: the policy picks at random.
 * What the function throws is what the call rejects with.
 */
export type HashKey =
  | 'path'
  | { readonly header: string }
  | { readonly cookie: string }
  | { readonly query: string }
  | ((request: HashRequest) => string | undefined);

/** The key of one request; `undefined` when it has none. */
export type HashKeyReader = (request: HashRequest) => string | undefined;

/**
 * Reads the option, named `option` in errors, into a function that never gives an empty key.
 *
 * @throws {InvalidOptionError} when it is none of the forms of {@link HashKey}. The reader itself throws it for a
 * function that returned what is neither a string nor `undefined`, and whatever the function throws.
 */
export function hashKeyReader(option: string, hashKey: HashKey): HashKeyReader {
  const read = typeof hashKey === 'function' ? hashKey : partReader(option, hashKey);
  return (request) => {
    const key: unknown = read(request);
    if (key === undefined || key === '') return undefined;
    if (typeof key === 'string') return key;
    throw new InvalidOptionError(`${option}()`, 'a string or undefined', key);
  };
}

function partReader(option: string, part: Exclude<HashKey, HashKeyReader>): HashKeyReader {
  if (part === 'path') return ({ url }) => url.pathname;
  if (!isObject(part)) throw wrongPart(option, part);
  const given = Object.entries(checkKeys(option, part, ['header', 'cookie', 'query']));
  const [entry, another] = given.filter(([, name]) => name !== undefined);
  if (entry === undefined || another !== undefined) throw wrongPart(option, part);
  const [kind, name] = entry;
  const path = `${option}.${kind}`;
  if (kind === 'query') {
    const parameter = checkString(path, name);
    return ({ url }) => url.searchParams.get(parameter) ?? undefined;
  }
  const token = checkToken(path, name);
  if (kind === 'header') return (request) => request.header(token);
  return (request) => cookieOf(request.header('cookie') ?? '', token);
}

function wrongPart(option: string, given: unknown): InvalidOptionError {
  return new InvalidOptionError(
    option,
    `'path', a function, or an object with one of header, cookie and query`,
    given,
  );
}

/** What a header or a cookie can be named (RFC 9110, 5.6.2; RFC 6265, 4.1.1). */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value);
}

/** Another name would never be found. */
function checkToken(option: string, value: unknown): string {
  if (isToken(value)) return value;
  throw new InvalidOptionError(option, 'an HTTP name (a token of RFC 9110)', value);
}

/** The first cookie of that name in a Cookie header (RFC 6265, 4.2.1), without the quotes a value may stand in. */
function cookieOf(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    if (at === -1 || pair.slice(0, at).trim() !== name) continue;
    const value = pair.slice(at + 1).trim();
    return /^"(.*)"$/.exec(value)?.[1] ?? value;
  }
  return undefined;
}
