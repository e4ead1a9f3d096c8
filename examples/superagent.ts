/** superagent: an agent that knows services. Each of its retries picks anew. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientPool } from 'fairlead';
import { leaseAgents } from 'fairlead/http';
import { staticList } from 'fairlead/static';
import superagent from 'superagent';

const [one, two] = [await start('one'), await start('two')];
const pool = createClientPool({
  services: { orders: { discovery: staticList([one, two].map(urlOf)) } },
});

const agents = leaseAgents(pool);
const getOrder = async (id: number): Promise<string> => {
  const reply = await superagent
    .get(`http://orders/v1/orders/${id}`)
    .agent(agents.http) // `agents.https` for https URLs
    .timeout(2_000)
    .retry(3)
    .buffer(true);
  return reply.text;
};

const ids = Array.from({ length: 20 }, (_, i) => i);
console.log(counted(await Promise.all(ids.map(getOrder))));
const [answers] = await Promise.all([Promise.all(ids.map(getOrder)), stop(one)]);
console.log(counted(answers)); // none failed: what was cut was sent again, new connections to "one" are refused

agents.destroy();
await pool.close();
await stop(two);

/** So many times each. */
function counted(names: readonly (string | undefined)[]): string {
  const times = (name?: string) => names.filter((other) => other === name).length;
  return [...new Set(names)].map((name) => `${name} ${times(name)}`).join(', ');
}

/** A server on a free port, so that the example runs anywhere. */
async function start(name: string): Promise<Server> {
  const server = createServer((_request, response) => response.end(name));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
