// Everything but fairlead/axios, for a project that has neither axios nor consul.
import {
  createClient,
  createClientPool,
  isFairleadError,
  p2c,
  type Client,
  type DiscoveryAdapter,
  type Instance,
  type Snapshot,
} from 'fairlead';
import { consul } from 'fairlead/consul';
import { wrapFetch } from 'fairlead/fetch';
import { staticList } from 'fairlead/static';
import { ManualClock } from 'fairlead/testing';

const own: DiscoveryAdapter = {
  name: 'own',
  async *watch(service, context): AsyncIterable<Snapshot> {
    yield { kind: 'instances', instances: [{ host: service, port: 80 }] };
    await context.sleep(1_000);
  },
};

export const client: Client = createClient({
  service: 'orders',
  discovery: staticList([{ host: '127.0.0.1', port: 8080, weight: 3 }, 'http://127.0.0.1:8081']),
  policy: p2c(),
  retry: { maxAttempts: 3 },
});
export const pool = createClientPool({ discovery: own });
export const agent: DiscoveryAdapter = consul({ url: 'http://127.0.0.1:8500' });
export const http: (url: string) => Promise<Response> = wrapFetch(pool);
export const now: number = new ManualClock().now();

export async function use(): Promise<number> {
  try {
    const length: number = await client.call(
      async ({ instance, signal }: { instance: Instance; signal: AbortSignal }) =>
        (await fetch(instance.url, { signal })).status,
      { idempotent: true },
    );
    return length;
  } catch (error) {
    if (isFairleadError(error)) return error.attempts.length;
    throw error;
  } finally {
    await client.close();
    await pool[Symbol.asyncDispose]();
  }
}

// @ts-expect-error `service` is required.
createClient({ discovery: own });
// @ts-expect-error An option that does not exist.
createClient({ service: 'orders', discovery: own, retires: 3 });
// @ts-expect-error A port is a number.
staticList([{ host: '127.0.0.1', port: '8080' }]);
