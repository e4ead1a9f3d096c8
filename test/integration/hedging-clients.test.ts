/** Hedges through axios and fetch: what becomes of the requests and sockets of those that lose. */
import { execFile } from 'node:child_process';
import { Agent, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import axios from 'axios';
import { describe, expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import type { Client } from '../../src/index.js';
import { clientOver, closeAfterwards, serve, type TestServer } from './servers.js';

interface Watched extends TestServer {
  /** Requests that have not been answered, and whose sender has not gone away. */
  readonly open: ReadonlySet<IncomingMessage>;
  readonly sockets: ReadonlySet<Socket>;
  /** Connections ever made. */
  readonly connections: () => number;
}

/** A server that answers after so long; Infinity for never. */
async function answering(afterMs: number): Promise<Watched> {
  const open = new Set<IncomingMessage>();
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = await serve((request, response) => {
    const { socket } = request;
    if (!sockets.has(socket)) {
      connections++;
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    open.add(request);
    response.once('close', () => open.delete(request));
    if (afterMs === Infinity) return;
    setTimeout(() => response.end('{"by":"the fast one"}'), afterMs);
  });
  return Object.assign(server, { open, sockets, connections: () => connections });
}

const HEDGE = { delayMs: 10, maxRatio: 1 };

/** Makes a function that sends through a wrapped client. */
const SENDERS: [
  string,
  (client: Client) => (path: string, method?: 'GET' | 'POST') => Promise<unknown>,
][] = [
  [
    'axios',
    (client) => {
      const httpAgent = new Agent({ keepAlive: true });
      closeAfterwards({
        close: () => {
          httpAgent.destroy();
          return Promise.resolve();
        },
      });
      const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
      return async (url, method = 'GET') => (await http.request<unknown>({ url, method })).data;
    },
  ],
  [
    'fetch',
    (client) => {
      const fetch = wrapFetch(client);
      return async (path, method = 'GET') =>
        (await fetch(`http://orders${path}`, { method })).json();
    },
  ],
];

describe.each(SENDERS)('a hedge through %s', (_name, sender) => {
  it('wins over a server that does not answer; the socket of the loser is closed there', async () => {
    const [silent, fast] = [await answering(Infinity), await answering(1)];
    const client = clientOver([silent, fast], { hedge: HEDGE });
    const send = sender(client);
    for (let i = 0; i < 10; i++) expect(await send('/x')).toEqual({ by: 'the fast one' });
    await expect.poll(() => silent.open.size).toBe(0);
    await expect.poll(() => silent.sockets.size).toBe(0);
    expect(silent.seen.length).toBeGreaterThanOrEqual(3);
    expect(fast.seen).toHaveLength(10);
    expect(fast.connections()).toBeLessThanOrEqual(2); // kept alive, and used again (fetch opens a second one, even so)
    expect(client.snapshot().inFlight).toBe(0);
    for (const { pending } of client.snapshot().instances) expect(pending).toBe(0);
  });

  it('loses to a first attempt that answers after all; its socket is closed', async () => {
    const [slow, silent] = [await answering(60), await answering(Infinity)];
    const client = clientOver([slow, silent], {
      hedge: HEDGE,
      policy: {
        name: 'in-order',
        build: (candidates) => ({
          pick: ({ excluded }) => candidates.find(({ instance }) => !excluded.has(instance.id)),
        }),
      },
    });
    const send = sender(client);
    for (let i = 0; i < 5; i++) expect(await send('/x')).toEqual({ by: 'the fast one' });
    await expect.poll(() => silent.sockets.size).toBe(0);
    expect(silent.seen).toHaveLength(5);
    expect(silent.open.size).toBe(0);
    expect(slow.connections()).toBeLessThanOrEqual(2);
    for (const { pending } of client.snapshot().instances) expect(pending).toBe(0);
  });

  it('leaves nothing behind when both answer at about the same time', async () => {
    const servers = [await answering(20), await answering(10)];
    const client = clientOver(servers, { hedge: HEDGE });
    const send = sender(client);
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        await sleep(i);
        expect(await send('/x')).toEqual({ by: 'the fast one' });
      }),
    );
    await expect.poll(() => servers.map(({ open }) => open.size)).toEqual([0, 0]);
    for (const { pending } of client.snapshot().instances) expect(pending).toBe(0);
    expect(await send('/x')).toEqual({ by: 'the fast one' });
  });

  it('is never sent for a POST, however slow it is', async () => {
    const servers = [await answering(60), await answering(60)];
    const client = clientOver(servers, { hedge: HEDGE });
    const send = sender(client);
    await Promise.all(Array.from({ length: 20 }, () => send('/x', 'POST')));
    expect(servers.flatMap(({ seen }) => seen)).toEqual(Array<string>(20).fill('POST /x'));
    await send('/x');
    expect(servers.flatMap(({ seen }) => seen)).toHaveLength(22); // as a GET would have been
  });
});

it('a process whose hedges have won ends by itself', async () => {
  const [silent, fast] = [await answering(Infinity), await answering(1)];
  const child = fileURLToPath(new URL('hedging-process.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', child, String(silent.port), String(fast.port)],
    { timeout: 20_000 },
  );
  expect(stdout).toBe('ended by itself\n');
  expect(stderr).toBe('');
  expect(silent.seen.length).toBeGreaterThanOrEqual(4);
});
