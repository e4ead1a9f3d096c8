/** What a wrapped axios sends where, and what it leaves alone. */
import { Agent, createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ReadableStream } from 'node:stream/web';
import axios, { AxiosError, type AxiosInstance, type AxiosResponse, isAxiosError } from 'axios';
import axiosRetry from 'axios-retry';
import { describe, expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { attemptsOf, createClientPool, isFairleadError } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import {
  clientOver,
  closeAfterwards,
  readBody,
  refusedPort,
  serve,
  type TestServer,
} from './servers.js';

interface Echo {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const echo = (): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then((body) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ url: request.url, headers: request.headers, body }));
    });
  });

/** The URL that a response came from, as axios's `http` adapter has it. */
function responseUrl({ request }: AxiosResponse): unknown {
  return (request as { readonly res?: { readonly responseUrl?: unknown } }).res?.responseUrl;
}

async function caught(call: Promise<unknown>): Promise<AxiosError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isAxiosError(error)) throw new Error('no AxiosError', { cause: error });
  return error;
}

describe.each(['http', 'fetch'])('axios over its %s adapter', (adapter) => {
  const wrapped = (servers: readonly { readonly port: number }[], baseURL = 'http://orders') =>
    wrapAxios(axios.create({ adapter, baseURL }), clientOver(servers));

  it('names the service in the Host header, with the port that was asked for', async () => {
    const server = await echo();
    const http = wrapped([server]);
    expect((await http.get<Echo>('/x')).data.headers['host']).toBe('orders');
    expect((await http.get<Echo>('http://orders:8080/x')).data.headers['host']).toBe('orders:8080');
    expect(server.seen).toHaveLength(2);
  });

  it("does with a Host header of the user's what it does by itself", async () => {
    const server = await echo();
    const headers = { Host: 'shop.example' };
    const { data } = await wrapped([server]).get<Echo>('/x', { headers });
    const direct = `http://127.0.0.1:${String(server.port)}/x`;
    const bare = await axios.get<Echo>(direct, { adapter, headers });
    const isKept = bare.data.headers['host'] === 'shop.example'; // fetch drops it
    expect(data.headers['host']).toBe(isKept ? 'shop.example' : 'orders');
    expect(isKept).toBe(adapter === 'http');
  });

  it('goes by no proxy to an instance', async () => {
    const proxy = await serve((_request, response) => response.end('proxied'));
    const url = `http://127.0.0.1:${String(proxy.port)}`;
    vi.stubEnv('http_proxy', url);
    vi.stubEnv('HTTP_PROXY', url);
    const http = wrapped([await echo()]);
    const own = { host: '127.0.0.1', port: proxy.port };
    try {
      expect((await http.get<Echo>('/x')).data.url).toBe('/x');
      expect((await http.get<Echo>('/y', { proxy: own })).data.url).toBe('/y');
    } finally {
      vi.unstubAllEnvs();
    }
    expect(proxy.seen).toEqual([]);
  });

  it('does not take a status that axios rejects for a failure, and the other way round', async () => {
    const missing = await serve((_request, response) => response.writeHead(404).end());
    const failing = await serve((_request, response) => response.writeHead(503).end());
    const client = clientOver([missing]);
    const http = wrapAxios(axios.create({ adapter, baseURL: 'http://orders' }), client);
    const error = await caught(http.get('/'));
    expect(error.response?.status).toBe(404);
    expect(missing.seen).toHaveLength(1);
    expect(client.snapshot().instances[0]?.successRatio).toBe(1);

    const { status, config } = await wrapped([failing, failing]).get('/', {
      validateStatus: () => true,
    });
    expect(status).toBe(503);
    expect(config.url).toBe('/');
    expect(failing.seen.length).toBeGreaterThan(1);
  });

  it("tells of errors with the request's own config", async () => {
    const http = wrapped([{ port: await refusedPort() }]);
    const error = await caught(http.get('/x', { params: { a: 1 }, maxRedirects: 3 }));
    expect(error.config).toMatchObject({
      baseURL: 'http://orders',
      url: '/x',
      params: { a: 1 },
      maxRedirects: 3,
    });
    expect(error.config).not.toHaveProperty('httpAgent');
    expect(error.config).not.toHaveProperty('fetchOptions');
    expect(error.toJSON()).toMatchObject({ config: { url: '/x' } });
    expect(attemptsOf(error).length).toBeGreaterThan(0);
  });

  it('sends every body whole, and again', async () => {
    const good = await echo();
    const http = wrapped([{ port: await refusedPort() }, good]);
    const form = new FormData();
    form.set('field', 'value');
    form.set('file', new Blob(['in the file']), 'a.txt');
    const bodies: [unknown, RegExp][] = [
      [Buffer.from('bytes'), /^bytes$/],
      ['text', /^text$/],
      [{ a: 1 }, /^\{"a":1\}$/],
      [new URLSearchParams({ q: 'x y' }), /^q=x\+y$/],
      [new Blob(['blob']), /^blob$/],
      [form, /name="field"\r\n\r\nvalue\r\n.*in the file/s],
    ];
    for (const [body, expected] of bodies) {
      // One of the two goes to the port that refuses first.
      for (let i = 0; i < 2; i++)
        expect((await http.put<Echo>('/', body)).data.body).toMatch(expected);
    }
    expect(good.seen).toHaveLength(2 * bodies.length);
  });

  it('makes the limit of the call of `timeout`, text too, in the words of axios', async () => {
    const http = wrapped([await serve(() => undefined)]);
    expect(await caught(http.get('/', { timeout: '40' as unknown as number }))).toMatchObject({
      code: AxiosError.ECONNABORTED,
      message: 'timeout of 40ms exceeded',
    });
    expect(
      await caught(http.get('/', { timeout: 40, timeoutErrorMessage: 'too slow' })),
    ).toMatchObject({ message: 'too slow' });
    expect(await caught(http.get('/', { timeout: {} as number }))).toMatchObject({
      code: AxiosError.ERR_BAD_OPTION_VALUE,
    });
  });
});

