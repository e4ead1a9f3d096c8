// What a user does with the package, given as ESM and as CommonJS: a real call through each public subpath.
import { createServer, get } from 'node:http';

/** @returns what came back, for the test to look at. */
export async function makeCalls({ fairlead, doors, peers }) {
  const { fixed, consul, testing } = doors;
  const { wrapFetch } = doors.fetch;
  const { wrapAxios } = doors.axios;
  const status = doors.server.createServerStatus();
  const server = createServer(
    status.handler((request, response) => {
      response.setHeader('connection', 'close');
      response.end(JSON.stringify({ path: request.url }));
    }),
  );
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address();
  const discovery = fixed.staticList([`http://127.0.0.1:${port}`]);
  const client = fairlead.createClient({ service: 'orders', discovery });
  const pool = fairlead.createClientPool({ discovery });
  try {
    const call = await client.call(
      async ({ instance, signal }) => (await fetch(`${instance.url}/call`, { signal })).json(),
      { idempotent: true },
    );
    const viaFetch = await (await wrapFetch(pool)('http://orders/fetch')).json();
    const viaAxios = (await wrapAxios(peers.axios.create(), pool).get('http://orders/axios')).data;
    const dispatcher = new doors.undici.FairleadAgent(pool);
    const viaUndici = await (
      await peers.undici.request('http://orders/undici', { dispatcher })
    ).body.json();
    await dispatcher.close();
    const agents = doors.http.leaseAgents(pool);
    const viaAgent = await ask('http://orders/agent', agents.http);
    agents.destroy();
    const unregister = doors.grpc.registerFairlead(pool);
    const channel = new peers.grpc.Client(
      'fairlead:///orders',
      peers.grpc.credentials.createInsecure(),
    );
    channel.close();
    unregister();
    const probe = await fetch(`http://127.0.0.1:${port}/ready`);
    return {
      paths: [call, viaFetch, viaAxios, viaUndici, viaAgent].map(({ path }) => path),
      ready: probe.status,
      adapters: [discovery.name, consul.consul({ url: 'http://127.0.0.1:8500' }).name],
      clockStartsAt: new testing.ManualClock().now(),
    };
  } finally {
    await client.close();
    await pool.close();
    server.close();
  }
}

function ask(url, agent) {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(JSON.parse(text)));
    }).on('error', reject);
  });
}

/** Whether `ours.isFairleadError` knows an error that the other copy of the package made. */
export function recognises(ours, theirs) {
  try {
    theirs.fixed.staticList([]);
  } catch (error) {
    return {
      recognised: ours.fairlead.isFairleadError(error),
      code: error.code,
      sameClass: error instanceof ours.fairlead.FairleadError,
      sameClassInItsOwnCopy: error instanceof theirs.fairlead.FairleadError,
    };
  }
  throw new Error('an empty static list was accepted');
}
