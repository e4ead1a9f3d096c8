/** ky: a fetch that knows services. Fairlead retries on another instance, so that ky need not. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientPool } from 'fairlead';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';
import ky from 'ky';

const [one, two] = [await start('one'), await start('two')];
const pool = createClientPool({
  services: { orders: { discovery: staticList([one, two].map(urlOf)) } },
});

const api = ky.create({ prefixUrl: 'http://orders/v1', fetch: wrapFetch(pool), retry: 0 });
const getOrder = (id: number): Promise<string> => api.get(`orders/${id}`).text();

const ids = Array.from({ length: 20 }, (_, i) => i);
console.log(counted(await Promise.all(ids.map(getOrder))));
const [answers] = await Promise.all([Promise.all(ids.map(getOrder)), stop(one)]);
console.log(counted(answers)); // none failed

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
