import { consul, type ConsulOptions } from '../../adapters/consul.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { DiscoveryAdapter, Rng } from '../../src/types.js';
import { readOptions } from '../../adapters/consul/options.js';
import { watchDatacenter } from '../../adapters/consul/watch.js';
import { entry, fakeConsul, type FakeConsul } from './fake-consul.js';
import { watchWith, type Watched } from './watched.js';

/** Full jitter at its middle: half of the ceiling. */
export const half: Rng = { next: () => 0.5 };

export interface Scene {
  readonly client: FakeConsul;
  readonly clock: ManualClock;
  readonly watched: Watched;
}

export async function begin(options: ConsulOptions = {}): Promise<Scene> {
  const client = fakeConsul();
  const clock = new ManualClock();
  const watched = watchWith(consul({ client, ...options }), { clock, rng: half });
  await settle();
  return { client, clock, watched };
}

/** A scene whose first read is answered and whose second is parked. */
export async function park(options: ConsulOptions = {}): Promise<Scene> {
  const scene = await begin(options);
  scene.client.newest().reply([entry()], 10);
  await settle();
  return scene;
}

/** An adapter for several agents. In its options they are URLs, which no fake stands behind. */
export function consulOf(
  clients: readonly FakeConsul[],
  options: ConsulOptions = {},
): DiscoveryAdapter {
  const agents = clients.flatMap((client) => readOptions({ ...options, client }).agents);
  const settings = { ...readOptions(options), agents };
  return {
    name: 'consul',
    watch: (service, context) => watchDatacenter(service, undefined, settings, context),
  };
}
