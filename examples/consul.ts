/**
 * Consul: live instances by blocking queries, with weights, warning states and ports by name; and what is known of the
 * source itself. Needs an agent; the address is taken from CONSUL_HTTP_ADDR, as by Consul's own tools.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClientPool } from 'fairlead';
import { consul } from 'fairlead/consul';
import { wrapFetch } from 'fairlead/fetch';

const url = process.env['CONSUL_HTTP_ADDR'] ?? 'http://127.0.0.1:8500';
const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
await put('/v1/agent/service/register', {
  ID: 'greeter-1',
  Name: 'greeter',
  Address: '127.0.0.1',
  Port: 9_090, // for metrics, say
  Meta: { port_http: String(port) },
});

const pool = createClientPool({
  discovery: consul({ url, port: 'http' }),
  defaults: { timeoutMs: 2_000 },
});
const greeter = pool.client('greeter');
for (const name of ['discovery.fault', 'discovery.stale', 'discovery.recovered'] as const) {
  greeter.on(name, (event) => {
    console.warn(name, event);
  });
}
await greeter.ready();

const reply = await wrapFetch(pool)('http://greeter/hello');
console.log(await reply.text());
const { state, details } = greeter.discoveryStatus();
console.log({ state, ...details });
console.log(greeter.snapshot().instances.map(({ id, breaker }) => ({ id, breaker })));

await pool.close();
await put('/v1/agent/service/deregister/greeter-1');
server.close();
server.closeAllConnections();

async function put(path: string, body?: unknown): Promise<void> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const { ok, status } = await fetch(new URL(path, url), { method: 'PUT', ...init });
  if (!ok) throw new Error(`Consul answered ${String(status)} to ${path}`);
}
