/** What a call of Fairlead's is beneath a fetch: who is picked, how long an attempt lasts, what is told to whom. */
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Agent, getGlobalDispatcher, MockAgent, setGlobalDispatcher } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { wrapFetch } from '../../src/clients/fetch.js';
import {
  type Client,
  createClient,
  createClientPool,
  type DiscoveryAdapter,
  isFairleadError,
  storyOf,
} from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import {
  clientOver,
  closeAfterwards,
  readBody,
  refusedPort,
  serve,
  type TestServer,
} from './servers.js';
import { pem, serveTls } from './tls-servers.js';

const saying = (text: string): Promise<TestServer> =>
  serve((request, response) => {
    void readBody(request).then(() => response.end(text));
  });

/** A server that begins an answer and leaves its end to the test. */
async function beginning(): Promise<{ server: TestServer; next: () => Promise<ServerResponse> }> {
  const begun = new EventEmitter();
  const server = await serve((_request, response) => {
    response.write('part', () => begun.emit('answer', response));
  });
  const next = async (): Promise<ServerResponse> => {
    const [response] = (await once(begun, 'answer')) as [ServerResponse];
    return response;
  };
  return { server, next };
}

function pending(client: Client): number {
  return client.snapshot().instances.reduce((sum, instance) => sum + instance.pending, 0);
}

function successRatio(client: Client): number | undefined {
  return client.snapshot().instances[0]?.successRatio;
}

const failureOf = (reply: Promise<unknown>): Promise<Error> =>
  reply.then(
    () => new Error('it did not fail'),
    (error: unknown) => error as Error,
  );

describe('an attempt of a wrapped fetch', () => {
  it('is in flight until the end of the body, which is then a success', async () => {
    const { server, next } = await beginning();
    const client = clientOver([server]);
    const answer = next();
    const reply = await wrapFetch(client)('http://orders/');
    expect(pending(client)).toBe(1);
    const text = reply.text();
    (await answer).end(' end');
    expect(await text).toBe('part end');
    await vi.waitFor(() => expect(pending(client)).toBe(0));
    expect(successRatio(client)).toBe(1);
  });

  it('fails where its body is cut, for the instance and for who reads', async () => {
    const { server, next } = await beginning();
    const client = clientOver([server]);
    const answer = next();
    const reply = await wrapFetch(client)('http://orders/');
    (await answer).destroy();
    const error = await failureOf(reply.text());
    expect([error.name, error.message]).toEqual(['TypeError', 'terminated']);
    await vi.waitFor(() => expect(pending(client)).toBe(0));
    expect(successRatio(client)).toBeLessThan(1);
  });

  it.each<[string, (reply: Response, stop: AbortController) => unknown]>([
    ['the body is cancelled', (reply) => reply.body?.cancel()],
    ['the signal aborts', (_reply, stop) => stop.abort(new Error('enough'))],
  ])('ends when %s, and blames nobody', async (_what, leave) => {
    const { server } = await beginning();
    const client = clientOver([server]);
    const stop = new AbortController();
    const reply = await wrapFetch(client)('http://orders/', { signal: stop.signal });
    expect(pending(client)).toBe(1);
    await leave(reply, stop);
    await vi.waitFor(() => expect(pending(client)).toBe(0));
    expect(successRatio(client)).toBe(1);
  });

  it('ends when its response is garbage', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const { server } = await beginning();
    const client = clientOver([server]);
    const fetch = wrapFetch(client);
    for (let i = 0; i < 3; i++) expect((await fetch('http://orders/')).status).toBe(200);
    await vi.waitFor(
      () => {
        gc();
        expect(pending(client)).toBe(0);
      },
      { timeout: 20_000, interval: 20 },
    );
  });

  it('ends with the request that is aborted while its body is being sent', async () => {
    let cut = 0;
    const server = await serve((request) => {
      request.once('close', () => cut++);
      request.resume();
    });
    const client = clientOver([server]);
    const stop = new AbortController();
    const reply = wrapFetch(client)('http://orders/', {
      method: 'POST',
      duplex: 'half',
      signal: stop.signal,
      body: new ReadableStream({
        start: (controller) => {
          controller.enqueue(new Uint8Array(100_000));
        },
      }),
    });
    const failed = failureOf(reply);
    await vi.waitFor(() => expect(server.seen).toHaveLength(1));
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await failed).toBe(reason);
    await vi.waitFor(() => expect(cut).toBe(1));
    expect([pending(client), successRatio(client)]).toEqual([0, 1]);
  });

  it('does not begin for a signal that aborts while the first list is waited for', async () => {
    const discovery: DiscoveryAdapter = {
      name: 'silent',
      // eslint-disable-next-line require-yield -- it never has a list
      async *watch(_service, { signal }) {
        await once(signal, 'abort');
      },
    };
    const client = createClient({ service: 'orders', discovery });
    closeAfterwards(client);
    const stop = new AbortController();
    const reply = failureOf(wrapFetch(client)('http://orders/', { signal: stop.signal }));
    stop.abort();
    expect((await reply).name).toBe('AbortError');
  });
});

