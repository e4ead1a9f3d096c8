/**
 * PostgreSQL under Patroni: writes go to the leader, reads to the standbys, and both follow a failover. Health checks ask
 * Patroni's REST API for the role of each node; three tiny servers answer here in its place.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from 'fairlead';
import { staticList } from 'fairlead/static';

let leader = 'pg-1';
const nodes = await Promise.all(['pg-1', 'pg-2', 'pg-3'].map(startNode));

const postgres = createClient({
  service: 'postgres',
  // In earnest the instances are the databases, and `port: 8008` of the check is Patroni's.
  discovery: staticList(nodes.map(({ id, port }) => ({ id, host: '127.0.0.1', port }))),
  healthCheck: {
    http: { roles: { primary: '/primary', standby: '/replica' } }, // asked in this order
    intervalMs: 100,
  },
});
postgres.on('health.changed', ({ instanceId, role = 'no role' }) => {
  console.log(`  ${instanceId}: ${role}`);
});

const writes = postgres.where({ role: 'primary' });
const reads = postgres.where({ role: 'standby', fallback: 'any' }); // the primary serves if no standby is left
await Promise.all([writes.ready(), postgres.where({ role: 'standby' }).ready()]);

assert.equal(await target(writes), 'pg-1');
assert.notEqual(await target(reads), 'pg-1');
console.log('writes go to pg-1, reads to the others');

console.log('pg-1 steps down:');
leader = 'nobody';
await roleOf('pg-1', 'standby');
await assert.rejects(target(writes), { code: 'ERR_FAIRLEAD_NO_MATCH' }); // never to a standby
console.log('no primary: a write fails at once');

console.log('pg-2 is promoted:');
leader = 'pg-2';
await writes.ready(); // until there is a primary
assert.equal(await target(writes), 'pg-2');
assert.notEqual(await target(reads), 'pg-2');
console.log('writes go to pg-2');

await postgres.close();
for (const { server } of nodes) server.close();

/** Where a call of this view goes. A pool of connections to `instance` would stand here. */
function target(view: typeof writes): Promise<string> {
  return view.call(({ instance }) => instance.id);
}

/** Until the checks have found this role. */
async function roleOf(id: string, wanted: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = postgres.on('health.changed', ({ instanceId, role }) => {
      if (instanceId !== id || role !== wanted) return;
      stop();
      resolve();
    });
  });
}

/** A node whose REST API answers as Patroni's: 200 for what it is, 503 for what it is not. */
async function startNode(id: string): Promise<{ id: string; port: number; server: Server }> {
  const server = createServer(({ url }, response) => {
    const isRole = url === (leader === id ? '/primary' : '/replica');
    response.writeHead(isRole ? 200 : 503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { id, port: (server.address() as AddressInfo).port, server };
}
