/** Options of a health check over HTTP. */
import { X509Certificate } from 'node:crypto';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { createSecureContext } from 'node:tls';
import { InvalidOptionError } from './errors.js';
import { checkKeys, checkNumber, checkOneGiven, checkString, isObject } from './validate.js';

export interface HttpCheck {
  /** Path asked for. Either this or `roles`. */
  readonly path?: string | undefined;
  /**
   * Paths by the role that a good answer proves, asked in this order until one is good: `{ primary: '/primary',
   * standby: '/replica' }` fits Patroni. No good answer at all: the check failed.
   */
  readonly roles?: Readonly<Record<string, string>> | undefined;
  /** Default `'GET'`. */
  readonly method?: 'GET' | 'HEAD' | 'OPTIONS' | undefined;
  /** Sent with each check. `Host` is the service's name unless given here. No value ever stands in an error or event. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Status of a good answer, or several, 200 to 599. Default: 200 to 299. Redirects are not followed. */
  readonly expectedStatus?: number | readonly number[] | undefined;
  /** What the body of a good answer contains, or matches, in its first 64 KiB. Default: anything. Not with `HEAD`. */
  readonly expectedBody?: string | RegExp | undefined;
  /** Default: the instance's own. */
  readonly port?: number | undefined;
  /** Default: `'https'` where it is the instance's own, else `'http'`. */
  readonly protocol?: 'http' | 'https' | undefined;
  /** For https. The server's certificate is always checked. */
  readonly tls?:
    | {
        /** Authorities that are trusted, in PEM, instead of those that Node knows. */
        readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
        /** Certificate to show to the server, in PEM, with its `key`. */
        readonly cert?: string | Uint8Array | undefined;
        readonly key?: string | Uint8Array | undefined;
        /** The name that the server's certificate must hold. Default: the client's `tls.servername`, else the service's. */
        readonly servername?: string | undefined;
      }
    | undefined;
}

/** @throws {InvalidOptionError} naming the option out of range; values of headers and of `tls` are never shown. */
export function checkHttp(http: HttpCheck): HttpCheck {
  const at = 'healthCheck.http';
  checkKeys(at, http, [
    'path',
    'roles',
    'method',
    'headers',
    'expectedStatus',
    'expectedBody',
    'port',
    'protocol',
    'tls',
  ]);
  const { path, roles, method, headers, expectedStatus, expectedBody, protocol, tls } = http;
  checkOneGiven(at, 'either path or roles', { path, roles });
  if (path !== undefined) checkPath(`${at}.path`, path);
  if (roles !== undefined) checkRoles(`${at}.roles`, roles);
  checkOneOf(`${at}.method`, method, ['GET', 'HEAD', 'OPTIONS']);
  checkOneOf(`${at}.protocol`, protocol, ['http', 'https']);
  if (headers !== undefined) checkHeaders(`${at}.headers`, headers);
  if (expectedStatus !== undefined) checkStatus(`${at}.expectedStatus`, expectedStatus);
  if (expectedBody !== undefined) {
    if (method === 'HEAD') {
      throw new InvalidOptionError(
        `${at}.expectedBody`,
        'absent with the method HEAD, which is answered without a body',
        expectedBody,
      );
    }
    if (!(expectedBody instanceof RegExp)) checkString(`${at}.expectedBody`, expectedBody);
  }
  checkPort(`${at}.port`, http.port);
  if (tls !== undefined) {
    if (protocol === 'http') {
      throw new InvalidOptionError(`${at}.tls`, 'absent with the protocol http', HIDDEN);
    }
    checkTls(`${at}.tls`, tls);
  }
  return http;
}

function checkPath(option: string, path: unknown): void {
  // What Node sends as it is; anything else it refuses at each check.
  if (typeof path === 'string' && /^\/[\x21-\x7e]*$/.test(path)) return;
  throw new InvalidOptionError(
    option,
    'a path that begins with /, in ASCII and percent-encoded',
    typeof path === 'string' ? path.replace(/\?.*/s, '?...') : path, // a query may hold a secret
  );
}

function checkRoles(option: string, roles: unknown): void {
  checkRecord(option, roles, checkPath);
  const names = Object.keys(roles as object);
  if (names.length > 0 && !names.includes('')) return;
  throw new InvalidOptionError(option, 'an object with at least one role, each with a name', roles);
}

function checkRecord(
  option: string,
  record: unknown,
  check: (option: string, value: unknown, key: string) => void,
): void {
  if (!isObject(record)) throw new InvalidOptionError(option, 'an object', record);
  for (const [key, value] of Object.entries(record)) check(`${option}.${key}`, value, key);
}

function checkStatus(option: string, status: unknown): void {
  const statuses: unknown[] = [status].flat();
  if (statuses.length === 0) throw new InvalidOptionError(option, 'at least one status', status);
  for (const one of statuses) checkNumber(option, one, { min: 200, max: 599, integer: true });
}

/** Stands for a value that may be a secret: of a wrong one nothing but its place is told. */
const HIDDEN = '(not shown)';

function checkHeaders(option: string, headers: unknown): void {
  if (!isObject(headers)) throw new InvalidOptionError(option, 'an object of strings', HIDDEN);
  checkRecord(option, headers, (header, value, name) => {
    if (typeof value !== 'string') {
      throw new InvalidOptionError(header, 'a string', `(${typeof value}, not shown)`);
    }
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new InvalidOptionError(header, 'a header that HTTP allows', HIDDEN);
    }
  });
}

function checkTls(option: string, tls: unknown): void {
  if (!isObject(tls)) throw new InvalidOptionError(option, 'an object', HIDDEN);
  const { ca, cert, key, servername } = checkKeys(option, tls, ['ca', 'cert', 'key', 'servername']);
  if (servername !== undefined) checkString(`${option}.servername`, servername);
  if (ca !== undefined) checkAuthorities(`${option}.ca`, ca);
  for (const [name, pem] of Object.entries({ cert, key })) {
    if (pem === undefined || typeof pem === 'string' || pem instanceof Uint8Array) continue;
    throw new InvalidOptionError(`${option}.${name}`, 'PEM, as a string or a Buffer', HIDDEN);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new InvalidOptionError(option, 'given both cert and key, or neither', HIDDEN);
  }
  try {
    createSecureContext({ cert: cert as string | undefined, key: key as string | undefined });
  } catch (error) {
    const { message } = error as Error;
    throw new InvalidOptionError(
      option,
      `a certificate in PEM and its key, unencrypted (${message})`,
      HIDDEN,
    );
  }
}

/** Node skips in silence what is no certificate, and would then trust nobody. */
function checkAuthorities(option: string, ca: unknown): void {
  const given: unknown[] = [ca].flat();
  try {
    if (given.length === 0) throw new Error('there is none');
    for (const pem of given) {
      if (!String(pem).includes('-----BEGIN')) throw new Error('it is no PEM');
      new X509Certificate(pem as string);
    }
  } catch {
    throw new InvalidOptionError(
      option,
      'one or more certificates in PEM, as strings or Buffers (not the paths of files)',
      HIDDEN,
    );
  }
}

function checkOneOf(option: string, value: unknown, known: readonly string[]): void {
  if (value === undefined || known.includes(value as string)) return;
  throw new InvalidOptionError(option, `one of ${known.join(', ')}`, value);
}

/** @throws {InvalidOptionError} for what is no port. */
export function checkPort(option: string, port: unknown): number | undefined {
  return port === undefined
    ? undefined
    : checkNumber(option, port, { min: 1, max: 65_535, integer: true });
}
