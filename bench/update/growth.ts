import { type Client, createClient } from 'fairlead';
import { memoryAdapter } from 'fairlead/testing';
import { list } from './lists.js';

/** What is repeated, so many times in a row. */
export type Way = 'call' | 'pick and end';

const ATTEMPTS_EACH = 6;

/** A client of all defaults over `n` instances of one weight, of which nearly all were called. */
export async function workingClient(n: number): Promise<Client> {
  const instances = list(n).map(({ host, port }) => ({ host, port }));
  const client = createClient({ service: 'bench', discovery: memoryAdapter(instances) });
  await client.ready();
  for (let i = 0; i < ATTEMPTS_EACH * n; i++) client.pick().end('success');
  return client;
}

/** ns for one. */
export async function timed(client: Client, way: Way, times: number): Promise<number> {
  const start = performance.now();
  if (way === 'call') for (let i = 0; i < times; i++) await client.call(noop);
  else for (let i = 0; i < times; i++) client.pick().end('success');
  return ((performance.now() - start) * 1e6) / times;
}

const ANSWERED = Promise.resolve(1);

function noop(): Promise<number> {
  return ANSWERED;
}
