/**
 * Registers `orders` at the agent whose URL is the first argument. What the second says:
 * - `idle`: has nothing left to do then, and must end by itself.
 * - `serve`: serves on a free port with `signals`, and drains when stopped.
 * - `unguarded`: the same without `signals`.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { registerService } from '../../adapters/consul/registration.js';

const [, , url, mode] = process.argv;
const name = 'orders';
const check = { ttlMs: 2_000 };

if (mode === 'idle') {
  const registration = await registerService({ url, name, port: 1, check });
  process.once('exit', () => {
    console.log(`ended by itself, ${registration.status().state}`);
  });
} else {
  const server = createServer((_request, response) => {
    // A call takes a while, so that there is something to drain.
    setTimeout(() => response.end(String(process.pid)), 5);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await registerService({
    url,
    name,
    port: (server.address() as AddressInfo).port,
    address: '127.0.0.1',
    check,
    signals: mode === 'serve',
    drain: async () => {
      server.close();
      await once(server, 'close');
      console.log('drained');
    },
  });
  console.log('ready');
}
