/** wrapFetch over fetches that are not Node's own: given ones, and what the global one was replaced with. */
import type { Socket } from 'node:net';
import nodeFetch from 'node-fetch';
import { Agent, fetch as undiciFetch, Request as UndiciRequest } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { wrapFetch } from '../../src/clients/fetch.js';
import { attemptsOf, storyOf } from '../../src/index.js';
import { clientOver, readBody, refusedPort, serve, type TestServer } from './servers.js';
import { pem, serveTls } from './tls-servers.js';

const nodesOwn = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = nodesOwn;
});

const echo = (status = 200): Promise<TestServer> =>
  serve((request, response) => {
    const { method, url, headers } = request;
    void readBody(request).then((body) => {
      response.writeHead(status).end(JSON.stringify({ method, url, headers, body }));
    });
  });

type Wrapped = typeof globalThis.fetch;
type Make = (client: Parameters<typeof wrapFetch>[0]) => Wrapped;

/** Hands on what it is given, as instrumentation does. */
function patch(): void {
  globalThis.fetch = (input, init) => nodesOwn(input, init);
}

const FETCHES: [string, Make][] = [
  ["undici's", (client) => wrapFetch(client, { fetch: undiciFetch })],
  ['node-fetch', (client) => wrapFetch(client, { fetch: nodeFetch })],
  ["Node's own, wrapped", (client) => wrapFetch(client, { fetch: (u, i) => nodesOwn(u, i) })],
  [
    'the global one, replaced',
    (client) => {
      patch();
      return wrapFetch(client);
    },
  ],
  ["Node's own, given", (client) => wrapFetch(client, { fetch: nodesOwn })],
  [
    "undici's, with a dispatcher",
    (client) => wrapFetch(client, { fetch: undiciFetch, dispatcher: new Agent() }),
  ],
];

describe.each(FETCHES)('over %s, a wrapped fetch', (name, make) => {
  /** It knows none but its own, bare as well. */
  const takesOwn = name === "undici's, with a dispatcher";

  it('retries, and gives a response with the URL asked for, as its clone does', async () => {
    const [bad, good] = [await echo(503), await echo()];
    const servers = [bad, { port: await refusedPort() }, good];
    const fetch = make(clientOver(servers, { retry: { maxAttempts: 3 } }));
    for (let i = 0; i < 6; i++) {
      const reply = await fetch('http://ORDERS/x?y#z', { method: 'PUT', body: 'b' });
      expect([reply.status, reply.url, reply.redirected]).toEqual([
        200,
        'http://orders/x?y',
        false,
      ]);
      expect(reply.clone().url).toBe('http://orders/x?y');
      expect(await reply.json()).toMatchObject({ method: 'PUT', url: '/x?y', body: 'b' });
    }
    expect(bad.seen.length).toBeGreaterThan(0);
  });

  it.skipIf(takesOwn)('takes a Request', async () => {
    const fetch = make(clientOver([await echo()]));
    const headers = { 'x-one': '1', authorization: 'Bearer t' };
    const reply = await fetch(new Request('http://orders/r', { headers }));
    expect(await reply.json()).toMatchObject({ method: 'GET', url: '/r', headers });
  });

  it('follows redirects to the service with credentials, to its own address too', async () => {
    const start = (): Promise<TestServer> =>
      serve((request, response) => {
        const own = `http://${request.headers.host ?? ''}/end?q`;
        const location = { '/a': '/b', '/b': 'http://orders/c', '/c': own }[request.url ?? ''];
        if (location !== undefined) response.writeHead(302, { location });
        response.end(request.headers.authorization);
      });
    const servers = [await start(), await start()];
    const fetch = make(clientOver(servers));
    const reply = await fetch('http://orders/a', { headers: { authorization: 'Bearer t' } });
    expect([reply.redirected, reply.url]).toEqual([true, 'http://orders/end?q']);
    expect(await reply.text()).toBe('Bearer t');
    expect(servers.map(({ seen }) => seen.length)).toEqual([2, 2]);
  });

  it('tells another host neither credentials nor deadline, and blames nobody', async () => {
    const other = await echo(500);
    const location = `http://127.0.0.1:${String(other.port)}/`;
    const server = await serve((_request, response) => response.writeHead(302, { location }).end());
    const client = clientOver([server]);
    const fetch = make(client);
    const headers = { authorization: 'Bearer t', cookie: 'a=1' };
    const reply = await fetch('http://orders/', { headers });
    expect([reply.status, reply.url, reply.redirected]).toEqual([500, location, true]);
    const told = ((await reply.json()) as { headers: object }).headers;
    expect(told).not.toHaveProperty('authorization');
    expect(told).not.toHaveProperty('cookie');
    expect(client.snapshot().instances[0]?.successRatio).toBe(1);
  });

  it('never sends a POST twice that was received', async () => {
    const cutting = (): Promise<TestServer> => serve(({ socket }) => socket.destroy());
    const servers = [await cutting(), await cutting()];
    const failed: unknown = await make(clientOver(servers))('http://orders/', {
      method: 'POST',
      body: 'b',
    }).catch((error: unknown) => error);
    expect(servers.flatMap(({ seen }) => seen)).toEqual(['POST /']);
    expect(attemptsOf(failed)).toHaveLength(1);
  });

  it('rejects with a TypeError and its story when no instance has room', async () => {
    const client = clientOver([]);
    const error: unknown = await make(client)('http://orders/').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).cause).toMatchObject({ code: 'ERR_FAIRLEAD_NO_INSTANCES' });
    expect(storyOf(error).attempts).toEqual([]);
  });

  it('has one time limit for a request and its redirects', async () => {
    const held: Socket[] = [];
    const server = await serve((request, response) => {
      if (request.url === '/end') held.push(request.socket);
      else response.writeHead(303, { location: '/end' }).end();
    });
    const fetch = make(clientOver([server], { timeoutMs: 60_000 }));
    const error: unknown = await fetch('http://orders/', { fairlead: { timeoutMs: 200 } }).catch(
      (reason: unknown) => reason,
    );
    expect((error as TypeError).cause).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
    // What was left of it for the second request.
    expect((error as TypeError).cause).not.toMatchObject({
      message: expect.stringContaining('timeoutMs 200,') as string,
    });
    expect(held).toHaveLength(1);
  });
});

