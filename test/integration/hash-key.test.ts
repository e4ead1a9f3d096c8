import axios, { type AxiosInstance } from 'axios';
import { describe, expect, it, vi } from 'vitest';
import { type HashKey, wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { type Client, InvalidOptionError, type Policy } from '../../src/index.js';
import { clientOver, readBody, refusedPort, serve, type TestServer } from './servers.js';

const answering = (status: number): Promise<TestServer> =>
  serve((request, response) => {
    response.statusCode = status;
    void readBody(request).then(() => response.end());
  });

/** A client whose policy takes the first untried instance and notes the key of every pick. */
function recorded(servers: readonly { readonly port: number }[]): {
  readonly client: Client;
  readonly keys: (string | undefined)[];
} {
  const keys: (string | undefined)[] = [];
  const policy: Policy = {
    name: 'recording',
    build: (candidates) => ({
      pick: ({ hashKey, excluded }) => {
        keys.push(hashKey);
        return candidates.find(({ instance }) => !excluded.has(instance.id));
      },
    }),
  };
  return { client: clientOver(servers, { policy, retry: { maxAttempts: 3 } }), keys };
}

const HEADERS = { 'X-User-Id': 'u7', Cookie: 'a=1; session="s7"; b=2' };

/** What each form makes of `http://orders/v1/items?user=q7` with these headers. */
const FORMS: [string, HashKey, string | undefined][] = [
  ['the path', 'path', '/v1/items'],
  ['a header', { header: 'x-user-id' }, 'u7'],
  ['an absent header', { header: 'x-other' }, undefined],
  ['a cookie', { cookie: 'session' }, 's7'],
  ['an absent cookie', { cookie: 'other' }, undefined],
  ['a parameter', { query: 'user' }, 'q7'],
  ['an absent parameter', { query: 'other' }, undefined],
  [
    'a function',
    ({ method, url, header }) => `${method} ${url.href} ${header('x-user-id') ?? ''}`,
    'GET http://orders/v1/items?user=q7 u7',
  ],
];

describe('the hash key of a wrapped axios', () => {
  async function sending(
    hashKey: HashKey | undefined,
    servers?: readonly { readonly port: number }[],
  ): Promise<{ readonly http: AxiosInstance; readonly keys: (string | undefined)[] }> {
    const { client, keys } = recorded(servers ?? [await answering(200)]);
    const http = axios.create({ baseURL: 'http://orders/v1' });
    return { http: wrapAxios(http, client, { hashKey }), keys };
  }

  it.each(FORMS)('is made of %s, baseURL and params included', async (_what, hashKey, key) => {
    const { http, keys } = await sending(hashKey);
    await http.get('items', { params: { user: 'q7' }, headers: HEADERS });
    expect(keys).toEqual([key]);
  });

  it('is made of the query that is sent, however its params are written', async () => {
    const server = await answering(200);
    const { http, keys } = await sending(({ url }) => url.search, [server]);
    http.defaults.params = { all: 'dropped below' };
    http.interceptors.request.use((config) => {
      delete (config.params as { all?: string }).all;
      return config;
    });
    await http.get('/x?own=1#part', { params: { user: ['a', 'b'] } });
    await http.get('/x', { params: new URLSearchParams({ user: 'c d' }) });
    await http.get('/x', { params: { user: 'e' }, paramsSerializer: () => 'user=mine' });
    await http.get('/x', { params: { user: ['e', 'f'] }, paramsSerializer: { indexes: null } });
    expect(keys.slice(1)).toEqual(['?user=c+d', '?user=mine', '?user=e&user=f']);
    expect(server.seen).toEqual(keys.map((search) => `GET /v1/x${search ?? ''}`));
  });

  it('is made of headers as axios sends them', async () => {
    const { http, keys } = await sending({ header: 'x-user-id' });
    http.interceptors.request.use((config) => {
      if (config.url === '/number') (config.headers as { 'X-User-Id'?: unknown })['X-User-Id'] = 7;
      return config;
    });
    await http.get('/number');
    await http.get('/list', { headers: { 'x-user-id': ['a', 'b'] } });
    await http.get('/none', { headers: { 'x-user-id': false } });
    await http.get('/none', { headers: { 'x-user-id': null } });
    expect(keys).toEqual(['7', 'a, b', undefined, undefined]);
  });

  it('is found in a list of cookies', async () => {
    const { http, keys } = await sending({ cookie: 'session' });
    await http.get('/', { headers: { Cookie: ['a=1', 'session=s7'] } });
    expect(keys).toEqual(['s7']);
  });

  it("gives way to the request's own, and is then not even made", async () => {
    const hashKey = vi.fn(() => 'wrapper');
    const { http, keys } = await sending(hashKey);
    await http.get('/', { fairlead: { hashKey: 'own' } });
    expect(hashKey).not.toHaveBeenCalled();
    await http.get('/', { fairlead: { hashKey: undefined } });
    await http.get('/');
    expect(keys).toEqual(['own', 'wrapper', 'wrapper']);
  });

  it('is made once per call: all its attempts have the same', async () => {
    let calls = 0;
    const servers = [{ port: await refusedPort() }, await answering(503), await answering(200)];
    const { http, keys } = await sending(() => `call ${++calls}`, servers);
    expect((await http.get('/')).status).toBe(200);
    expect(keys).toEqual(['call 1', 'call 1', 'call 1']);
  });

  it('is none where neither is given', async () => {
    const { http, keys } = await sending(undefined);
    await http.get('/', { headers: HEADERS });
    expect(keys).toEqual([undefined]);
  });

  it('is not asked of a request that goes elsewhere', async () => {
    const hashKey = vi.fn(() => 'k');
    const { http, keys } = await sending(hashKey);
    const other = await answering(200);
    await http.get(`http://127.0.0.1:${other.port}/x`);
    expect(hashKey).not.toHaveBeenCalled();
    expect(keys).toEqual([]);
  });

  it('cannot be spoiled: its URL is a copy', async () => {
    const server = await answering(200);
    const { http } = await sending(
      ({ url }) => {
        url.host = 'elsewhere.invalid';
        url.pathname = '/changed';
        return url.href;
      },
      [server],
    );
    await http.get('/x');
    expect(server.seen).toEqual(['GET /v1/x']);
  });

  it("rejects with the function's own error, and sends nothing", async () => {
    const own = new RangeError('own');
    const server = await answering(200);
    const { http, keys } = await sending(() => {
      throw own;
    }, [server]);
    await expect(http.get('/')).rejects.toBe(own);
    expect(keys).toEqual([]);
    expect(server.seen).toEqual([]);
  });

  it('rejects with a typed cause when it is no string', async () => {
    const { http } = await sending((() => 7) as unknown as HashKey);
    const error: unknown = await http.get('/').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ isAxiosError: true, code: 'ERR_FAIRLEAD_INVALID_OPTION' });
    expect((error as Error).cause).toBeInstanceOf(InvalidOptionError);
    expect((error as Error).cause).toMatchObject({ option: 'wrapAxios.hashKey()', value: 7 });
  });

  it.each([
    [{ hashKey: { header: '' } }, 'wrapAxios.hashKey.header'],
    [{ hashKey: null }, 'wrapAxios.hashKey'],
    [{ hashkey: 'path' }, 'wrapAxios.hashkey'],
    [null, 'wrapAxios'],
  ])('is refused at once when given as %j', (options, option) => {
    const wrap = (): unknown => wrapAxios(axios.create(), clientOver([]), options as object);
    expect(wrap).toThrow(InvalidOptionError);
    expect(wrap).toThrow(`"${option}"`);
  });
});

