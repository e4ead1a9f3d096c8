/** What a request asks for, as its agent gets to see it. */
import type { ClientRequest } from 'node:http';
import type { HashRequest } from '../hash-key.js';
import type { SentOptions } from './node-internals.js';

/** Host and host name of the URL, as `URL` writes them. */
export function hostOf(
  { host, port }: SentOptions,
  defaultPort: number,
): { readonly host: string; readonly hostname: string } {
  const hostname = (host.includes(':') ? `[${host}]` : host).toLowerCase();
  const isDefault = Number(port) === defaultPort;
  return { hostname, host: isDefault ? hostname : `${hostname}:${String(port)}` };
}

/** @param origin `http://orders`. */
export function hashRequest(
  request: ClientRequest,
  options: SentOptions,
  origin: string,
): HashRequest {
  return {
    method: request.method,
    url: urlOf(origin, request.path),
    header: (name) => headerOf(request, options, name),
  };
}

/** Without a path for what is none: `*`, or a whole URL for a proxy. */
function urlOf(origin: string, path: string): URL {
  const url = origin + path;
  return new URL(path.startsWith('/') && URL.canParse(url) ? url : origin);
}

function headerOf(request: ClientRequest, options: SentOptions, name: string): string | undefined {
  const value: unknown = request.getHeader(name) ?? givenAsList(options.headers, name);
  if (Array.isArray(value)) return value.join(name.toLowerCase() === 'cookie' ? '; ' : ', ');
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** Headers given as `[name, value, name, value]` are written at once, and cannot be asked for. */
function givenAsList(headers: unknown, name: string): unknown {
  if (!Array.isArray(headers)) return undefined;
  const list: unknown[] = headers.flat();
  const at = list.findIndex(
    (each, i) => i % 2 === 0 && String(each).toLowerCase() === name.toLowerCase(),
  );
  return at === -1 ? undefined : list[at + 1];
}

/** The name that Node takes from a request for TLS: that of its `Host` header. `undefined` where it has none. */
export function hostHeaderName(request: ClientRequest): string | undefined {
  const header = request.getHeader('host');
  if (typeof header !== 'string' || header === '') return undefined;
  return /^\[([^\]]*)\]/.exec(header)?.[1] ?? header.split(':', 1)[0];
}
