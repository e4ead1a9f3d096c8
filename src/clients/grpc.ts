/** `fairlead/grpc`: channels of @grpc/grpc-js to `fairlead:///service`. */
import { experimental } from '@grpc/grpc-js';
import type { ClientPoolOptions } from '../options.js';
import { FairleadError, InvalidOptionError } from '../errors.js';
import { checkKeys, isObject } from '../validate.js';
import { resolverFor } from './grpc/resolver.js';
import { ownViews, type ServiceViews, viewsOf } from './grpc/service-views.js';
import type { Target } from './target.js';

export { INSTANCES_ATTRIBUTE } from './grpc/resolver.js';

export interface RegisterOptions {
  /**
   * What stands before the `:` of the channels' targets: a lower case URI scheme that gRPC has no resolver for.
   * Default `'fairlead'`.
   */
  readonly scheme?: string | undefined;
}

/** gRPC's own. */
const TAKEN: ReadonlySet<string> = new Set(['dns', 'unix', 'ipv4', 'ipv6', 'xds']);

const registered = new Set<string>();

/**
 * Lets @grpc/grpc-js find services through Fairlead: a channel to `fairlead:///orders` connects to the instances of
 * `orders` that take calls as the client's stages see it (weight above 0, in good health, of the right priority, zone and
 * subset), and follows every change. How a call picks among them is gRPC's: `round_robin`, `pick_first`,
 * `outlier_detection` of the channel's service config. Weights, breakers' trials and the exact shares of priorities and
 * zones are not passed on.
 *
 * Without a list a call waits for it, as gRPC's calls wait for a connection: until its deadline, and for
 * `readyTimeoutMs` of the client at most. Where there is nobody to connect to it fails with `UNAVAILABLE`, and why, unless
 * it has `waitForReady`; the channel recovers by itself.
 *
 * TLS checks the certificate against the service's name, or `tls.servername` of the client. That is `:authority`, too.
 *
 * @param target a pool: its clients are used, and stay open when a channel closes. A client or a view of one: for
 * that service alone. Or what a pool is made of: then each service has a client of its own while channels use it.
 * @returns takes the registration away: no channel to the scheme can be made then, until it is registered again.
 * Channels made before go on.
 * @throws {InvalidOptionError} naming what is out of range, and for a scheme that is registered already.
 * @throws {FairleadError} `ERR_FAIRLEAD_MISSING_DEPENDENCY` for an @grpc/grpc-js before 1.14.
 */
export function registerFairlead(
  target: Target | ClientPoolOptions,
  options: RegisterOptions = {},
): () => void {
  checkKeys('registerFairlead', options, ['scheme']);
  const scheme = checkScheme(options.scheme ?? 'fairlead');
  checkVersion();
  let isOpen = true;
  experimental.registerResolver(
    scheme,
    resolverFor(viewsFor(target), () => {
      if (isOpen) return;
      const message = `The scheme "${scheme}" is not registered any more.`;
      throw new FairleadError('ERR_FAIRLEAD_CLOSED', message);
    }),
  );
  registered.add(scheme);
  return () => {
    if (isOpen) registered.delete(scheme);
    isOpen = false;
  };
}

function viewsFor(target: Target | ClientPoolOptions): ServiceViews {
  const given: unknown = target;
  if (!isObject(given)) {
    throw new InvalidOptionError('target', 'a Client, a ClientPool, or the options of one', given);
  }
  return isTarget(target) ? viewsOf(target) : ownViews(target);
}

function isTarget(target: Target | ClientPoolOptions): target is Target {
  return 'find' in target || 'call' in target;
}

function checkScheme(scheme: unknown): string {
  if (typeof scheme !== 'string' || !/^[a-z][a-z0-9+.-]*$/.test(scheme) || TAKEN.has(scheme)) {
    const expected = `a lower case URI scheme other than ${[...TAKEN].join(', ')}`;
    throw new InvalidOptionError('registerFairlead.scheme', expected, scheme);
  }
  if (!registered.has(scheme)) return scheme;
  // gRPC would have the later one take the place of the other, without a word.
  throw new InvalidOptionError('registerFairlead.scheme', 'one not registered yet', scheme);
}

/** Before 1.14 a resolver cannot say that nobody is left: calls would wait for ever, or go to those before. */
function checkVersion(): void {
  if ('statusOrFromValue' in experimental) return;
  throw new FairleadError(
    'ERR_FAIRLEAD_MISSING_DEPENDENCY',
    'fairlead/grpc needs @grpc/grpc-js 1.14 or later: npm install @grpc/grpc-js@^1.14.0',
  );
}
