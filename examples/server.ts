/**
 * Servers that say how they are: three of different sizes report their load, and a client gives each what it can take.
 * Then one of them leaves, while calls go on: it says so first, and goes when nobody comes any more.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, serverWeighted } from 'fairlead';
import { wrapFetch } from 'fairlead/fetch';
import { createServerStatus, type ServerStatus } from 'fairlead/server';
import { staticList } from 'fairlead/static';

const small = await start('small', 500);
const medium = await start('medium', 1_000);
const large = await start('large', 2_000);

const orders = createClient({
  service: 'orders',
  discovery: staticList([small.url, medium.url, large.url]),
  policy: serverWeighted({ blackoutMs: 0, updateMs: 100 }), // 10 s and 1 s, but for an example
  healthCheck: { http: { path: '/ready' }, intervalMs: 100, unhealthyThreshold: 2 },
});
const fetch = wrapFetch(orders);

await calls(600); // until all have had something to report
console.log('by what they report:', await calls(700));

// What a server does on SIGTERM; see below.
const left = large.leave();
console.log('while one leaves:   ', await calls(700));
await left;
console.log('after it has left:  ', await calls(700));

await orders.close();
for (const { server } of [small, medium]) {
  server.close();
  server.closeAllConnections();
}

/** So many calls, some at a time, and who answered them. */
async function calls(count: number): Promise<Record<string, number>> {
  const answered: Record<string, number> = { small: 0, medium: 0, large: 0 };
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const name = await (await fetch('http://orders/')).text();
      answered[name] = (answered[name] ?? 0) + 1;
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return answered;
}

interface Started {
  readonly server: Server;
  readonly url: string;
  readonly status: ServerStatus;
  leave(): Promise<void>;
}

/** A server on a free port, full at so many requests per second. */
async function start(name: string, capacity: number): Promise<Started> {
  const status = createServerStatus({
    // In a process of its own a server needs nothing here: how busy its event loop is, is measured.
    utilization: ({ requestsPerSecond }) => requestsPerSecond / capacity,
    windowMs: 1_000,
  });
  const server = createServer(
    status.handler((_request, response) => {
      setTimeout(() => response.end(name), 2);
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const leave = async (): Promise<void> => {
    // process.once('SIGTERM', () => void leave());
    const { open } = await status.drain({ minMs: 1_000 }); // time for the checks to fail
    console.log(`${name} has drained, ${open} requests open`);
    server.close();
  };
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}`, status, leave };
}