describe('redirects', () => {
  /** Answers with the status and location that the path tells. */
  const redirecting = (to: (path: string) => string | undefined): Promise<TestServer> =>
    serve((request, response) => {
      const location = to(request.url ?? '');
      void readBody(request).then((body) => {
        if (location !== undefined) response.writeHead(307, { location });
        const { authorization, host } = request.headers;
        const deadline = request.headers['x-request-timeout-ms'];
        response.end(JSON.stringify({ body, authorization, host, deadline }));
      });
    });

  it('lead from a service to another one, and elsewhere without what is for one alone', async () => {
    const foreign = await redirecting(() => undefined);
    const address = `127.0.0.1:${String(foreign.port)}`;
    const stock = await redirecting(() => `http://${address}/out`);
    const orders = await redirecting(() => 'http://stock/in');
    const pool = createClientPool({
      services: {
        orders: { discovery: memoryAdapter([orders.spec]) },
        stock: { discovery: memoryAdapter([stock.spec]) },
      },
    });
    closeAfterwards(pool);
    const fetch = wrapFetch(pool, { deadlineHeader: true });
    const reply = await fetch('http://orders/', {
      method: 'POST',
      body: 'b',
      headers: { authorization: 'Bearer t' },
    });
    expect(reply.url).toBe(`http://${address}/out`);
    expect(await reply.json()).toEqual({ body: 'b', host: address });
    expect([...orders.seen, ...stock.seen, ...foreign.seen]).toEqual([
      'POST /',
      'POST /in',
      'POST /out',
    ]);
  });

  it('lead back from another host', async () => {
    const foreign = await redirecting(() => 'http://orders/back');
    const orders = await redirecting((path) =>
      path === '/' ? `http://127.0.0.1:${String(foreign.port)}/` : undefined,
    );
    const reply = await wrapFetch(clientOver([orders]))('http://orders/');
    expect([reply.url, reply.redirected]).toEqual(['http://orders/back', true]);
    expect(orders.seen).toEqual(['GET /', 'GET /back']);
  });

  it('of a POST go on to another instance where one refuses, and send nothing twice', async () => {
    const server = await redirecting((path) => (path === '/' ? '/end' : undefined));
    const refusing = { port: await refusedPort() };
    const fetch = wrapFetch(clientOver([server, refusing]));
    for (let i = 1; i <= 3; i++) {
      const reply = await fetch('http://orders/', { method: 'POST', body: 'b' });
      expect(await reply.json()).toMatchObject({ body: 'b' });
      expect(server.seen.filter((request) => request === 'POST /')).toHaveLength(i);
      expect(server.seen.filter((request) => request === 'POST /end')).toHaveLength(i);
    }
  });

  it('of which the second fails are not begun again', async () => {
    const start = (): Promise<TestServer> =>
      serve((request, response) => {
        if (request.url === '/end') request.socket.destroy();
        else response.writeHead(307, { location: '/end' }).end();
      });
    const servers = [await start(), await start()];
    const fetch = wrapFetch(clientOver(servers));
    const error = await failureOf(fetch('http://orders/', { method: 'POST', body: 'b' }));
    expect(error.message).toBe('fetch failed');
    expect(servers.flatMap(({ seen }) => seen).sort()).toEqual(['POST /', 'POST /end']);
  });

  it('to a host that is none of ours are refused by a strict wrapper', async () => {
    const foreign = await saying('never');
    const server = await redirecting(() => `http://127.0.0.1:${String(foreign.port)}/`);
    const fetch = wrapFetch(clientOver([server]), { strict: true });
    for (const url of ['http://orders/', `http://127.0.0.1:${String(foreign.port)}/`]) {
      const error = await failureOf(fetch(url));
      expect([error.name, error.message]).toEqual(['TypeError', 'fetch failed']);
      expect(error.cause).toMatchObject({ code: 'ERR_FAIRLEAD_UNKNOWN_HOST' });
    }
    expect(foreign.seen).toEqual([]);
    expect(await (await fetch('data:,hello')).text()).toBe('hello');
  });

  it('find no time where the first request has used it up', async () => {
    const server = await redirecting(() => '/again');
    const fetch = wrapFetch(clientOver([server], { timeoutMs: 60_000 }));
    const error = await failureOf(fetch('http://orders/', { fairlead: { timeoutMs: 0.5 } }));
    expect(error.cause).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
  });
});

