/**
 * One deadline through a chain of services: gateway, orders, stock. Each tells the next how much time it has, in a
 * request header. When stock hangs, orders answers without it, in time, and nobody works for a caller who is gone.
 */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, withDeadline } from 'fairlead';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';

const HEADER = 'x-request-timeout-ms'; // what `deadlineHeader: true` sends

/** Stock: knows the answer at once for a book, and never for a lamp. */
const stock = await start((request, response) => {
  console.log(`  stock   has ${String(request.headers[HEADER])} ms`);
  if (request.url === '/book') response.end('7 left');
});
const stockClient = createClient({
  service: 'stock',
  discovery: staticList([stock.url]),
  inheritDeadline: true, // ends with the request it is made for
  retry: false, // there is but one instance
});
const askStock = wrapFetch(stockClient, { deadlineHeader: true });

/** Orders: asks stock, within the time its own caller has. The margin is for its answer to arrive. */
const orders = await start((request, response) => {
  const header = request.headers[HEADER];
  console.log(`  orders  has ${String(header)} ms`);
  const answer = async (): Promise<void> => {
    const inStock = await askStock(`http://stock${request.url ?? ''}`)
      .then((reply) => reply.text())
      .catch(() => 'stock unknown');
    response.end(`order of a ${String(request.url?.slice(1))}, ${inStock}`);
  };
  void withDeadline(header, answer, { marginMs: 50 });
});
const ordersClient = createClient({
  service: 'orders',
  discovery: staticList([orders.url]),
  timeoutMs: 300, // the deadline of it all
  retry: false,
});
const askOrders = wrapFetch(ordersClient, { deadlineHeader: true });

/** The gateway: here it all begins. */
for (const item of ['book', 'lamp']) {
  const startedMs = performance.now();
  const reply = await askOrders(`http://orders/${item}`);
  const ms = Math.round(performance.now() - startedMs);
  console.log(`gateway: ${await reply.text()} (after ${ms} ms)`);
}

await ordersClient.close();
await stockClient.close();
for (const { server } of [orders, stock]) {
  server.close();
  server.closeAllConnections();
}

/** A server on a free port, so that the example runs anywhere. */
async function start(handler: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}
