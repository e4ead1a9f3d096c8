/** got: agents that know services. URLs, hooks and retries stay as they are. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientPool, type Lease } from 'fairlead';
import { leaseAgents } from 'fairlead/http';
import { staticList } from 'fairlead/static';
import got from 'got';

const [one, two, three] = [await start('one'), await start('two'), await start('three')];
const pool = createClientPool({
  services: { orders: { discovery: staticList([one, two, three].map(urlOf)) } },
});

const agents = leaseAgents(pool);
const api = got.extend({
  prefixUrl: 'http://orders/v1',
  agent: agents,
  timeout: { request: 2_000 },
});
const getOrder = (id: number): Promise<string> => api.get(`orders/${id}`).text();

const ids = Array.from({ length: 20 }, (_, i) => i);
console.log(counted(await Promise.all(ids.map(getOrder))));
const [answers] = await Promise.all([Promise.all(ids.map(getOrder)), stop(one)]);
console.log(counted(answers)); // none failed: got has sent again what was cut

// Without an agent: hooks that pick and tell how it went. They know which request is a retry, so that it goes to an
// instance the call has not tried. Streams, upgrades and TLS names are left out here; the agents do all of that.
const orders = pool.client('orders');
interface Call {
  lease?: Lease;
  tried?: string[];
}
const hooked = got.extend({
  prefixUrl: 'http://orders/v1',
  hooks: {
    beforeRequest: [
      ({ context, headers, url }) => {
        const call = context as Call;
        call.lease = orders.pick({ excluded: call.tried ?? [] });
        const { id, host, port } = call.lease.instance;
        (call.tried ??= []).push(id);
        if (url instanceof URL) [headers['host'], url.host] = ['orders', `${host}:${port}`];
      },
    ],
    afterResponse: [
      (response) => {
        const { lease } = response.request.options.context as Call;
        lease?.end(response.statusCode < 500 ? 'success' : 'failure');
        return response;
      },
    ],
    beforeRetry: [({ options }) => (options.context as Call).lease?.end('failure')],
    beforeError: [
      (error) => {
        (error.options.context as Call).lease?.end('failure');
        return error;
      },
    ],
  },
});
const getByHooks = (id: number): Promise<string> =>
  hooked.get(`orders/${id}`, { context: {} }).text();
const [others] = await Promise.all([Promise.all(ids.map(getByHooks)), stop(two)]);
console.log(counted(others)); // none failed

agents.destroy();
await pool.close();
await stop(three);

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
