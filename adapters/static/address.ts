import { InvalidInstanceError } from '../../src/errors.js';

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };
const PARAMETERS = ['weight', 'priority', 'zone', 'region', 'id', 'tag'];

// scheme://authority path ?query #fragment (RFC 3986, appendix B)
const ADDRESS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/is;
const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/;

/**
 * Reads an address such as `http://10.0.0.1:8080?weight=3`. Values that are no numbers stay text, for
 * `toInstance` to refuse with the field's name.
 *
 * Not by `new URL` alone: that says "Invalid URL" where we want to name the part, and drops a port 80.
 *
 * @param path where it stands, for the error: `entries[3]`.
 * @throws {InvalidInstanceError} naming the part that is wrong.
 */
export function parseAddress(address: string, path: string): Record<string, unknown> {
  const fail = (part: string, expected: string, value: unknown): InvalidInstanceError =>
    new InvalidInstanceError(part === '' ? path : `${path}.${part}`, expected, value);

  const match = ADDRESS.exec(address);
  if (match === null) {
    throw fail('', 'an address such as "http://10.0.0.1:8080?weight=3"', withoutSecret(address));
  }
  const [, scheme = '', authority = '', pathname = '', query = '', fragment] = match;
  if (authority.includes('@')) {
    throw fail('', 'an address without credentials', withoutSecret(address));
  }
  if (fragment !== undefined) throw fail('', 'an address without a fragment', address);
  if (pathname !== '' && pathname !== '/') throw fail('', 'an address without a path', address);

  const [, rawHost = '', rawPort] = AUTHORITY.exec(authority) ?? ['', authority];
  const host = canonicalHost(rawHost);
  if (host === undefined)
    throw fail('host', 'a host name or IP address, IPv6 in brackets', rawHost);
  const protocol = scheme.toLowerCase();
  const port = rawPort === undefined ? DEFAULT_PORTS[protocol] : numberOr(rawPort);
  if (port === undefined) throw fail('port', `given, for ${protocol} has no default`, rawPort);
  return { protocol, host, port, ...readQuery(query, fail) };
}

function readQuery(
  query: string,
  fail: (part: string, expected: string, value: unknown) => InvalidInstanceError,
): Record<string, unknown> {
  const parameters = new URLSearchParams(query);
  for (const [name, value] of parameters) {
    if (!PARAMETERS.includes(name)) {
      throw fail(name, `absent; known parameters: ${PARAMETERS.join(', ')}`, value);
    }
    if (name !== 'tag' && parameters.getAll(name).length > 1) {
      throw fail(name, 'given once', parameters.getAll(name).join(', '));
    }
  }
  const spec: Record<string, unknown> = {};
  for (const name of ['weight', 'priority'] as const) {
    const value = parameters.get(name);
    if (value !== null) spec[name] = numberOr(value);
  }
  const id = parameters.get('id');
  if (id !== null) spec['id'] = id;
  const locality: Record<string, string> = {};
  for (const name of ['region', 'zone'] as const) {
    const value = parameters.get(name);
    if (value !== null) locality[name] = value;
  }
  if (Object.keys(locality).length > 0) spec['locality'] = locality;
  if (parameters.has('tag')) spec['tags'] = parameters.getAll('tag');
  return spec;
}

/** Lower case, punycode, dotted IPv4, IPv6 without brackets; `undefined` for what is no host. */
function canonicalHost(text: string): string | undefined {
  if (text === '' || !URL.canParse(`http://${text}/`)) return undefined;
  const { hostname } = new URL(`http://${text}/`);
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function numberOr(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** As it may stand in an error. */
export function withoutSecret(address: string): string {
  return address.replace(/\/\/.*@/s, '//***@');
}