describe('a wrapped axios', () => {
  it('has responses that come from the logical URL, redirected or not', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/go') response.writeHead(302, { location: '/end' });
      response.end();
    });
    const httpAgent = new Agent({ keepAlive: true });
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders', httpAgent }),
      clientOver([server]),
    );
    const response = await http.get('/x');
    expect(responseUrl(response)).toBe('http://orders/x');
    expect(response.request).toMatchObject({ host: 'orders', agent: httpAgent });
    expect(responseUrl(await http.get('/go'))).toBe('http://orders/end');
    httpAgent.destroy();
  });

  it.each([false, undefined, null])('takes %j for an agent as Node does', async (httpAgent) => {
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders', httpAgent }),
      clientOver([await echo()]),
    );
    expect((await http.get<Echo>('/x')).data.url).toBe('/x');
  });

  it('reads every URL that axios reads as one of the service', async () => {
    const server = await echo();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders/v1/' }), clientOver([server]));
    await http.get('/a');
    await http.get('', {});
    await http.get('http://other.invalid/b', { allowAbsoluteUrls: false });
    await http.get('c', { params: { q: [1, 2] }, paramsSerializer: { indexes: null } });
    expect(server.seen).toEqual([
      'GET /v1/a',
      'GET /v1/',
      'GET /v1/http://other.invalid/b',
      'GET /v1/c?q=1&q=2',
    ]);
    expect(await caught(http.get('http:orders/x'))).toMatchObject({ code: 'ERR_INVALID_URL' });
  });

  it('sends the credentials of a URL, and those of `auth`', async () => {
    const http = wrapAxios(axios.create(), clientOver([await echo()]));
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    const inUrl = await http.get<Echo>('http://me:p%40ss@orders/');
    expect(inUrl.data.headers['authorization']).toBe(basic('me:p@ss'));
    const auth = { username: 'you', password: 'word' };
    const inConfig = await http.get<Echo>('http://orders/', { auth });
    expect(inConfig.data.headers['authorization']).toBe(basic('you:word'));
  });

  it.runIf(process.platform !== 'win32')('leaves a request to a Unix socket alone', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-socket-'));
    const socketPath = path.join(folder, 'socket');
    const server = createServer((_request, response) => response.end('by the socket'));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const instance = await echo();
    const http = wrapAxios(axios.create(), clientOver([instance]), { strict: true });
    expect((await http.get('http://orders/x', { socketPath })).data).toBe('by the socket');
    expect(instance.seen).toEqual([]);
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('gives an adapter of another kind the address, and the service as Host', async () => {
    const server = await echo();
    const asked: unknown[] = [];
    const adapter = axios.getAdapter('http');
    const http = wrapAxios(
      axios.create({
        baseURL: 'http://orders',
        adapter: (config) => {
          asked.push(config.url);
          return adapter(config);
        },
      }),
      clientOver([server]),
    );
    expect((await http.get<Echo>('/x')).data.headers['host']).toBe('orders');
    expect(asked).toEqual([`http://127.0.0.1:${String(server.port)}/x`]);
  });

  it('gives the address to a fetch that is not the global one', async () => {
    const server = await echo();
    const asked: string[] = [];
    const own: typeof fetch = (input, init) => {
      asked.push(input instanceof Request ? input.url : String(input));
      return fetch(input, init);
    };
    const env = { fetch: own } as AxiosInstance['defaults']['env'];
    const config = { baseURL: 'http://orders', adapter: 'fetch', ...(env && { env }) };
    const http = wrapAxios(axios.create(config), clientOver([server]));
    expect((await http.get<Echo>('/x')).data.url).toBe('/x');
    expect(asked).toEqual([`http://127.0.0.1:${String(server.port)}/x`]);
  });

  it('routes a request that brings an adapter of its own, and leaves its config as it was', async () => {
    const server = await echo();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([server]));
    const { data, config } = await http.get<ReadableStream>('/x', {
      adapter: 'fetch',
      responseType: 'stream',
    });
    expect(data).toHaveProperty('getReader'); // of the fetch adapter
    await data.cancel();
    expect(config.adapter).toBe('fetch');
    expect(server.seen).toEqual(['GET /x']);
  });

  it('leaves an adapter be that an interceptor put in, to answer from a cache', async () => {
    const client = clientOver([await echo()]);
    const call = vi.spyOn(client, 'call');
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    http.interceptors.request.use((config) => {
      config.adapter = (asked) =>
        Promise.resolve({
          data: 'cached',
          status: 200,
          statusText: '',
          headers: {},
          config: asked,
        });
      return config;
    });
    expect((await http.get('/x')).data).toBe('cached');
    expect(call).not.toHaveBeenCalled();
  });

  it('is not wrapped twice, nor is what it created', () => {
    const http = wrapAxios(axios.create(), clientOver([]));
    const refused =
      'Option "axios" must be an axios instance that is not wrapped yet; this one is, or was made by one that is. For several services wrap it once, with a client pool.';
    expect(() => wrapAxios(http, clientOver([]))).toThrow(refused);
    const child = axios.create({ adapter: http.defaults.adapter ?? 'http' });
    expect(() => wrapAxios(child, clientOver([]))).toThrow(refused);
  });
});

