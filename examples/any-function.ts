/**
 * Anything that needs an instance: `call` for what can be tried again, a lease for what lives longer, such as a
 * socket or a database connection.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createClient, p2c, leastRequest } from 'fairlead';
import { staticList } from 'fairlead/static';

const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const client = createClient({
  service: 'greeter',
  discovery: staticList([`http://127.0.0.1:${String(port)}`]),
  policy: p2c({ load: leastRequest() }),
});
await client.ready();

// A call: picked, timed, retried on another instance. `signal` aborts with the attempt.
const text = await client.call(
  async ({ instance, signal }) => (await fetch(`${instance.url}/hello`, { signal })).text(),
  { idempotent: true },
);
console.log(text);

// A lease: picked once; you say how it ended.
const lease = client.pick();
try {
  const socket = connect(lease.instance.port, lease.instance.host);
  await once(socket, 'connect');
  console.log(`connected to ${lease.instance.id}; in flight there:`, inFlight(lease.instance.id));
  socket.destroy();
  lease.end('success');
} catch (error) {
  lease.end('failure');
  throw error;
}
console.log('after the lease ended:', inFlight(lease.instance.id));

await client.close();
server.close();
server.closeAllConnections();

function inFlight(id: string): number | undefined {
  return client.snapshot().instances.find((instance) => instance.id === id)?.pending;
}