describe('what sends', () => {
  const before = getGlobalDispatcher();
  afterEach(() => {
    setGlobalDispatcher(before);
  });

  it.each<[string, (agent: Agent, client: Client) => Promise<Response>]>([
    ['the option', (dispatcher, client) => wrapFetch(client, { dispatcher })('https://orders/')],
    [
      'an init, before the option',
      (agent, client) => {
        const useless = { dispatch: () => expect.fail('not to be asked') };
        const init = { dispatcher: agent } as unknown as RequestInit;
        return wrapFetch(client, { dispatcher: useless })('https://orders/', init);
      },
    ],
    [
      'the global one',
      (agent, client) => {
        setGlobalDispatcher(agent);
        return wrapFetch(client)('https://orders/');
      },
    ],
  ])('may be a dispatcher of %s, with TLS for the name of the service', async (_what, send) => {
    const server = await serveTls({ cert: 'orders' });
    const agent = new Agent({ connect: { ca: pem('authority') } });
    try {
      const reply = await send(agent, clientOver([server]));
      expect(reply.url).toBe('https://orders/');
      expect(await reply.json()).toMatchObject({ servername: 'orders', host: 'orders' });
    } finally {
      await agent.destroy();
    }
  });

  it('may be a mock of undici, which sees the addresses of instances and bodies as they are', async () => {
    const mock = new MockAgent();
    mock.disableNetConnect();
    mock
      .get('http://127.0.0.1:1')
      .intercept({ path: '/x', method: 'POST', body: 'b' })
      .reply(200, 'mocked');
    const fetch = wrapFetch(clientOver([{ port: 1 }]), { dispatcher: mock });
    const reply = await fetch('http://orders/x', { method: 'POST', body: 'b' });
    expect([await reply.text(), reply.url]).toEqual(['mocked', 'http://orders/x']);
  });

  it.each([
    [{ dispatcher: {} }, 'wrapFetch.dispatcher'],
    [{ dispatcher: null }, 'wrapFetch.dispatcher'],
    [{ fetch: 'fetch' }, 'wrapFetch.fetch'],
    [{ odd: 1 }, 'wrapFetch.odd'],
  ])('is checked: %j', async (options, option) => {
    const client = clientOver([await saying('never')]);
    expect(() => wrapFetch(client, options as object)).toThrow(
      expect.objectContaining({ option }) as Error,
    );
  });
});

describe('a wrapped fetch that fails', () => {
  it('tells the story of the call with the error of fetch', async () => {
    const ports = [await refusedPort(), await refusedPort()];
    const client = clientOver(
      ports.map((port) => ({ port })),
      { retry: { maxAttempts: 2 } },
    );
    const error = await failureOf(wrapFetch(client)('http://orders/'));
    expect([error.constructor, error.message]).toEqual([TypeError, 'fetch failed']);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    expect(storyOf(error).attempts.map(({ error: what }) => what)).toEqual([
      'ECONNREFUSED',
      'ECONNREFUSED',
    ]);
  });

  it('does so where its client is closed', async () => {
    const client = clientOver([await saying('never')]);
    await client.close();
    const error = await failureOf(wrapFetch(client)('http://orders/'));
    expect(error).toBeInstanceOf(TypeError);
    expect(isFairleadError(error.cause) && error.cause.code).toBe('ERR_FAIRLEAD_CLOSED');
  });
});