describe('a strict axios', () => {
  it('refuses hosts that are no service, and URLs that are none', async () => {
    const other = await echo();
    const http = wrapAxios(axios.create(), clientOver([await echo()]), { strict: true });
    for (const url of [`http://127.0.0.1:${String(other.port)}/x`, '/relative', '//orders/x']) {
      const error = await caught(http.get(url));
      expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_UNKNOWN_HOST', config: { url } });
      expect(isFairleadError(error.cause)).toBe(true);
    }
    expect(other.seen).toEqual([]);
    expect((await http.get('http://orders/x')).status).toBe(200);
    expect(String((await http.get('data:text/plain,hello')).data)).toBe('hello');
  });
});

describe('axios-retry on a wrapped axios', () => {
  it.each(['before', 'after'])('put on %s is warned of once per process', async (when) => {
    vi.resetModules();
    const fresh = await import('../../src/clients/axios.js'); // warns once, so each case has its own
    const http = axios.create({ baseURL: 'http://orders' });
    if (when === 'before') axiosRetry(http);
    fresh.wrapAxios(http, clientOver([await echo()]));
    if (when === 'after') axiosRetry(http);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await http.get('/');
    await http.get('/');
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[1]).toMatchObject({ code: 'FAIRLEAD_AXIOS_RETRY' });
    warned.mockRestore();
  });
});

describe('an axios over a pool', () => {
  it('is redirected from one service to an instance of another', async () => {
    const orders = await serve((_request, response) =>
      response.writeHead(307, { location: 'http://users/end' }).end(),
    );
    const users = await echo();
    const pool = createClientPool({
      services: {
        orders: { discovery: memoryAdapter([orders.spec]) },
        users: { discovery: memoryAdapter([users.spec]) },
      },
    });
    closeAfterwards(pool);
    await pool.client('users').ready();
    for (const adapter of ['http', 'fetch']) {
      const http = wrapAxios(axios.create({ adapter, baseURL: 'http://orders' }), pool, {
        strict: true,
        deadlineHeader: true,
      });
      const headers = { Authorization: 'Bearer t' };
      const { data } = await http.post<Echo>('/go', 'text', { headers });
      expect(data).toMatchObject({ url: '/end', body: 'text', headers: { host: 'users' } });
      expect(data.headers).not.toHaveProperty('authorization');
      expect(data.headers).not.toHaveProperty('x-request-timeout-ms');
    }
    expect(pool.client('users').snapshot().instances).toMatchObject([{ pending: 0 }]);
  });
});
