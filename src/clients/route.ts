import type { ClientView } from '../client-view.js';
import { FairleadError } from '../errors.js';
import type { Instance } from '../types.js';
import type { Target } from './target.js';
import type { Wrapping } from './wrap-options.js';

/**
 * The client of the service that the URL's host names; `undefined` when the URL is none of ours.
 *
 * @throws {FairleadError} `ERR_FAIRLEAD_UNKNOWN_HOST` where `strict` lets no such URL pass.
 */
export function clientFor(
  { target, strict }: Pick<Wrapping, 'target' | 'strict'>,
  url: Pick<URL, 'host' | 'hostname'>,
): ClientView | undefined {
  const client = find(target, url);
  if (client !== undefined || !strict) return client;
  throw new FairleadError(
    'ERR_FAIRLEAD_UNKNOWN_HOST',
    `"${url.host}" is no known service, and "strict" lets no other host pass.`,
  );
}

function find(
  target: Target,
  { host, hostname }: Pick<URL, 'host' | 'hostname'>,
): ClientView | undefined {
  if ('find' in target) return target.find(host);
  return hostname === target.service.toLowerCase() ? target : undefined;
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