describe('the hash key of a wrapped fetch', () => {
  async function sending(
    hashKey: HashKey | undefined,
    servers?: readonly { readonly port: number }[],
  ): Promise<{ readonly fetch: typeof fetch; readonly keys: (string | undefined)[] }> {
    const { client, keys } = recorded(servers ?? [await answering(200)]);
    return { fetch: wrapFetch(client, { hashKey }), keys };
  }

  it.each(FORMS)('is made of %s', async (_what, hashKey, key) => {
    const { fetch, keys } = await sending(hashKey);
    const url = 'http://orders/v1/items?user=q7';
    await fetch(url, { headers: HEADERS });
    await fetch(new URL(url), { headers: new Headers(HEADERS) });
    await fetch(new Request(url, { headers: HEADERS }));
    expect(keys).toEqual([key, key, key]);
  });

  it('takes method and headers of `init` before those of a Request, as fetch does', async () => {
    const { fetch, keys } = await sending(({ method, header }) =>
      [method, header('x-user-id') ?? '-', header('cookie') ?? '-'].join(' '),
    );
    const request = new Request('http://orders/', { method: 'put', headers: HEADERS });
    await fetch(request, { method: 'delete', headers: { 'x-user-id': 'other' } });
    await fetch(request);
    expect(keys).toEqual(['DELETE other -', 'PUT u7 a=1; session="s7"; b=2']);
  });

  it('is made once per call: all its attempts have the same', async () => {
    let calls = 0;
    const servers = [{ port: await refusedPort() }, await answering(503), await answering(200)];
    const { fetch, keys } = await sending(() => `call ${++calls}`, servers);
    expect((await fetch('http://orders/')).status).toBe(200);
    expect(keys).toEqual(['call 1', 'call 1', 'call 1']);
  });

  it.each<[string, HashKey, string | undefined]>([
    ['a cookie', { cookie: 'session' }, 's7'],
    ['a header', { header: 'x-user-id' }, 'u7'],
    ['the path', 'path', '/end'],
    ['a parameter', { query: 'user' }, undefined],
  ])('of %s is made anew for a redirect that is a call of its own', async (_what, hashKey, key) => {
    const server = await serve((request, response) => {
      if (request.url?.startsWith('/go') === true) response.writeHead(303, { location: '/end' });
      response.end();
    });
    const { fetch, keys } = await sending(hashKey, [server]);
    await fetch('http://orders/go?user=q7', { method: 'POST', headers: HEADERS });
    expect(server.seen).toEqual(['POST /go?user=q7', 'GET /end']);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBeDefined();
    expect(keys[1]).toBe(key);
  });

  it('is none where none is asked for', async () => {
    const { fetch, keys } = await sending(undefined);
    await fetch('http://orders/', { headers: HEADERS });
    expect(keys).toEqual([undefined]);
  });

  it('cannot be spoiled: its URL is a copy', async () => {
    const server = await answering(200);
    const { fetch } = await sending(({ url }) => (url.pathname = '/changed'), [server]);
    await fetch('http://orders/x');
    expect(server.seen).toEqual(['GET /x']);
  });

  it("rejects with the function's own error, and sends nothing", async () => {
    const own = new RangeError('own');
    const server = await answering(200);
    const { fetch } = await sending(() => {
      throw own;
    }, [server]);
    await expect(fetch('http://orders/')).rejects.toBe(own);
    expect(server.seen).toEqual([]);
  });

  it('rejects with a typed cause when it is no string', async () => {
    const { fetch } = await sending((() => null) as unknown as HashKey);
    const error: unknown = await fetch('http://orders/').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).cause).toMatchObject({ option: 'wrapFetch.hashKey()', value: null });
  });

  it.each([
    [{ hashKey: { cookie: 'a b' } }, 'wrapFetch.hashKey.cookie'],
    [{ hashKey: 'header' }, 'wrapFetch.hashKey'],
    [{ hashkey: 'path' }, 'wrapFetch.hashkey'],
  ])('is refused at once when given as %j', (options, option) => {
    const wrap = (): unknown => wrapFetch(clientOver([]), options as object);
    expect(wrap).toThrow(InvalidOptionError);
    expect(wrap).toThrow(`"${option}"`);
  });
});
