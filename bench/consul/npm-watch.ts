/** A process that watches a service with the npm client's own `watch()`, which has no limit on its reads. */
import Consul from 'consul';
import { type Block, watchLoop } from './loop-gaps.js';
import { obey } from './obey.js';

const loop = watchLoop();

const orders = {
  /** Watches; resolves with the first list. */
  open({ url, service }: { url: string; service: string }): Promise<void> {
    const { hostname, port } = new URL(url);
    const client = new Consul({ host: hostname, port: Number(port) });
    const method = client.health.service.bind(client.health);
    const watch = client.watch({ method, options: { service } });
    return new Promise((resolve, reject) => {
      watch.on('error', reject);
      watch.on('change', () => resolve());
    });
  },
  /** The longest block of the event loop since the last call, and CPU time so far, in ms. */
  state(): { block: Block; cpuMs: number } {
    const { user, system } = process.cpuUsage();
    return { block: loop.longest(), cpuMs: (user + system) / 1e3 };
  },
};
export type NpmWatchOrders = typeof orders;

obey(orders);
