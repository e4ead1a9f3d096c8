/** What is read of a request, beside what it is sent with. */
import { stringify } from 'node:querystring';
import type { HashRequest } from '../hash-key.js';
import { IDEMPOTENT_METHODS } from '../route.js';
import { requestHeader } from './headers.js';
import type { DispatchOptions } from './types.js';

/** By what it says itself, its method, or its `Idempotency-Key`. */
export function mayRepeat({ method, headers, idempotent }: DispatchOptions): boolean {
  if (typeof idempotent === 'boolean') return idempotent;
  return (
    IDEMPOTENT_METHODS.has(method) ||
    IDEMPOTENT_METHODS.has(method.toUpperCase()) ||
    requestHeader(headers, 'idempotency-key') !== undefined
  );
}

/** As a hash key is made from it. */
export function hashRequestOf(options: DispatchOptions, origin: URL): HashRequest {
  const { path, method, headers, query } = options;
  // Put behind the origin, as it is sent: resolved against it, `//a/b` would name a host.
  const url = new URL(path.startsWith('/') ? `${origin.origin}${path}` : path, origin);
  if (query !== undefined && query !== null)
    url.search = stringify(query as Record<string, string>);
  return {
    method: method.toUpperCase(),
    url,
    header: (name) => requestHeader(headers, name.toLowerCase()),
  };
}
