/** openapi-fetch, typed by an OpenAPI document: it takes a fetch that knows services. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientPool } from 'fairlead';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';
import createApi from 'openapi-fetch';

/** What `openapi-typescript orders.yaml` makes of a document, less what is not used here. */
interface paths {
  '/orders/{id}': {
    get: {
      parameters: { path: { id: number } };
      responses: { 200: { content: { 'application/json': { id: number; servedBy: string } } } };
    };
  };
}

const [one, two] = [await start('one'), await start('two')];
const pool = createClientPool({
  services: { orders: { discovery: staticList([one, two].map(urlOf)) } },
});

const api = createApi<paths>({ baseUrl: 'http://orders/v1', fetch: wrapFetch(pool) });
const getServer = async (id: number): Promise<string | undefined> => {
  const { data } = await api.GET('/orders/{id}', { params: { path: { id } } });
  return data?.servedBy;
};

const ids = Array.from({ length: 20 }, (_, i) => i);
console.log(counted(await Promise.all(ids.map(getServer))));
const [answers] = await Promise.all([Promise.all(ids.map(getServer)), stop(one)]);
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
    const order = { id: Number(url.split('/').pop()), servedBy: name };
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
