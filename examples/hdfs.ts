/**
 * HDFS with two NameNodes: calls go to the active one. A check of your own reads the state that Hadoop tells over JMX and
 * makes a role of it; two tiny servers answer here in Hadoop's place.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CheckFunction, createClient } from 'fairlead';
import { staticList } from 'fairlead/static';

const STATUS = '/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus';
const states = new Map([
  ['nn-1', 'active'],
  ['nn-2', 'standby'],
]);
const [first, second] = [await startNameNode('nn-1'), await startNameNode('nn-2')];

/** A NameNode that answers is healthy; what it calls its state is its role. Throwing means that the check failed. */
const nameNodeState: CheckFunction = async ({ instance, signal }) => {
  const reply = await fetch(`${instance.url}${STATUS}`, { signal });
  const { beans } = (await reply.json()) as { beans: { State?: string }[] };
  return { healthy: beans.length > 0, role: beans[0]?.State };
};

const hdfs = createClient({
  service: 'hdfs',
  discovery: staticList([first, second].map(({ id, port }) => ({ id, host: '127.0.0.1', port }))),
  healthCheck: { check: nameNodeState, intervalMs: 100, timeoutMs: 1_000 },
});
hdfs.on('health.changed', ({ instanceId, health, role = 'no role', error }) => {
  console.log(`  ${instanceId}: ${health}, ${role}${error === undefined ? '' : ` (${error})`}`);
});

const active = hdfs.where({ role: 'active' });
await active.ready();
assert.equal(await list('/user'), 'listed by nn-1');

console.log('nn-1 dies, nn-2 takes over:');
first.server.close();
first.server.closeAllConnections();
states.set('nn-2', 'active');
// Until the next check of nn-2 a call finds nobody but nn-1, and is refused there.
const failedOverAt = performance.now();
while ((await list('/user').catch(() => '')) !== 'listed by nn-2') {
  assert.ok(performance.now() - failedOverAt < 10_000, 'calls follow the active NameNode');
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log('calls go to nn-2');
assert.equal(await list('/user'), 'listed by nn-2');

await hdfs.close();
second.server.close();
second.server.closeAllConnections();

/** A call of WebHDFS. */
function list(path: string): Promise<string> {
  return active.call(
    async ({ instance, signal }) => {
      const reply = await fetch(`${instance.url}/webhdfs/v1${path}?op=LISTSTATUS`, { signal });
      return reply.text();
    },
    { idempotent: true },
  );
}

/** A server that tells its state as a NameNode does, and serves while it is active. */
async function startNameNode(id: string): Promise<{ id: string; port: number; server: Server }> {
  const server = createServer(({ url }, response) => {
    const State = states.get(id);
    if (url === STATUS) response.end(JSON.stringify({ beans: [{ NNRole: 'NameNode', State }] }));
    else response.writeHead(State === 'active' ? 200 : 403).end(`listed by ${id}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { id, port: (server.address() as AddressInfo).port, server };
}
