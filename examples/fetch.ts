/** fetch: the same function type, for URLs that name a service. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attemptsOf, createClient } from 'fairlead';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';

const good = await start('good');
const nobody = 'http://127.0.0.1:59999'; // refuses connections

const orders = createClient({
  service: 'orders',
  discovery: staticList([good.url, nobody]),
  timeoutMs: 2_000,
});
const fetch = wrapFetch(orders);

const reply = await fetch('http://orders/v1/orders', { method: 'POST', body: '{"item":7}' });
console.log(reply.status, await reply.text()); // a refused connection never sent the POST, so it was retried

good.server.close();
good.server.closeAllConnections();
try {
  await fetch('http://orders/v1/orders/7');
} catch (error) {
  // Every instance is gone: fetch's own error, and the story of its attempts.
  console.log(String(error), attemptsOf(error));
}

await orders.close();

/** A server on a free port, so that the example runs anywhere. */
async function start(reply: string): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => {
    response.end(reply);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}
