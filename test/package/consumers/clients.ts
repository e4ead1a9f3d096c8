import { Client, credentials } from '@grpc/grpc-js';
import { createClientPool, type InstanceSpec } from 'fairlead';
import { wrapFetch } from 'fairlead/fetch';
import { registerFairlead } from 'fairlead/grpc';
import { leaseAgents } from 'fairlead/http';
import { createServerStatus } from 'fairlead/server';
import { staticList } from 'fairlead/static';
import { FairleadAgent, fairleadInterceptor } from 'fairlead/undici';
import { createServer, get } from 'node:http';
import { Agent, type Dispatcher, request } from 'undici';

const instance: InstanceSpec = { host: '127.0.0.1', port: 8080 };
const pool = createClientPool({
  discovery: staticList([instance]),
  defaults: { tls: { servername: 'orders.internal' } },
});

export const dispatcher: Dispatcher = new Agent().compose(
  fairleadInterceptor(pool, { strict: true }),
);
export const agent: Dispatcher = new FairleadAgent(pool, { pool: { allowH2: true } });
export const fetchOrders: typeof fetch = wrapFetch(pool);
export const unregister: () => void = registerFairlead(pool);
export const channel = new Client('fairlead:///orders', credentials.createInsecure());
export const server = createServer(createServerStatus().handler((_, response) => response.end()));

export async function order(id: number): Promise<unknown> {
  const options = { dispatcher, fairlead: { timeoutMs: 200 } };
  return (await request(`http://orders/${String(id)}`, options)).body.json();
}

export function ping(): void {
  get('http://orders/ping', { agent: leaseAgents(pool).http });
}

// @ts-expect-error A typo: the options of a request are known by name.
void request('http://orders/', { dispatcher, fairlead: { timeout: 200 } });
