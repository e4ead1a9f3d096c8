/** A process with the clients whose latency is measured. */
import { type Client, createClientPool } from 'fairlead';
import { consul, type ConsulOptions } from 'fairlead/consul';
import type { Sighting } from './latency.js';
import { monotonicMs } from './monotonic.js';
import { obey } from './obey.js';

const sightings: Sighting[] = [];

const orders = {
  async watch({ options, services }: WatchOrder): Promise<void> {
    const pool = createClientPool({ discovery: consul(options) });
    const clients = services.map((service) => pool.client(service));
    for (const client of clients) {
      client.on('instances.changed', () => {
        look(client);
      });
    }
    await Promise.all(clients.map((client) => client.ready()));
  },
  sightings: (): readonly Sighting[] => sightings,
};
export type LatencyClientOrders = typeof orders;

export interface WatchOrder {
  readonly options: ConsulOptions;
  readonly services: readonly string[];
}

/**
 * What a pick made right now chooses from. The time is taken after that pick: making the new candidate list is part of
 * what is measured.
 */
function look(client: Client): void {
  client.pick().end('ignored');
  const atMs = monotonicMs();
  const weights = client.explain().candidates.map(({ id, weight }) => [id, weight] as const);
  sightings.push({ service: client.service, atMs, weights: Object.fromEntries(weights) });
}

obey(orders);
