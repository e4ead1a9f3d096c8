/** Where the resolvers of one registration have their services from. */
import { type ClientPool, createClientPool } from '../../client-pool.js';
import type { ClientView } from '../../client-view.js';
import { FairleadError } from '../../errors.js';
import type { ClientPoolOptions } from '../../options.js';
import type { Target } from '../target.js';

export interface ServiceViews {
  /**
   * The view of a service, until it is released.
   *
   * @throws {FairleadError} when there is none.
   */
  hold(service: string): HeldView;
  /** What TLS connections name instead of the service. */
  servernameOf(service: string): string | undefined;
}

export interface HeldView {
  readonly view: ClientView;
  /** Not to be called twice. */
  release(): void;
}

/** The application's own: never closed here. */
export function viewsOf(target: Target): ServiceViews {
  const find = (service: string): ClientView => {
    if ('find' in target) return target.client(service);
    if (target.service === service) return target;
    throw new FairleadError(
      'ERR_FAIRLEAD_SERVICE_NOT_FOUND',
      `Service "${service}" is unknown: the client given to registerFairlead is that of "${target.service}".`,
    );
  };
  return {
    hold: (service) => ({ view: find(service), release: () => undefined }),
    servernameOf(service) {
      try {
        return find(service).tlsServername;
      } catch {
        return undefined; // the resolver will say so, to calls
      }
    },
  };
}

/**
 * A client per service, made for its first channel and closed with its last.
 *
 * @throws {InvalidOptionError} naming the first option out of range.
 */
export function ownViews(options: ClientPoolOptions): ServiceViews {
  createClientPool(options); // for its checks: a pool without clients holds nothing
  const pools = new Map<string, { readonly pool: ClientPool; users: number }>();
  return {
    hold(service) {
      const known = pools.get(service) ?? { pool: createClientPool(options), users: 0 };
      const view = known.pool.client(service);
      pools.set(service, known);
      known.users++;
      return {
        view,
        release() {
          known.users--;
          if (known.users > 0) return;
          pools.delete(service);
          void known.pool.close();
        },
      };
    },
    servernameOf(service) {
      const { services = {}, defaults } = options;
      const own = Object.hasOwn(services, service) ? services[service] : undefined;
      return (own?.tls ?? defaults?.tls)?.servername;
    },
  };
}
