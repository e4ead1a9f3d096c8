/**
 * A service that registers itself with Consul, is called through its registration, and stops so that no call fails.
 * Needs an agent; the address is taken from CONSUL_HTTP_ADDR, as by Consul's own tools.
 *
 * In a service of your own `signals: true` does on SIGTERM what `stop()` does here, and then lets the process end.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from 'fairlead';
import { consul, registerService, type Registration } from 'fairlead/consul';

const url = process.env['CONSUL_HTTP_ADDR'] ?? 'http://127.0.0.1:8500';
const name = 'greeter-service';
const [first, second] = [await start('hello'), await start('good day')];

const greeter = createClient({
  service: name,
  discovery: consul({ url }),
  policy: 'round-robin',
  retry: false,
});
await greeter.ready();
while (greeter.snapshot().instances.length < 2) await wait(10);

const answers = new Map<string, number>();
const failures: unknown[] = [];
const done = new AbortController();
const caller = (async () => {
  while (!done.signal.aborted) {
    try {
      const text = await greeter.call(async ({ instance, signal }) => {
        const reply = await fetch(instance.url, { signal });
        return reply.text();
      });
      answers.set(text, (answers.get(text) ?? 0) + 1);
    } catch (error) {
      failures.push(error);
    }
  }
})();

await wait(300);
console.log('both answer:', Object.fromEntries(answers));

// Its callers hear that it leaves, and turn to the other; then it is closed.
await first.registration.stop({ drain: () => close(first.server) });
console.log('one has stopped:', Object.fromEntries(answers));
await wait(300);

// Callers can be kept away for a while, too.
await second.registration.maintenance(true, 'a look at the disk');
await second.registration.maintenance(false);
console.log(second.registration.status());

done.abort();
await caller;
console.log(`${failures.length} calls failed`);
if (failures.length > 0) process.exitCode = 1;

await greeter.close();
await second.registration.stop({ drain: () => close(second.server), settleMs: 0 });

async function start(text: string): Promise<{ server: Server; registration: Registration }> {
  const server = createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const registration = await registerService({
    url,
    name,
    port,
    address: '127.0.0.1',
    tags: ['v1'],
    weights: { passing: 10, warning: 1 },
    check: { ttlMs: 10_000 },
    // Asked for each heartbeat.
    health: () => (server.listening ? 'passing' : 'critical'),
  });
  registration.on('fault', ({ message }) => {
    console.warn(message);
  });
  return { server, registration };
}

function close(server: Server): Promise<unknown> {
  return new Promise((closed) => server.close(closed));
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
