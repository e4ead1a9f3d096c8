/** Options of axios's own below a wrapped axios: they are there still. And redirects to services of other lists. */
import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import axios from 'axios';
import { describe, expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { createClientPool } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { clientOver, closeAfterwards, readBody, refusedPort, serve } from './servers.js';

const BIG = 'x'.repeat(200_000);
const big = () =>
  serve((request, response) => {
    void readBody(request).then((body) => {
      response.setHeader('content-length', BIG.length);
      response.end(body === BIG || body === '' ? BIG : '');
    });
  });

describe('options of axios', () => {
  it('tells of the progress of bodies, and keeps to their rate', async () => {
    const http = wrapAxios(axios.create(), clientOver([await big()]));
    const [up, down] = [vi.fn(), vi.fn()];
    const { data } = await http.put<string>('http://orders/', BIG, {
      onUploadProgress: up,
      onDownloadProgress: down,
      maxRate: [10_000_000, 10_000_000],
    });
    expect(data).toBe(BIG);
    for (const heard of [up, down]) {
      await vi.waitFor(() => {
        expect(heard.mock.lastCall?.[0]).toMatchObject({ loaded: BIG.length, total: BIG.length });
      });
    }
  });

  it('unpacks answers unless it is told not to', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed'));
    });
    const http = wrapAxios(axios.create(), clientOver([server]));
    expect((await http.get<string>('http://orders/')).data).toBe('packed');
    const { data } = await http.get<Buffer>('http://orders/', {
      decompress: false,
      responseType: 'arraybuffer',
    });
    expect(data).toEqual(gzipSync('packed'));
  });

  it('goes past the proxies that an agent was made to heed, by the same agent each time', async () => {
    const server = await big();
    const nowhere = `http://127.0.0.1:${String(await refusedPort())}`;
    class ProxyingAgent extends Agent {
      constructor(options: object) {
        super({ keepAlive: true, ...options });
        made.push(this);
      }
      // As that of Node 24 does: it connects to the proxy.
      override createConnection(...args: Parameters<Agent['createConnection']>) {
        const { proxyEnv } = (this as unknown as { options: { proxyEnv?: object } }).options;
        if (proxyEnv !== undefined) throw new Error('by way of the proxy');
        return super.createConnection(...args);
      }
    }
    const made: ProxyingAgent[] = [];
    const httpAgent = new ProxyingAgent({ proxyEnv: { HTTP_PROXY: nowhere } });
    const http = wrapAxios(axios.create({ httpAgent }), clientOver([server]));
    for (let i = 0; i < 3; i++) await http.get('http://orders/');
    expect(server.seen).toHaveLength(3);
    expect(made).toHaveLength(2);
    for (const agent of made) agent.destroy();
  });

  it('ends the attempt of a stream that its reader drops', async () => {
    const server = await serve((_request, response) => response.write('first'));
    const client = clientOver([server]);
    const http = wrapAxios(axios.create(), client);
    const { data } = await http.get<Readable>('http://orders/', { responseType: 'stream' });
    expect(client.snapshot().instances[0]?.pending).toBe(1);
    data.destroy();
    await vi.waitFor(() => {
      expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
    });
  });
});

describe.each(['http', 'fetch'])('a redirect to another service over the %s adapter', (adapter) => {
  async function redirected(readyTimeoutMs = 10_000) {
    const orders = await serve((_request, response) =>
      response.writeHead(307, { location: 'http://users/end' }).end(),
    );
    const users = await big();
    const [listed, late] = [memoryAdapter([orders.spec]), memoryAdapter()];
    const pool = createClientPool({
      services: {
        orders: { discovery: listed, attemptTimeoutMs: 5_000 },
        users: { discovery: late, readyTimeoutMs },
      },
    });
    closeAfterwards(pool);
    const httpAgent = new Agent({ keepAlive: true });
    closeAfterwards({
      close: () => {
        httpAgent.destroy();
        return Promise.resolve();
      },
    });
    const http = wrapAxios(axios.create({ adapter, httpAgent, baseURL: 'http://orders' }), pool);
    const client = pool.client('users');
    return { orders, users, late, http, client, httpAgent };
  }

  it('waits for its list', async () => {
    const { orders, users, late, http, client } = await redirected();
    const call = http.post<string>('/go', BIG);
    await vi.waitFor(() => expect(orders.seen).toHaveLength(1));
    expect(users.seen).toEqual([]);
    late.set([users.spec]);
    expect((await call).data).toBe(BIG);
    expect(users.seen).toEqual(['POST /end']);
    expect(client.snapshot().instances).toMatchObject([{ pending: 0, successRatio: 1 }]);
  });

  it('waits no longer than the call has', async () => {
    const { users, late, http, client } = await redirected();
    await expect(http.get('/go', { timeout: 100 })).rejects.toMatchObject({ code: 'ECONNABORTED' });
    late.set([users.spec]);
    await client.ready();
    expect((await http.get<string>('/go')).data).toBe(BIG);
    expect(users.seen).toEqual(['GET /end']);
    expect(client.snapshot().instances).toMatchObject([{ pending: 0 }]);
  });

  it('fails with what kept it waiting', async () => {
    const { http, users } = await redirected(50);
    await expect(http.get('/go')).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_NOT_READY' });
    expect(users.seen).toEqual([]);
  });

  it('is never sent in the clear where the list asks for TLS', async () => {
    const { http, orders, users, late, client } = await redirected();
    const call = http.get('/go').catch((error: unknown) => error);
    await vi.waitFor(() => expect(orders.seen).toHaveLength(1));
    late.set([{ ...users.spec, protocol: 'https' }]);
    expect(await call).toMatchObject({ isAxiosError: true }); // the server speaks no TLS
    expect(users.seen).toEqual([]);
    expect(client.snapshot().instances).toMatchObject([{ pending: 0 }]);
  });

  it.runIf(adapter === 'http')('closes the idle connection to it once it has drained', async () => {
    const { users, late, http, client, httpAgent } = await redirected();
    late.set([users.spec]);
    await client.ready();
    await http.get('/go');
    const idle = () =>
      Object.keys(httpAgent.freeSockets).filter((key) => key.includes(`:${String(users.port)}:`));
    await vi.waitFor(() => expect(idle()).toHaveLength(1));
    const other = await big();
    late.set([other.spec]);
    await vi.waitFor(() => expect(idle()).toEqual([]), 5_000);
  });
});
