import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  request as ask,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type HttpFaults, httpProxy, type HttpProxy, ManualClock } from '../../src/testing.js';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

interface Target {
  readonly url: string;
  /** Connections open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** `METHOD /path body` of requests that have wholly come. */
  readonly seen: string[];
  close(): Promise<unknown>;
}

async function targetOf(listener: RequestListener): Promise<Target> {
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.once('end', () => seen.push(`${request.method ?? ''} ${request.url ?? ''} ${body}`));
    listener(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): Promise<unknown> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  const target = { url: `http://127.0.0.1:${String(port)}`, sockets, seen, close };
  open.push(target);
  return target;
}

const answering =
  (body: string, headers: Record<string, string> = {}): RequestListener =>
  (_, response) => {
    response.writeHead(200, headers);
    response.end(body);
  };

/** Answers none of its requests until `answer` is called. */
function parking(): { listener: RequestListener; answer: (body: string) => void } {
  const parked = new Set<(body: string) => void>();
  return {
    listener: (_, response) => parked.add((body) => void response.end(body)),
    answer: (body) => {
      for (const end of parked) end(body);
      parked.clear();
    },
  };
}

async function proxyOf(target: Target, faults?: HttpFaults): Promise<HttpProxy> {
  const proxy = await httpProxy({ target: target.url });
  open.push({ close: () => proxy.close().catch(() => undefined) });
  if (faults !== undefined) proxy.set(faults);
  return proxy;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** How the body broke off. */
  readonly broke: string | undefined;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

function get(url: string, { body, ...options }: Asking = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = ask(url, { agent: false, ...options }, (reply) => {
      let text = '';
      reply.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const end = (broke?: string) => (): void =>
        resolve({ status: reply.statusCode, headers: reply.headers, body: text, broke });
      reply.once('end', end());
      reply.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message)());
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

describe('without faults', () => {
  it('passes on method, path, headers and body, and the reply as it is', async () => {
    const told: IncomingHttpHeaders[] = [];
    const target = await targetOf((request, response) => {
      told.push(request.headers);
      response.writeHead(404, 'Nowhere', { 'x-consul-index': '7', 'set-cookie': ['a=1', 'b=2'] });
      response.end('no such thing');
    });
    const proxy = await proxyOf(target);
    const answer = await get(`${proxy.url}/v1/kv/a?recurse=&dc=x`, {
      method: 'PUT',
      headers: { 'x-consul-token': 'secret' },
      body: 'value',
    });
    expect(answer).toMatchObject({ status: 404, body: 'no such thing', broke: undefined });
    expect(answer.headers).toMatchObject({ 'x-consul-index': '7', 'set-cookie': ['a=1', 'b=2'] });
    expect(target.seen).toEqual(['PUT /v1/kv/a?recurse=&dc=x value']);
    expect(told[0]).toMatchObject({ 'x-consul-token': 'secret', host: target.url.slice(7) });
    expect(proxy.requests).toEqual([
      { method: 'PUT', path: '/v1/kv/a?recurse=&dc=x', status: 404, atMs: expect.any(Number) },
    ]);
  });

  it('passes on a body as it trickles', async () => {
    let reply: ServerResponse | undefined;
    const target = await targetOf((_, response) => {
      reply = response;
      response.flushHeaders();
    });
    const proxy = await proxyOf(target);
    const chunks: string[] = [];
    const asked = ask(proxy.url, { agent: false }, (answer) => {
      chunks.push('head');
      answer.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    });
    asked.end();
    await vi.waitFor(() => expect(chunks).toEqual(['head']));
    reply?.write('first');
    await vi.waitFor(() => expect(chunks).toEqual(['head', 'first']));
    reply?.end('second');
    await vi.waitFor(() => expect(chunks).toEqual(['head', 'first', 'second']));
  });

  it('serves many requests on one connection of the client', async () => {
    const target = await targetOf(answering('ok'));
    const proxy = await proxyOf(target);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 3; i++) expect((await get(proxy.url, { agent })).body).toBe('ok');
    expect(proxy).toMatchObject({ connections: 1, open: 1, requestCount: 3 });
    agent.destroy();
    await vi.waitFor(() => expect(proxy.open).toBe(0));
  });

  it('passes on a parked reply when it comes, and leaves no socket', async () => {
    const parked = parking();
    const target = await targetOf(parked.listener);
    const proxy = await proxyOf(target);
    const replies = Array.from({ length: 20 }, (_, i) => get(`${proxy.url}/${String(i)}`));
    await vi.waitFor(() => expect(target.seen).toHaveLength(20));
    expect(proxy.open).toBe(20);
    expect(proxy.requests.every(({ status }) => status === undefined)).toBe(true);
    parked.answer('now');
    const bodies = (await Promise.all(replies)).map(({ body }) => body);
    expect(bodies).toEqual(Array(20).fill('now'));
    await vi.waitFor(() => expect([proxy.open, target.sockets.size]).toEqual([0, 0]));
  });

  it('gives up at the target what its client gave up', async () => {
    const target = await targetOf(parking().listener);
    const proxy = await proxyOf(target);
    const gone = new AbortController();
    const reply = get(proxy.url, { signal: gone.signal });
    await vi.waitFor(() => expect(target.seen).toHaveLength(1));
    gone.abort();
    await expect(reply).rejects.toMatchObject({ name: 'AbortError' });
    await vi.waitFor(() => expect([proxy.open, target.sockets.size]).toEqual([0, 0]));
  });

  it('resets the connection when the target is not there, or goes amid its reply', async () => {
    const dying = await targetOf((_, response) => {
      response.write('half', () => response.destroy());
    });
    const proxy = await proxyOf(dying);
    expect(await get(proxy.url)).toMatchObject({ body: 'half', broke: 'ECONNRESET' });
    await dying.close();
    await expect(get(proxy.url)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(proxy.requests.map(({ status }) => status)).toEqual([200, undefined]);
  });
});

describe('a fault', () => {
  it('answers by itself, the target unasked', async () => {
    const target = await targetOf(answering('ok'));
    const proxy = await proxyOf(target, {
      status: 429,
      headers: { 'Retry-After': '2' },
      body: 'slow down',
    });
    const answer = await get(proxy.url, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(answer).toMatchObject({ status: 429, body: 'slow down' });
    expect(answer.headers).toMatchObject({ 'retry-after': '2', 'content-length': '9' });
    expect(target.seen).toEqual([]);
    proxy.set();
    expect((await get(proxy.url)).body).toBe('ok');
    expect(proxy.requests.map(({ status }) => status)).toEqual([429, 200]);
  });

  it.each([0, 1, 4_000])('lets %i bytes of the body through', async (truncateBytes) => {
    const target = await targetOf(answering('x'.repeat(8_000)));
    const proxy = await proxyOf(target, { truncateBytes });
    const answer = await get(proxy.url);
    expect(answer).toMatchObject({ status: 200, broke: 'ECONNRESET' });
    expect(answer.headers['content-length']).toBe('8000');
    expect(answer.body).toHaveLength(truncateBytes);
    proxy.set({ truncateBytes: 8_000 });
    expect(await get(proxy.url)).toMatchObject({ broke: undefined });
  });

  it('rewrites status, headers and body', async () => {
    const target = await targetOf(answering('[1,2]', { 'x-consul-index': '7', 'x-other': 'a' }));
    const proxy = await proxyOf(target, {
      rewrite: ({ headers: { 'x-consul-index': index, ...headers }, body }) => ({
        status: 203,
        headers: { ...headers, 'x-was': index },
        body: `<html>${body.toString()}ü`,
      }),
    });
    const answer = await get(proxy.url);
    expect(answer).toMatchObject({ status: 203, body: '<html>[1,2]ü', broke: undefined });
    expect(answer.headers).toMatchObject({ 'x-was': '7', 'x-other': 'a', 'content-length': '13' });
    expect(answer.headers).not.toHaveProperty('x-consul-index');
  });

  it('concerns only requests that match', async () => {
    const target = await targetOf(answering('ok'));
    const proxy = await proxyOf(target);
    proxy.set(
      { status: 500 },
      {
        match: ({ method, path, headers }) =>
          method === 'GET' && path === '/a?b=1' && headers['x-token'] === 't',
      },
    );
    const headers = { 'X-Token': 't' };
    const replies = [
      await get(`${proxy.url}/a?b=1`, { headers }),
      await get(`${proxy.url}/a?b=2`, { headers }),
      await get(`${proxy.url}/a?b=1`),
      await get(`${proxy.url}/a?b=1`, { headers, method: 'PUT' }),
    ];
    expect(replies.map(({ status }) => status)).toEqual([500, 200, 200, 200]);
  });

  it('meets a request under way when its reply comes', async () => {
    const parked = parking();
    const target = await targetOf(parked.listener);
    const proxy = await proxyOf(target);
    const replies: Promise<Answer>[] = [];
    const park = async (): Promise<void> => {
      replies.push(get(proxy.url));
      await vi.waitFor(() => expect(target.seen).toHaveLength(replies.length));
    };
    await park();
    proxy.set({ status: 500 });
    parked.answer('lost');
    await vi.waitFor(() => expect(proxy.requests[0]).toMatchObject({ status: 500 }));
    proxy.set({});
    await park();
    proxy.set({ rewrite: (reply) => ({ ...reply, body: 'garbage' }) });
    parked.answer('ok');
    const bodies = (await Promise.all(replies)).map(({ body }) => body);
    expect(bodies).toEqual(['', 'garbage']);
  });

  it('delays replies by the clock given', async () => {
    const clock = new ManualClock();
    const target = await targetOf(answering('ok'));
    const proxy = await httpProxy({ target: target.url, clock });
    open.push(proxy);
    proxy.set({ delayMs: 500 });
    let answer: Answer | undefined;
    void get(proxy.url).then((given) => (answer = given));
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1));
    proxy.set({}); // what is on its way stays late
    await clock.advance(499);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    await vi.waitFor(() => expect(answer?.body).toBe('ok'));
    expect(proxy.requests[0]?.atMs).toBe(0);
  });

  it('holds requests and replies until it is taken away', async () => {
    const parked = parking();
    const target = await targetOf(parked.listener);
    const proxy = await proxyOf(target);
    const first = get(`${proxy.url}/first`);
    await vi.waitFor(() => expect(target.seen).toHaveLength(1));
    proxy.set({ hang: true });
    parked.answer('held reply');
    const second = get(`${proxy.url}/second`, { method: 'PUT', body: 'held request' });
    await vi.waitFor(() => expect(proxy.requestCount).toBe(2));
    proxy.set({ hang: true }); // set again, held still
    expect(proxy.requests.every(({ status }) => status === undefined)).toBe(true);
    expect(target.seen).toHaveLength(1);
    proxy.set({});
    expect((await first).body).toBe('held reply');
    await vi.waitFor(() => expect(target.seen).toContain('PUT /second held request'));
    parked.answer('late');
    expect((await second).body).toBe('late');
    expect(target.seen).toHaveLength(2);
  });

  it('lets go of what it holds when its client goes', async () => {
    const parked = parking();
    const target = await targetOf(parked.listener);
    const proxy = await proxyOf(target);
    const gone = new AbortController();
    const { signal } = gone;
    const replies = [get(proxy.url, { signal })];
    await vi.waitFor(() => expect(target.seen).toHaveLength(1));
    proxy.set({ hang: true });
    parked.answer('held reply');
    replies.push(get(proxy.url, { signal }));
    await vi.waitFor(() => expect(proxy.requestCount).toBe(2));
    gone.abort();
    const fates = await Promise.allSettled(replies);
    expect(fates.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await vi.waitFor(() => expect([proxy.open, target.sockets.size]).toEqual([0, 0]));
    proxy.set({});
    expect(target.seen).toHaveLength(1);
  });
});

describe('its end', () => {
  it('leaves no socket, whatever is under way', async () => {
    const parked = parking();
    const target = await targetOf(parked.listener);
    const clock = new ManualClock();
    const proxy = await httpProxy({ target: target.url, clock });
    const idle = connect(proxy.port, '127.0.0.1');
    await once(idle, 'connect');
    const fates: Promise<unknown>[] = [];
    const begin = (path: string): void => {
      fates.push(get(`${proxy.url}${path}`).catch((error: unknown) => (error as Error).name));
    };
    begin('/parked');
    await vi.waitFor(() => expect(target.seen).toHaveLength(1));
    proxy.set({ status: 200, delayMs: 60_000 });
    begin('/delayed');
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1));
    proxy.set({ hang: true });
    begin('/hanging');
    await vi.waitFor(() => expect(proxy.requestCount).toBe(3));
    expect(proxy.open).toBe(4);
    const closed = once(idle, 'close');
    await Promise.all([proxy.close(), proxy.close()]);
    expect(proxy.open).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    await closed;
    expect(await Promise.all(fates)).toEqual(['Error', 'Error', 'Error']);
    await vi.waitFor(() => expect(target.sockets.size).toBe(0));
    expect(() => proxy.set({})).toThrow(expect.objectContaining({ code: 'ERR_FAIRLEAD_CLOSED' }));
    await expect(get(proxy.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it.each<[string, (proxy: HttpProxy) => void]>([
    [
      'rewrite',
      (proxy) =>
        proxy.set({
          rewrite: () => {
            throw new Error('mistaken');
          },
        }),
    ],
    [
      'match',
      (proxy) =>
        proxy.set(
          {},
          {
            match: () => {
              throw new Error('mistaken');
            },
          },
        ),
    ],
  ])('tells what a %s of the test threw', async (_, set) => {
    const target = await targetOf(answering('ok'));
    const proxy = await proxyOf(target);
    set(proxy);
    await expect(get(proxy.url)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(proxy.close()).rejects.toThrow('mistaken');
  });

  it('is in sight: only the last 10,000 requests are kept', async () => {
    const target = await targetOf(answering('ok'));
    const proxy = await proxyOf(target, { status: 200 });
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const replies = Array.from({ length: 10_003 }, (_, i) =>
      get(`${proxy.url}/${String(i)}`, { agent }),
    );
    await Promise.all(replies);
    agent.destroy();
    expect(proxy.requestCount).toBe(10_003);
    expect(proxy.requests).toHaveLength(10_000);
    expect(proxy.requests.some(({ path }) => path === '/0')).toBe(false);
  });
});

describe('what it is given', () => {
  it.each<[unknown, string]>([
    ['http', 'faults'],
    [{ status: 99 }, 'faults.status'],
    [{ status: 700 }, 'faults.status'],
    [{ headers: {} }, 'faults.headers'],
    [{ status: 500, headers: { a: 1 } }, 'faults.headers'],
    [{ body: 'x' }, 'faults.body'],
    [{ status: 500, body: {} }, 'faults.body'],
    [{ rewrite: 'x' }, 'faults.rewrite'],
    [{ status: 500, rewrite: () => undefined }, 'faults.rewrite'],
    [{ truncateBytes: -1 }, 'faults.truncateBytes'],
    [{ delayMs: -1 }, 'faults.delayMs'],
    [{ hang: 'yes' }, 'faults.hang'],
    [{ hang: true, delayMs: 1 }, 'faults.delayMs'],
    [{ delay: 5 }, 'faults.delay'],
  ])('is checked: %o', async (faults, option) => {
    const proxy = await proxyOf(await targetOf(answering('ok')));
    expect(() => proxy.set(faults as HttpFaults)).toThrow(expect.objectContaining({ option }));
  });

  it('is checked at the start, too', async () => {
    const refused = (options: object): Promise<unknown> =>
      httpProxy(options as { target: string }).catch((error: unknown) => error);
    const target = 'http://127.0.0.1:8500';
    expect(await refused({})).toMatchObject({ option: 'httpProxy.target' });
    expect(await refused({ target: 'https://a' })).toMatchObject({ option: 'httpProxy.target' });
    expect(await refused({ target: `${target}/v1` })).toMatchObject({ option: 'httpProxy.target' });
    expect(await refused({ target, host: '' })).toMatchObject({ option: 'httpProxy.host' });
    expect(await refused({ target, port: 70_000 })).toMatchObject({ option: 'httpProxy.port' });
    expect(await refused({ target, url: target })).toMatchObject({ option: 'httpProxy.url' });
    const secret = await refused({ target: 'http://me:hunter2@127.0.0.1:1' });
    expect(secret).toMatchObject({ option: 'httpProxy.target' });
    expect(JSON.stringify([String(secret), secret])).not.toContain('hunter2');
    const proxy = await proxyOf(await targetOf(answering('ok')));
    expect(() => proxy.set({}, { path: '/' } as object)).toThrow(
      expect.objectContaining({ option: 'scope.path' }),
    );
  });
});
