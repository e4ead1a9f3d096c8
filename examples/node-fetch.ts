/** node-fetch: an agent by the protocol of the URL. An instance that cannot be reached fails no call. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { createClientPool } from 'fairlead';
import { leaseAgents } from 'fairlead/http';
import { staticList } from 'fairlead/static';
import fetch from 'node-fetch';

const [one, two] = [await start('one'), await start('two')];
const pool = createClientPool({
  services: { orders: { discovery: staticList([one, two].map(urlOf)) } },
});

const agents = leaseAgents(pool);
const agent = ({ protocol }: URL) => (protocol === 'https:' ? agents.https : agents.http);
const postOrder = async (id: number): Promise<string> => {
  const reply = await fetch('http://orders/v1/orders', { agent, method: 'POST', body: `${id}` });
  return reply.text();
};

const ids = Array.from({ length: 20 }, (_, i) => i);
console.log(counted(await Promise.all(ids.map(postOrder))));
await stop(one);
await setTimeout(100); // time to see that its kept connections are closed: node-fetch does not send again
console.log(counted(await Promise.all(ids.map(postOrder)))); // none failed, though new ones to "one" are refused

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
