// What a user does with the package, given as ESM and as CommonJS: a real call through each public subpath.
import { createServer } from 'node:http';

/** @returns what came back, for the test to look at. */
export async function makeCalls({ fairlead, fixed, consul, testing, wrapFetch, wrapAxios, axios }) {
  const server = createServer((request, response) => {
    response.setHeader('connection', 'close');
    response.end(JSON.stringify({ path: request.url }));
  });
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
    const viaAxios = (await wrapAxios(axios.create(), pool).get('http://orders/axios')).data;
    return {
      paths: [call.path, viaFetch.path, viaAxios.path],
      adapters: [discovery.name, consul.consul({ url: 'http://127.0.0.1:8500' }).name],
      clockStartsAt: new testing.ManualClock().now(),
    };
  } finally {
    await client.close();
    await pool.close();
    server.close();
  }
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
