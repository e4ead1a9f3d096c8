import type { experimental } from '@grpc/grpc-js';
import { InvalidOptionError } from '../../errors.js';

/**
 * The service that a channel's target names: `fairlead:///orders`, or `fairlead:orders`.
 *
 * @throws {InvalidOptionError} for any other form: `fairlead://orders`, say, where a URI has an authority.
 */
export function serviceOf({ scheme = '', authority, path }: experimental.GrpcUri): string {
  if (!authority && path !== '' && !path.startsWith('/')) return path;
  const target = authority === undefined ? `${scheme}:${path}` : `${scheme}://${authority}/${path}`;
  throw new InvalidOptionError('target', `${scheme}:///<service>`, target);
}
