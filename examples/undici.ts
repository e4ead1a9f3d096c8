/** undici: an agent whose URLs name services, with connections of its own to each instance. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attemptsOf, createClient } from 'fairlead';
import { staticList } from 'fairlead/static';
import { FairleadAgent, fairleadInterceptor } from 'fairlead/undici';
import { Agent, interceptors, request } from 'undici';

const good = await start('good');
const nobody = 'http://127.0.0.1:59999'; // refuses connections

const orders = createClient({
  service: 'orders',
  discovery: staticList([good.url, nobody]),
  timeoutMs: 2_000,
});

// Pools of its own, closed when their instance is gone. Other interceptors go around it.
const agent = new FairleadAgent(orders, { pool: { connections: 32 } });
const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 3 }));
const reply = await request('http://orders/v1/orders', {
  dispatcher,
  method: 'POST',
  body: '{"item":7}',
  fairlead: { timeoutMs: 500 },
});
console.log(reply.statusCode, await reply.body.text()); // a refused connection never sent the POST, so it was retried

// Or as one interceptor among others, over the connections of an agent that is there already.
const composed = new Agent().compose(fairleadInterceptor(orders));
console.log(await (await request('http://orders/', { dispatcher: composed })).body.text());

good.server.close();
good.server.closeAllConnections();
try {
  await request('http://orders/v1/orders/7', { dispatcher });
} catch (error) {
  // Every instance is gone: undici's own error, and the story of its attempts.
  console.log(String(error), attemptsOf(error));
}

await agent.close();
await composed.close();
await orders.close();

/** A server on a free port, so that the example runs anywhere. */
async function start(answer: string): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => {
    response.end(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}` };
}
