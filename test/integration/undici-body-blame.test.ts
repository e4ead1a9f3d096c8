import { createServer } from 'node:http';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { expect, it } from 'vitest';
import { createClient } from '../../src/index.js';
import { FairleadAgent } from '../../src/clients/undici.js';
import { staticList } from '../../adapters/static.js';

async function outcomeOf(path: string, body: unknown): Promise<string> {
  const server = createServer((req, res) => {
    req.on('error', () => undefined);
    if (path === '/cut') req.once('data', () => req.socket.destroy());
    else req.resume().on('end', () => res.end('ok'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createClient({
    service: 'orders',
    discovery: staticList([`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`]),
  });
  const agent = new FairleadAgent(client);
  const outcomes: string[] = [];
  await request(`http://orders${path}`, {
    dispatcher: agent,
    method: 'POST',
    body: body as Readable,
    fairlead: { onAttempt: (record) => outcomes.push(record.outcome) },
  }).then(
    (r) => r.body.text(),
    () => undefined,
  );
  await agent.close();
  await client.close();
  server.closeAllConnections();
  server.close();
  return outcomes.join();
}

function broken(): Readable {
  let n = 0;
  return new Readable({
    read() {
      if (n++ < 1) this.push('a');
      else
        setTimeout(
          () => this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })),
          5,
        );
    },
  });
}
async function* brokenIterable(): AsyncGenerator<string> {
  yield 'a';
  await new Promise((r) => setTimeout(r, 5));
  throw new Error('mine');
}
function endless(): Readable {
  return new Readable({
    read() {
      setTimeout(() => this.push('a'), 5);
    },
  });
}
async function* endlessIterable(): AsyncGenerator<string> {
  for (;;) {
    yield 'a';
    await new Promise((r) => setTimeout(r, 5));
  }
}
it.each([
  ['stream', broken],
  ['iterable', brokenIterable],
])('blames no instance for a body that cannot be read: %s', async (_n, make) => {
  expect(await outcomeOf('/', make())).toBe('ignored');
});
it.each([
  ['stream', endless],
  ['iterable', endlessIterable],
])('blames the instance that cuts: %s', async (_n, make) => {
  expect(await outcomeOf('/cut', make())).toBe('failure');
});
it.each([
  ['stream', () => Readable.from(['a', 'b'])],
  ['web', () => new Blob(['ab']).stream()],
])('is sent: %s', async (_n, make) => {
  expect(await outcomeOf('/', make())).toBe('success');
});
