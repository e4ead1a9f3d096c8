import { type Client, createClient } from 'fairlead';
import { memoryAdapter } from 'fairlead/testing';
import { type ByHand, byHand } from './by-hand.js';
import { list } from './lists.js';

/** What is repeated, so many times in a row. By hand is the least that it can be: see by-hand.ts. */
export type Way = ClientWay | `${ClientWay}, by hand`;
export type ClientWay = 'call' | 'pick and end';

export interface Growing {
  readonly client: Client;
  readonly hand: ByHand;
}

const ATTEMPTS_EACH = 6;

/** Both at work, of one size. */
export async function growing(n: number): Promise<Growing> {
  const hand = byHand(n);
  for (let i = 0; i < ATTEMPTS_EACH * n; i++) hand.pickAndEnd();
  return { client: await workingClient(n), hand };
}

/** A client of all defaults over `n` instances of one weight, of which nearly all were called. */
async function workingClient(n: number): Promise<Client> {
  const instances = list(n).map(({ host, port }) => ({ host, port }));
  const client = createClient({ service: 'bench', discovery: memoryAdapter(instances) });
  await client.ready();
  for (let i = 0; i < ATTEMPTS_EACH * n; i++) client.pick().end('success');
  return client;
}

/** ns for one. */
export async function timed({ client, hand }: Growing, way: Way, times: number): Promise<number> {
  const start = performance.now();
  // A loop of its own for each, so that V8 sees one way at each place.
  switch (way) {
    case 'call':
      for (let i = 0; i < times; i++) await client.call(noop);
      break;
    case 'call, by hand':
      for (let i = 0; i < times; i++) await hand.call(noop);
      break;
    case 'pick and end':
      for (let i = 0; i < times; i++) client.pick().end('success');
      break;
    case 'pick and end, by hand':
      for (let i = 0; i < times; i++) hand.pickAndEnd();
  }
  return ((performance.now() - start) * 1e6) / times;
}

const ANSWERED = Promise.resolve(1);

function noop(): Promise<number> {
  return ANSWERED;
}
