import type { ClientView } from '../client-view.js';
import type { ClientPool } from '../client-pool.js';
import { InvalidOptionError } from '../errors.js';
import type { Instance } from '../types.js';
import { isObject } from '../validate.js';

/** What a wrapper is given to send through: one service's client or a view of it, or the clients of many. */
export type Target = ClientView | ClientPool;

/** The client of the service that the URL's host names; `undefined` when the URL is none of ours. */
export function clientFor(target: Target, url: URL): ClientView | undefined {
  if ('find' in target) return target.find(url.host);
  return url.hostname === target.service.toLowerCase() ? target : undefined;
}

/** @throws {InvalidOptionError} when it is neither a client nor a pool. */
export function checkTarget(target: Target): void {
  if (isObject(target) && ('find' in target || 'call' in target)) return;
  throw new InvalidOptionError('target', 'a Client or a ClientPool', target);
}

/**
 * The URL on a given instance: its host and port, and everything else of the logical URL. `https` holds when
 * either side asks for it: a caller's `https://orders` is never sent in the clear.
 */
export function onInstance(url: URL, instance: Instance): URL {
  const moved = new URL(url);
  moved.protocol = url.protocol === 'https:' ? 'https:' : instance.protocol;
  moved.hostname = instance.host.includes(':') ? `[${instance.host}]` : instance.host;
  moved.port = String(instance.port);
  return moved;
}

/** Methods that may be sent twice without harm (RFC 9110, 9.2.2). */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'TRACE',
]);
