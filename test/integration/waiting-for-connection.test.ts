/** A POST whose time is over while it waits for a connection has not been sent: it goes to another instance. */
import axios from 'axios';
import { Agent as HttpAgent, type RequestListener } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import { describe, expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { fairleadInterceptor } from '../../src/clients/undici.js';
import { type Client, createClient, storyOf } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import type { InstanceSpec } from '../../src/index.js';
import { clientOver, closeAfterwards, serve } from './servers.js';

/** Without a limit where none is given. */
type Post = (path: string, attemptTimeoutMs?: number) => Promise<unknown>;

/** Each with one connection to an instance. */
const CALLERS: readonly [name: string, (client: Client) => Post][] = [
  [
    'axios',
    (client) => {
      const httpAgent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
      closeAfterwards({ close: () => Promise.resolve(httpAgent.destroy()) });
      const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
      return (path, attemptTimeoutMs) => http.post(path, 'x', { fairlead: { attemptTimeoutMs } });
    },
  ],
  [
    'fetch',
    (client) => {
      const dispatcher = new Agent({ connections: 1, pipelining: 1 });
      closeAfterwards({ close: () => dispatcher.destroy() });
      const fetch = wrapFetch(client, { dispatcher });
      return (path, attemptTimeoutMs) =>
        fetch(`http://orders${path}`, {
          method: 'POST',
          body: 'x',
          fairlead: { attemptTimeoutMs },
        });
    },
  ],
  [
    'undici',
    (client) => {
      const agent = new Agent({ connections: 1, pipelining: 1 });
      closeAfterwards({ close: () => agent.destroy() });
      const dispatcher = agent.compose(fairleadInterceptor(client));
      return (path, attemptTimeoutMs) =>
        request(`http://orders${path}`, {
          method: 'POST',
          body: 'x',
          dispatcher,
          fairlead: { attemptTimeoutMs },
        });
    },
  ],
];

describe.each(CALLERS)('%s', (_name, caller) => {
  it('sends elsewhere what waited for a connection in vain, and the rest but once', async () => {
    let release: (() => void) | undefined;
    const answer: RequestListener = (request, response) => {
      const end = (): void => void response.end();
      if (request.url === '/first') release = end;
      else end();
    };
    const servers = [await serve(answer), await serve(answer)] as const;
    const post = caller(clientOver(servers));
    const first = post('/first');
    await vi.waitFor(() => expect(release).toBeDefined());
    const [busy, other] =
      servers[0].seen.length === 1 ? servers : ([servers[1], servers[0]] as const);
    await Promise.all([post('/1', 200), post('/2', 200)]); // one of them is meant for the busy one
    expect([...other.seen].sort()).toEqual(['POST /1', 'POST /2']);
    expect(busy.seen).toEqual(['POST /first']);
    release?.();
    await first;
    await Promise.all([post('/3'), post('/4')]);
    expect([...servers[0].seen, ...servers[1].seen].sort()).toEqual(
      ['/1', '/2', '/3', '/4', '/first'].map((path) => `POST ${path}`),
    );
  });
});

describe('axios', () => {
  const options = { attemptTimeoutMs: 100, retry: { maxAttempts: 2 }, breaker: false } as const;

  async function attemptsOf(spec: InstanceSpec, agents: object): Promise<unknown[]> {
    const discovery = memoryAdapter([spec]);
    const client = createClient({ service: 'orders', discovery, ...options });
    closeAfterwards(client);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders', ...agents }), client);
    const error: unknown = await http.post('/', 'x').catch((reason: unknown) => reason);
    return storyOf(error).attempts.map(({ ended }) => ended);
  }

  async function silentPort(): Promise<number> {
    const server = createServer((socket) => socket.on('error', () => undefined).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closeAfterwards({ close: () => Promise.resolve(void server.close()) });
    return (server.address() as AddressInfo).port;
  }

  it.each<[string, () => Promise<InstanceSpec>, object]>([
    [
      'whose name is being looked up',
      () => Promise.resolve({ host: 'orders-1.test', port: 80 }),
      { httpAgent: new HttpAgent({ lookup: () => undefined }) },
    ],
    [
      'in its TLS handshake',
      async () => ({ host: '127.0.0.1', port: await silentPort(), protocol: 'https' }),
      { httpsAgent: new HttpsAgent() },
    ],
  ])('repeats a POST over a connection %s', async (_what, spec, agents) => {
    expect(await attemptsOf(await spec(), agents)).toEqual(['timed-out', 'timed-out']);
  });

  it('does not where the connection stood', async () => {
    const spec = { host: '127.0.0.1', port: await silentPort() };
    expect(await attemptsOf(spec, { httpAgent: new HttpAgent() })).toEqual(['timed-out']);
  });

  it('nor where a redirect waits for one: the request before has been answered', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(307, { location: 'http://elsewhere.test/' }).end();
    });
    const agents = {
      httpAgent: new HttpAgent({ lookup: () => undefined }),
    };
    expect(await attemptsOf(server.spec, agents)).toEqual(['timed-out']);
    expect(server.seen).toHaveLength(1);
  });
});
