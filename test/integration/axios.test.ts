import { once } from 'node:events';
import { Agent, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import axios, { AxiosError, type AxiosInstance, CanceledError, isAxiosError } from 'axios';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import {
  type AttemptRecord,
  attemptsOf,
  type Classify,
  type Client,
  createClient,
  createClientPool,
  isFairleadError,
  storyOf,
} from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { collectUncaught } from '../support/promises.js';
import {
  clientOver,
  closeAfterwards,
  readBody,
  refusedPort,
  serve,
  type TestServer,
} from './servers.js';

const echo = (): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then((body) => {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          method: request.method,
          url: request.url,
          headers: request.headers,
          body,
        }),
      );
    });
  });
const failing = (status: number): Promise<TestServer> =>
  serve((_request, response) => {
    response.statusCode = status;
    response.end('{"failed":true}');
  });

describe('a wrapped axios instance', () => {
  it('is the same instance, with its type', async () => {
    const own = axios.create();
    const wrapped = wrapAxios(own, clientOver([await echo()]));
    expect(wrapped).toBe(own);
    expectTypeOf(wrapped).toEqualTypeOf<AxiosInstance>();
  });

  it('sends to an instance and keeps path, params, headers and body', async () => {
    const server = await echo();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders/v1/' }), clientOver([server]));
    const { data, config } = await http.post<Record<string, unknown>>(
      '/items',
      { a: 1 },
      { params: { q: 'x y' }, headers: { 'X-Own': 'yes' } },
    );
    expect(data).toMatchObject({ method: 'POST', url: '/v1/items?q=x+y', body: '{"a":1}' });
    expect(data['headers']).toMatchObject({ 'x-own': 'yes', 'content-type': 'application/json' });
    expect(config.baseURL).toBe('http://orders/v1/');
    expect(config.url).toBe('/items');
  });

  it('keeps interceptors and runs transformRequest once per call, not per attempt', async () => {
    const [bad, good] = [await failing(503), await echo()];
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([bad, good]));
    const transform = vi.fn((data: unknown) => data);
    const seen: unknown[] = [];
    http.interceptors.request.use((config) => {
      seen.push(config.url);
      return config;
    });
    http.interceptors.response.use((response) => ({ ...response, data: 'intercepted' }));
    for (let i = 0; i < 4; i++) {
      const { data } = await http.put<unknown>('/x', 'body', { transformRequest: [transform] });
      expect(data).toBe('intercepted');
    }
    expect(seen).toEqual(['/x', '/x', '/x', '/x']);
    expect(transform).toHaveBeenCalledTimes(4);
    expect(bad.seen.length).toBeGreaterThan(0); // some of the four were retried
  });

  it('retries an idempotent call elsewhere after a 5xx, a refusal and a cut connection', async () => {
    const cut = await serve((request) => request.socket.destroy());
    const servers = [await failing(500), { port: await refusedPort() }, cut, await echo()];
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver(servers, { retry: { maxAttempts: 4 } }),
    );
    for (let i = 0; i < 8; i++) expect((await http.get('/')).status).toBe(200);
    expect(cut.seen.length).toBeGreaterThan(0);
  });

  it('classifies by status whatever validateStatus says', async () => {
    const [bad, good] = [await failing(503), await echo()];
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders', validateStatus: () => true }),
      clientOver([bad, good]),
    );
    for (let i = 0; i < 4; i++) expect((await http.get('/')).status).toBe(200);
    expect(bad.seen.length).toBeGreaterThan(0);
  });

  it('never sends a POST twice that may have arrived, and says what happened', async () => {
    const servers = [await failing(503), await failing(503)];
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver(servers));
    const error: unknown = await http.post('/x', {}).catch((reason: unknown) => reason);
    expect(isAxiosError(error)).toBe(true);
    expect(error).toMatchObject({ code: AxiosError.ERR_BAD_RESPONSE, response: { status: 503 } });
    expect((error as AxiosError).config?.url).toBe('/x');
    expect((error as AxiosError).response?.config.url).toBe('/x');
    expect(attemptsOf(error)).toMatchObject([{ attempt: 1, outcome: 'failure' }]);
    expect(servers.flatMap(({ seen }) => seen)).toEqual(['POST /x']);
  });

  it.each([
    ['a name that is none', 'http://no-such-host.invalid/next'],
    ['an address that refuses', 'http://127.0.0.1:59998/next'],
  ])('never repeats a POST that was answered with a redirect to %s', async (_what, location) => {
    const answers = (): Promise<TestServer> =>
      serve((_request, response) => response.writeHead(303, { location }).end());
    const servers = [await answers(), await answers()];
    const client = clientOver(servers);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    await expect(http.post('/x', {})).rejects.toMatchObject({ isAxiosError: true });
    expect(servers.flatMap(({ seen }) => seen)).toEqual(['POST /x']);
    for (const { successRatio } of client.snapshot().instances) expect(successRatio).toBe(1);
  });

  it('keeps credentials over a redirect to the service itself', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/go') response.writeHead(302, { location: 'http://orders/end' });
      response.end(request.headers.authorization);
    });
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([server]));
    const headers = { Authorization: 'Bearer t' };
    expect((await http.get('/go', { headers })).data).toBe('Bearer t');
  });

  it('blames nobody for a reply beyond maxContentLength', async () => {
    const server = await serve((_request, response) => response.end('x'.repeat(1_000)));
    const client = clientOver([server]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    await expect(http.get('/', { maxContentLength: 10 })).rejects.toMatchObject({
      code: AxiosError.ERR_BAD_RESPONSE,
    });
    expect(server.seen).toHaveLength(1);
    expect(client.snapshot().instances[0]?.successRatio).toBe(1);
  });

  it('tells an outer call of its error, story and all', async () => {
    const inner = clientOver([await serve(() => undefined)]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), inner);
    const outer = clientOver([{ port: 1 }]);
    const error: unknown = await outer
      .call(() => http.get('/', { timeout: 50 }))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: AxiosError.ECONNABORTED });
    expect(attemptsOf(error)).toHaveLength(1);
  });

  it('rejects with an AxiosError when its pool is closed', async () => {
    const pool = createClientPool({ services: { orders: { discovery: memoryAdapter([]) } } });
    await pool.close();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), pool);
    await expect(http.get('/')).rejects.toMatchObject({
      isAxiosError: true,
      code: 'ERR_FAIRLEAD_CLOSED',
    });
  });

  it('names a wrong request option, and does not let an undefined one hide the timeout', async () => {
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver([await serve(() => undefined)]),
    );
    const odd = { idempotant: true } as object;
    await expect(http.get('/', { fairlead: odd })).rejects.toMatchObject({
      message: expect.stringContaining('"fairlead.idempotant"') as string,
    });
    await expect(
      http.get('/', { timeout: 60, fairlead: { timeoutMs: undefined } }),
    ).rejects.toMatchObject({ message: 'timeout of 60ms exceeded' });
  });

  it('lets a CancelToken end a response stream', async () => {
    const server = await serve((_request, response) => {
      response.write('part');
    });
    const client = clientOver([server]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const source = axios.CancelToken.source();
    const { data } = await http.get<Readable>('/', {
      responseType: 'stream',
      cancelToken: source.token,
    });
    data.resume();
    const ended = once(data, 'error').catch((error: unknown) => [error]);
    source.cancel('enough');
    await ended;
    expect(data.destroyed).toBe(true);
    await vi.waitFor(() => {
      expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
    });
  });

  it('does not take a reset on a reused connection for proof that a POST was not received', async () => {
    // Node marks it `reusedSocket`, as it does when the server had closed the idle connection before the request
    // came. The two look alike to the client, and here the server has read the POST.
    const cutsPosts = (): Promise<TestServer> =>
      serve((request, response) => {
        void readBody(request).then(() => {
          if (request.method === 'POST') request.socket.resetAndDestroy();
          else response.end();
        });
      });
    const servers = [await cutsPosts(), await cutsPosts()];
    const httpAgent = new Agent({ keepAlive: true });
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders', httpAgent }),
      clientOver(servers),
    );
    await http.get('/');
    await http.get('/');
    const error: unknown = await http.post('/x', {}).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ECONNRESET', request: { _currentRequest: {} } });
    const { reusedSocket } = (error as { request: { _currentRequest: { reusedSocket: boolean } } })
      .request._currentRequest;
    expect(reusedSocket).toBe(true);
    const posts = servers.flatMap(({ seen }) => seen).filter((line) => line.startsWith('POST'));
    expect(posts).toEqual(['POST /x']);
    httpAgent.destroy();
  });

  it('sends a POST again that was refused at connect', async () => {
    const good = await echo();
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver([{ port: await refusedPort() }, good]),
    );
    for (let i = 0; i < 4; i++) expect((await http.post('/x', { i })).status).toBe(200);
    expect(good.seen).toHaveLength(4);
  });

  it('retries a POST that carries an Idempotency-Key or is declared idempotent', async () => {
    const [bad, good] = [await failing(503), await echo()];
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([bad, good]));
    for (let i = 0; i < 4; i++) {
      await http.post('/key', {}, { headers: { 'Idempotency-Key': String(i) } });
      await http.post('/declared', {}, { fairlead: { idempotent: true } });
    }
    expect(bad.seen.length).toBeGreaterThan(0);
    expect(good.seen).toHaveLength(8);
  });

  it('never replays a stream body, not even one that was refused', async () => {
    const good = await echo();
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver([{ port: await refusedPort() }, good]),
    );
    const results = [];
    for (let i = 0; i < 2; i++) {
      results.push(
        await http
          .put<{ body: string }>('/x', Readable.from(['stream']))
          .then(({ data }) => data.body)
          .catch((error: unknown) => (error as AxiosError).code),
      );
    }
    expect(results.sort()).toEqual(['ECONNREFUSED', 'stream']);
    expect(good.seen).toHaveLength(1);
  });

  it('turns its own time limits into axios timeouts, over the whole call', async () => {
    const hanging = [await serve(() => undefined), await serve(() => undefined)];
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver(hanging));
    const started = performance.now();
    const error: unknown = await http.get('/', { timeout: 150 }).catch((e: unknown) => e);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(error).toMatchObject({
      code: AxiosError.ECONNABORTED,
      message: 'timeout of 150ms exceeded',
    });
    expect(isFairleadError((error as AxiosError).cause)).toBe(true);
    expect(attemptsOf(error)).toHaveLength(2);
    const clarified: unknown = await http
      .get('/', { timeout: 50, transitional: { clarifyTimeoutError: true } })
      .catch((e: unknown) => e);
    expect(clarified).toMatchObject({ code: AxiosError.ETIMEDOUT });
  });

  it('is cancelled by a signal and by a CancelToken, as axios errors, blaming nobody', async () => {
    const hanging = await serve(() => undefined);
    const client = clientOver([hanging]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const controller = new AbortController();
    const bySignal = http.get('/', { signal: controller.signal }).catch((e: unknown) => e);
    await sleep(30);
    controller.abort(new Error('enough'));
    // Raced, not timed: on a busy machine 10 ms may pass unused.
    const error = await Promise.race([bySignal, sleep(10)]);
    expect(error).toBeInstanceOf(CanceledError);
    expect((error as AxiosError).config?.url).toBe('/');
    expect((error as AxiosError).cause?.message).toBe('enough');

    const source = axios.CancelToken.source();
    const byToken = http.get('/', { cancelToken: source.token }).catch((e: unknown) => e);
    await sleep(30);
    source.cancel('stop it');
    expect(await byToken).toMatchObject({ message: 'stop it', code: AxiosError.ERR_CANCELED });
    expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
  });

  it('keeps an attempt in flight until its response stream ends', async () => {
    const flow = new PassThrough();
    const server = await serve((_request, response) => {
      response.write('first');
      flow.pipe(response);
    });
    const client = clientOver([server]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const { data } = await http.get<Readable>('/', { responseType: 'stream' });
    expect(client.snapshot()).toMatchObject({ inFlight: 0, instances: [{ pending: 1 }] });
    flow.end(' last');
    let text = '';
    for await (const chunk of data.setEncoding('utf8')) text += chunk as string;
    expect(text).toBe('first last');
    await vi.waitFor(() => {
      expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
    });
  });

  it('blames the instance for a stream it cuts, and nobody for one the reader leaves', async () => {
    const server = await serve((request, response) => {
      response.write('part');
      if (request.url === '/cut') setTimeout(() => response.destroy(), 20);
    });
    const client = clientOver([server]);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const left = await http.get<Readable>('/left', { responseType: 'stream' });
    left.data.destroy();
    await vi.waitFor(() => {
      expect(client.snapshot().instances[0]).toMatchObject({ pending: 0, successRatio: 1 });
    });
    const cut = await http.get<Readable>('/cut', { responseType: 'stream' });
    cut.data.resume();
    await once(cut.data, 'error');
    await vi.waitFor(() => {
      expect(client.snapshot().instances[0]).toMatchObject({
        pending: 0,
        successRatio: expect.closeTo(0.9, 1) as number, // it returns to 1 as time passes
      });
    });
  });

  it('follows relative redirects and redirects to the service name on the same instance', async () => {
    const server = await serve((request, response) => {
      const location = { '/relative': '/end', '/logical': 'http://orders/end' }[request.url ?? ''];
      if (location !== undefined) response.writeHead(302, { location });
      response.end('arrived');
    });
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([server]));
    expect((await http.get('/relative')).data).toBe('arrived');
    expect((await http.get('/logical')).data).toBe('arrived');
    expect(server.seen).toEqual(['GET /relative', 'GET /end', 'GET /logical', 'GET /end']);
  });

  it('leaves URLs of other hosts alone', async () => {
    const [service, other] = [await echo(), await echo()];
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([service]));
    expect((await http.get(`http://127.0.0.1:${String(other.port)}/x`)).status).toBe(200);
    expect(other.seen).toEqual(['GET /x']);
    expect(service.seen).toEqual([]);
  });

  it('sends through a pool to the service each host names', async () => {
    const [orders, users] = [await echo(), await echo()];
    const pool = createClientPool({
      services: {
        orders: { discovery: memoryAdapter([orders.spec]) },
        users: { discovery: memoryAdapter([users.spec]) },
      },
    });
    closeAfterwards(pool);
    const http = wrapAxios(axios.create(), pool);
    await http.get('http://orders/a');
    await http.get('http://USERS:8080/b');
    expect(orders.seen).toEqual(['GET /a']);
    expect(users.seen).toEqual(['GET /b']);
  });

  it('reports a service without instances as an AxiosError whose cause is typed', async () => {
    const client = createClient({ service: 'orders', discovery: memoryAdapter([]) });
    closeAfterwards(client);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const error: unknown = await http.get('/').catch((e: unknown) => e);
    expect(isAxiosError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_NO_INSTANCES', config: { url: '/' } });
    expect(isFairleadError((error as AxiosError).cause)).toBe(true);
  });

  it('keeps the agent the user configured', async () => {
    const server = await echo();
    const httpAgent = new Agent({ keepAlive: true });
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders', httpAgent }),
      clientOver([server]),
    );
    await http.get('/');
    expect(Object.keys(httpAgent.freeSockets)).toHaveLength(1);
    httpAgent.destroy();
  });

  it('warns once of axios-retry underneath', async () => {
    const server = await echo();
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([server]));
    http.interceptors.request.use((config) =>
      Object.assign(config, { 'axios-retry': { retryCount: 0 } }),
    );
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await http.get('/');
    await http.get('/');
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });

  it('takes options of a request, over those of the instance', async () => {
    const [bad, good] = [await failing(404), await echo()];
    const client = clientOver([bad, good], { hedge: { delayMs: 1, maxRatio: 1 } });
    const records: AttemptRecord[] = [];
    const http = wrapAxios(
      axios.create({
        baseURL: 'http://orders',
        fairlead: { onAttempt: (record) => records.push(record), timeoutMs: 5_000, hedge: false },
      }),
      client,
    );
    const classify: Classify = (settled) => {
      const missing = !settled.ok && isAxiosError(settled.error) && settled.error.status === 404;
      return missing ? { outcome: 'failure', retry: 'if-idempotent' } : undefined;
    };
    for (let i = 0; i < 2; i++) {
      expect((await http.get('/', { fairlead: { classify } })).status).toBe(200);
    }
    expect(bad.seen).toHaveLength(1);
    expect(records.map(({ kind, outcome }) => [kind, outcome])).toEqual(
      expect.arrayContaining([
        ['first', 'failure'],
        ['retry', 'success'],
        ['first', 'success'],
      ]),
    );
    expect(records).toHaveLength(3);
  });

  it.each(['timeoutMs', 'attemptTimeoutMs', 'hedge', 'classify', 'onAttempt'])(
    'names the option %s of a request when it is wrong',
    async (name) => {
      const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), clientOver([{ port: 1 }]));
      await expect(http.get('/', { fairlead: { [name]: 'wrong' } })).rejects.toMatchObject({
        code: 'ERR_FAIRLEAD_INVALID_OPTION',
        message: expect.stringContaining(`.${name}" must be`) as string,
      });
    },
  );

  it("tells with axios's own error and with one of Fairlead's that the budget was used up", async () => {
    const retry = { budget: { ratio: 0, minPerSecond: 0 } };
    const servers = [await failing(503), await failing(503)];
    const http = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver(servers, { retry }),
    );
    const own: unknown = await http.get('/').catch((error: unknown) => error);
    expect(own).toMatchObject({ code: AxiosError.ERR_BAD_RESPONSE, config: { url: '/' } });
    expect(storyOf(own)).toMatchObject({ attempts: [{ attempt: 1 }], budgetExhausted: true });

    const hanging = [await serve(() => undefined), await serve(() => undefined)];
    const slow = wrapAxios(
      axios.create({ baseURL: 'http://orders' }),
      clientOver(hanging, { retry, attemptTimeoutMs: 30 }),
    );
    const made: unknown = await slow.get('/').catch((error: unknown) => error);
    expect(made).toMatchObject({
      code: AxiosError.ECONNABORTED,
      cause: { code: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT', budgetExhausted: true },
    });
    expect(storyOf(made)).toMatchObject({
      attempts: [{ attempt: 1, ended: 'timed-out' }],
      budgetExhausted: true,
    });
    expect(storyOf(await slow.post('/').catch((error: unknown) => error))).toMatchObject({
      budgetExhausted: false, // it would not have been retried anyway
    });
  });

  it('rejects with an AxiosError when too much is under way', async () => {
    const server = await serve(() => undefined);
    const client = clientOver([server], { maxConcurrency: { client: 1, queueSize: 0 } });
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    const controller = new AbortController();
    const first = http.get('/', { signal: controller.signal }).catch((error: unknown) => error);
    await vi.waitFor(() => expect(server.seen).toHaveLength(1));
    const error: unknown = await http.get('/').catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      isAxiosError: true,
      code: 'ERR_FAIRLEAD_CONCURRENCY_LIMIT',
      config: { url: '/' },
      cause: { code: 'ERR_FAIRLEAD_CONCURRENCY_LIMIT' },
    });
    expect(storyOf(error)).toEqual({ attempts: [], budgetExhausted: false });
    expect(server.seen).toHaveLength(1);
    controller.abort();
    await first;
  });

  it('refuses what is no axios instance or no client', () => {
    const client = clientOver([]);
    expect(() => wrapAxios({} as AxiosInstance, client)).toThrow(
      /"axios" must be an axios instance/,
    );
    expect(() => wrapAxios(axios.create(), {} as Client)).toThrow(/"target" must be a Client/);
  });
});

