import { experimental, Metadata, type ServiceConfig, status } from '@grpc/grpc-js';
import { show } from '../../errors.js';
import type { Instance } from '../../types.js';
import { Feed, type Resolution } from './feed.js';
import type { HeldView, ServiceViews } from './service-views.js';
import { serviceOf } from './target-uri.js';

/**
 * The channel attribute that tells a load balancing policy of your own the instances behind its addresses (weights,
 * zones, metadata): a `Map` from `host:port`, IPv6 in brackets, to the instance. It is no part of what makes two
 * connections different.
 */
export const INSTANCES_ATTRIBUTE = 'grpc.internal.no_subchannel.fairlead_instances';

type ResolverConstructor = Parameters<typeof experimental.registerResolver>[1];

/**
 * The class that gRPC makes a channel's resolver of.
 *
 * @param checkOpen throws once no more are to be made.
 */
export function resolverFor(views: ServiceViews, checkOpen: () => void): ResolverConstructor {
  return class extends FairleadResolver {
    constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
      checkOpen();
      super(views, serviceOf(target), listener);
    }

    /** What TLS names, and checks. gRPC asks for each connection anew. */
    static getDefaultAuthority(target: experimental.GrpcUri): string {
      const service = serviceOf(target);
      return views.servernameOf(service) ?? service;
    }
  };
}

const CLEARING: experimental.StatusOr<ServiceConfig> = {
  ok: true,
  value: { loadBalancingConfig: [{ round_robin: {} }], methodConfig: [] },
};

/** Follows one service for one channel, from the channel's first call until it closes or goes idle. */
class FairleadResolver implements experimental.Resolver {
  #following: { readonly held: HeldView; readonly feed: Feed } | undefined;
  #hasAddresses = false;

  constructor(
    private readonly views: ServiceViews,
    private readonly service: string,
    private readonly listener: experimental.ResolverListener,
  ) {}

  /** Called for the first call, and then whenever connections fail. */
  updateResolution(): void {
    if (this.#following !== undefined) this.#following.feed.wantFresh();
    else this.#follow();
  }

  #follow(): void {
    try {
      const held = this.views.hold(this.service);
      const { inside } = held.view;
      if (inside === undefined) throw new TypeError('not a client of createClient or a pool');
      const feed = new Feed(inside, (resolution) => {
        this.#tell(resolution);
      });
      this.#following = { held, feed };
    } catch (error) {
      // gRPC asks again when there are calls; never told while it asks.
      const why = error instanceof Error ? error.message : show(error);
      queueMicrotask(() => {
        if (this.#following === undefined) this.#tell({ kind: 'nobody', why });
      });
    }
  }

  #tell(resolution: Resolution): void {
    if (resolution.kind === 'instances') {
      const { instances } = resolution;
      const byAddress = new Map(instances.map((instance) => [addressOf(instance), instance]));
      const attributes = { [INSTANCES_ATTRIBUTE]: byAddress };
      this.#hasAddresses = true;
      this.listener(experimental.statusOrFromValue(endpointsOf(byAddress)), attributes, null, '');
      return;
    }
    const { why } = resolution;
    // An error alone leaves a policy with the addresses it has; and of an empty list each makes what it likes: pick_first
    // keeps its connection. Only another policy in its place lets go of all of them, whatever it was. The error that
    // follows brings the channel's own back, and has calls fail with our words.
    if (this.#hasAddresses) this.listener(experimental.statusOrFromValue([]), {}, CLEARING, why);
    this.#hasAddresses = false;
    const error = { code: status.UNAVAILABLE, details: why, metadata: new Metadata() };
    this.listener(experimental.statusOrFromError(error), {}, null, why);
  }

  destroy(): void {
    this.#following?.feed.close();
    this.#following?.held.release();
    this.#following = undefined;
    this.#hasAddresses = false;
  }
}

/** Two instances may share an address, which is one connection all the same. */
function endpointsOf(byAddress: ReadonlyMap<string, Instance>): experimental.Endpoint[] {
  return [...byAddress.values()].map(({ host, port }) => ({ addresses: [{ host, port }] }));
}

function addressOf({ host, port }: Instance): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}
