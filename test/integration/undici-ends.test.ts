import { request } from 'undici';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createClient } from '../../src/index.js';
import { FairleadAgent } from '../../src/clients/undici.js';
import { staticList } from '../../adapters/static.js';

it.each([
  [
    'a locked stream',
    () => {
      const s = new Blob(['hi']).stream();
      s.getReader();
      return s;
    },
  ],
  [
    'an iterator whose return throws',
    () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: true }),
        return() {
          throw new Error('no');
        },
      }),
    }),
  ],
])('fails, and does not hang, for a body never begun: %s', async (_n, make) => {
  const client = createClient({ service: 'orders', discovery: staticList(['http://127.0.0.1:9']) });
  await client.close();
  const agent = new FairleadAgent(client);
  await expect(
    request('http://orders/', {
      dispatcher: agent,
      method: 'POST',
      body: make() as never,
      headers: { 'content-length': '2' },
    }),
  ).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
  await agent.close();
});

it('tells the callback of close what undici tells, once it is destroyed', async () => {
  const client = createClient({ service: 'orders', discovery: staticList(['http://127.0.0.1:9']) });
  const agent = new FairleadAgent(client);
  await agent.destroy();
  const told = await new Promise((resolve) => {
    agent.close((...args: unknown[]) => {
      resolve(args);
    });
  });
  expect(told).toEqual([expect.objectContaining({ code: 'UND_ERR_DESTROYED' }), null]);
  await client.close();
});

it('blames no instance for being destroyed with an error of the caller’s, and repeats nothing', async () => {
  const why = new Error('shutdown');
  const server = createServer(() => void agent.destroy(why));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createClient({
    service: 'orders',
    discovery: staticList([`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`]),
  });
  const agent = new FairleadAgent(client);
  const outcomes: string[] = [];
  const over = request('http://orders/', {
    dispatcher: agent,
    fairlead: { onAttempt: (r) => outcomes.push(r.outcome) },
  });
  await expect(over).rejects.toBe(why);
  expect(outcomes).toEqual(['ignored']);
  await client.close();
  server.closeAllConnections();
  server.close();
});
