import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/**
 * Backends in a process of their own. argv: how many. Tells their ports, and at each message the CPU time that the
 * process has taken, in ms.
 */
export async function serveAll(make: () => Server): Promise<void> {
  const servers = Array.from({ length: Number(process.argv[2]) }, make);
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1_000);
  });
  process.on('disconnect', () => process.exit());
  process.send?.(servers.map((server) => (server.address() as AddressInfo).port));
}

/** What each answers with. */
export const ANSWER = JSON.stringify({
  id: 4711,
  items: Array.from({ length: 20 }, (_, i) => `item-${String(i)}`),
});
