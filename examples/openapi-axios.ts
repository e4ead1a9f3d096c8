/** A client generated from an OpenAPI document, by swagger-typescript-api: its axios instance is wrapped. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientPool } from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import { staticList } from 'fairlead/static';
import { Api } from './generated/orders-api.js';

const [one, two] = [await start('one'), await start('two')];
const pool = createClientPool({
  services: { orders: { discovery: staticList([one, two].map(urlOf)) } },
});

const api = new Api(); // the document says `servers: [{ url: http://orders/v1 }]`
wrapAxios(api.instance, pool);
const getItem = async (id: number): Promise<string> => (await api.orders.getOrder(id)).data.item;

const ids = Array.from({ length: 20 }, (_, i) => i);
console.log(counted(await Promise.all(ids.map(getItem))));
const [answers] = await Promise.all([Promise.all(ids.map(getItem)), stop(one)]);
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
  const server = createServer(({ url = '' }, response) => {
    const order = { id: Number(url.split('/').pop()), item: name };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(order));
  });
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