describe('what a fetch of any make is called with', () => {
  it('is a string and a plain init', async () => {
    const own = vi.fn<(url: string, init: object) => Promise<Response>>(() =>
      Promise.resolve(new Response('mine')),
    );
    const fetch = wrapFetch(clientOver([{ port: 1 }]), { fetch: own });
    const request = new Request('http://orders/x', {
      method: 'POST',
      body: 'b',
      redirect: 'error',
    });
    await fetch(request, { headers: { 'x-one': '1' }, fairlead: { hedge: false } });
    await fetch('http://orders/x', new Request('http://other', { method: 'PUT', body: 'b' }));
    const [first, second] = own.mock.calls;
    expect(first?.[0]).toBe('http://127.0.0.1:1/x');
    expect(first?.[1]).toMatchObject({
      method: 'POST',
      headers: { 'x-one': '1' },
      redirect: 'error',
      duplex: 'half',
      body: expect.any(ReadableStream) as object,
    });
    expect(first?.[1]).not.toHaveProperty('fairlead');
    expect(first?.[1]).not.toHaveProperty('dispatcher');
    expect(second?.[1]).toMatchObject({ method: 'PUT', duplex: 'half' });
  });

  it('has what other fetches know of', async () => {
    const own = vi.fn(() => Promise.resolve(new Response()));
    const fetch = wrapFetch(clientOver([{ port: 1 }]), { fetch: own });
    await fetch('http://orders/', { next: { revalidate: 60 } } as object);
    expect(own).toHaveBeenCalledWith(
      'http://127.0.0.1:1/',
      expect.objectContaining({ next: { revalidate: 60 } }),
    );
  });

  it("may be a Request of undici's own", async () => {
    const fetch = wrapFetch(clientOver([await echo()]), { fetch: undiciFetch });
    const request = new UndiciRequest('http://orders/x', { method: 'POST', body: 'b' });
    const reply = await fetch(request);
    expect(await reply.json()).toMatchObject({ method: 'POST', url: '/x', body: 'b' });
  });

  it('is what was asked for, for any other host', async () => {
    const own = vi.fn(() => Promise.resolve(new Response('mine')));
    const fetch = wrapFetch(clientOver([]), { fetch: own });
    const init = { method: 'POST' };
    await fetch('http://elsewhere/', init);
    await fetch('/relative');
    expect(own.mock.calls).toEqual([
      ['http://elsewhere/', init],
      ['/relative', undefined],
    ]);
  });
});

describe('where the global fetch has been replaced', () => {
  it('a mock is called with the address of an instance', async () => {
    const fetch = wrapFetch(clientOver([{ port: 1 }]));
    const mock = vi.fn(() => Promise.resolve(Response.json({ mocked: true })));
    vi.stubGlobal('fetch', mock);
    try {
      const reply = await fetch('http://orders/x');
      expect(await reply.json()).toEqual({ mocked: true });
      expect(reply.url).toBe('http://orders/x');
      expect(mock).toHaveBeenCalledExactlyOnceWith('http://127.0.0.1:1/x', expect.anything());
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('a request has the name of the service for Host and TLS, by what hands on a dispatcher', async () => {
    const server = await serveTls({ cert: 'orders' });
    patch();
    const dispatcher = new Agent({ connect: { ca: pem('authority') } });
    const client = clientOver([server]);
    try {
      const reply = await wrapFetch(client, { dispatcher })('https://orders/');
      expect([reply.status, reply.url]).toEqual([200, 'https://orders/']);
      expect(await reply.json()).toMatchObject({ servername: 'orders', host: 'orders' });
    } finally {
      await dispatcher.destroy();
    }
  });

  it('by such a one, an attempt is in flight until the end of its body', async () => {
    const server = await serve((request, response) => {
      response.write('part');
      request.socket.once('close', () => undefined);
    });
    const client = clientOver([server]);
    patch();
    const inFlight = (): number => client.snapshot().instances[0]?.pending ?? -1;
    const stop = new AbortController();
    const reply = await wrapFetch(client)('http://orders/', { signal: stop.signal });
    expect(inFlight()).toBe(1);
    const text = reply.text();
    stop.abort(new Error('enough'));
    await expect(text).rejects.toThrow('enough');
    await vi.waitFor(() => expect(inFlight()).toBe(0));
    expect(client.snapshot().instances[0]?.successRatio).toBe(1);
  });
});

it('can be put in place of the global fetch, which it then sends by', async () => {
  const server = await serve((_request, response) => response.end('here'));
  const wrapped = wrapFetch(clientOver([server]));
  globalThis.fetch = wrapped;
  expect(await (await fetch('http://orders/')).text()).toBe('here');
  expect(await (await fetch(`http://127.0.0.1:${String(server.port)}/`)).text()).toBe('here');
});