describe('an axios attempt that is not waited for', () => {
  const CUT = { attemptTimeoutMs: 60 };
  const HEDGED = { hedge: { delayMs: 30, maxRatio: 1 } };
  const silent: RequestListener = () => undefined;
  const halfway: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('part');
  };

  it.each([
    ['cut before the headers', CUT, silent, 'failure'],
    ['cut in the body', CUT, halfway, 'failure'],
    ['a loser before the headers', HEDGED, silent, 'ignored'],
    ['a loser in the body', HEDGED, halfway, 'ignored'],
  ])('%s, has its connection closed', async (_what, options, handler, outcome) => {
    const cut: Socket[] = [];
    const slow = await serve((request, response) => {
      cut.push(request.socket);
      handler(request, response);
    });
    const quick = await echo();
    const httpAgent = new Agent({ keepAlive: true });
    const client = clientOver([slow, quick], options);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent }), client);
    const records: AttemptRecord[] = [];
    const transformResponse = vi.fn((data: unknown) => data);
    const uncaught = await collectUncaught(async () => {
      for (let i = 0; i < 2; i++) {
        const onAttempt = (record: AttemptRecord): number => records.push(record);
        const fairlead = { onAttempt };
        const { status, config } = await http.get('/x', { fairlead, transformResponse });
        expect(status).toBe(200);
        expect(config.url).toBe('/x');
      }
      await vi.waitFor(() => expect(cut.map(({ destroyed }) => destroyed)).toEqual([true]));
    });
    expect(uncaught).toEqual([]);
    expect(transformResponse).toHaveBeenCalledTimes(2);
    expect(records.find(({ ended }) => ended !== 'returned')).toMatchObject({ outcome });
    const key = (port: number): string => `127.0.0.1:${port}:`;
    const { sockets, freeSockets } = httpAgent;
    expect(Object.keys({ ...sockets, ...freeSockets })).toEqual([key(quick.port)]);
    expect(client.snapshot()).toMatchObject({
      inFlight: 0,
      instances: [{ pending: 0 }, { pending: 0 }],
    });
    httpAgent.destroy();
  });

  it('leaves the other its stream', async () => {
    const slow = await serve(() => undefined);
    const quick = await serve((_request, response) => {
      response.write('first');
      setTimeout(() => response.end(' last'), 100);
    });
    const client = clientOver([slow, quick], HEDGED);
    const http = wrapAxios(axios.create({ baseURL: 'http://orders' }), client);
    for (let i = 0; i < 2; i++) {
      const { data } = await http.get<Readable>('/', { responseType: 'stream' });
      let text = '';
      for await (const chunk of data.setEncoding('utf8')) text += chunk as string;
      expect(text).toBe('first last');
    }
    expect(slow.seen).toHaveLength(1);
  });
});
