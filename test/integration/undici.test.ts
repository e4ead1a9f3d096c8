import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  Agent,
  type Dispatcher,
  fetch as undiciFetch,
  interceptors,
  getGlobalDispatcher,
  pipeline,
  request,
  setGlobalDispatcher,
  stream,
  upgrade,
  WebSocket,
} from 'undici';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { FairleadAgent, fairleadInterceptor } from '../../src/clients/undici.js';
import { attemptsOf, type Client, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { clientOver, closeAfterwards, readBody, refusedPort, serve } from './servers.js';
import { pem, serveTls } from './tls-servers.js';

const pending = (client: Client): number =>
  client.snapshot().instances.reduce((sum, instance) => sum + instance.pending, 0);

const echo = () =>
  serve((incoming, response) => {
    void readBody(incoming).then((body) => {
      response.setHeader('x-host', incoming.headers.host ?? '');
      response.end(`${incoming.method ?? ''} ${incoming.url ?? ''} ${body}`);
    });
  });

const WAYS = {
  FairleadAgent: (client: Client): Dispatcher => new FairleadAgent(client),
  fairleadInterceptor: (client: Client): Dispatcher =>
    new Agent().compose(fairleadInterceptor(client)),
};

function through(way: keyof typeof WAYS, client: Client): Dispatcher {
  const dispatcher = WAYS[way](client);
  closeAfterwards({ close: () => dispatcher.destroy() });
  return dispatcher;
}

describe.each(['FairleadAgent', 'fairleadInterceptor'] as const)('%s', (way) => {
  it('serves request, stream, pipeline and both fetches, past an instance that is gone', async () => {
    const server = await echo();
    const client = clientOver([{ port: await refusedPort() }, server], {
      retry: { budget: false },
    });
    const dispatcher = through(way, client);
    for (let i = 0; i < 2; i++) {
      const reply = await request('http://orders/a?b=1', { dispatcher, method: 'POST', body: 'x' });
      expect(reply.headers['x-host']).toBe('orders');
      expect(await reply.body.text()).toBe('POST /a?b=1 x');

      const written: string[] = [];
      await stream(
        'http://orders/s',
        { dispatcher, method: 'GET' },
        () =>
          new Writable({
            write(chunk: Buffer, _encoding, done) {
              written.push(chunk.toString());
              done();
            },
          }),
      );
      expect(written.join('')).toBe('GET /s ');

      const piped = pipeline('http://orders/p', { dispatcher, method: 'PUT' }, ({ body }) => body);
      piped.end('through');
      expect(await text(piped)).toBe('PUT /p through');

      const fetched = await undiciFetch('http://orders/f', {
        dispatcher,
        method: 'PUT',
        body: 'y',
      });
      expect([fetched.url, await fetched.text()]).toEqual(['http://orders/f', 'PUT /f y']);

      const init = { dispatcher, method: 'PUT', body: 'z' } as object as RequestInit;
      const global = await fetch('http://orders/g', init);
      expect([global.url, await global.text()]).toEqual(['http://orders/g', 'PUT /g z']);
    }
    expect(pending(client)).toBe(0);
  });

  it('keeps a WebSocket and an upgraded socket in flight until they close', async () => {
    const server: Server = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on('connection', (socket) => {
      socket.on('message', (data) => {
        socket.send((data as Buffer).toString());
      });
    });
    server.on('upgrade', (incoming, socket, head) => {
      if (incoming.headers.upgrade === 'echo') {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
        );
        socket.on('error', () => undefined).pipe(socket);
        return;
      }
      sockets.handleUpgrade(incoming, socket, head, (open) => sockets.emit('connection', open));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closeAfterwards({
      close: () => {
        for (const socket of sockets.clients) socket.terminate();
        return new Promise((resolve) => {
          server.close(() => {
            resolve();
          });
          server.closeAllConnections();
        });
      },
    });
    const client = clientOver([server.address() as AddressInfo]);
    const dispatcher = through(way, client);

    const socket = new WebSocket('ws://orders/chat', { dispatcher });
    await once(socket as unknown as EventTarget, 'open');
    expect(pending(client)).toBe(1);
    const answer = once(socket as unknown as EventTarget, 'message');
    socket.send('hello');
    expect(((await answer) as [{ data: unknown }])[0].data).toBe('hello');
    socket.close();
    await vi.waitFor(() => {
      expect(pending(client)).toBe(0);
    }, 10_000);

    const upgraded = await upgrade('http://orders/raw', { dispatcher, protocol: 'echo' });
    expect(pending(client)).toBe(1);
    upgraded.socket.on('error', () => undefined).destroy();
    await vi.waitFor(() => {
      expect(pending(client)).toBe(0);
    }, 10_000);
  });

  it('picks again what an interceptor around it sends anew', async () => {
    const answers = await Promise.all([
      serve((_request, response) => response.writeHead(418).end()),
      serve((_request, response) => response.end('good')),
    ]);
    const dispatcher = through(way, clientOver(answers)).compose(
      interceptors.retry({ statusCodes: [418], minTimeout: 1 }),
    );
    for (let i = 0; i < 4; i++) {
      const reply = await request('http://orders/', { dispatcher });
      expect(await reply.body.text()).toBe('good');
    }
  });

  it('counts exactly what is in flight', async () => {
    let now = 0;
    const waiting: (() => void)[] = [];
    const busy = await serve((_request, response) => {
      now++;
      response.once('close', () => now--);
      response.write('begun');
      waiting.push(() => response.end());
    });
    const client = clientOver([busy]);
    const dispatcher = through(way, client);
    const replies = Array.from({ length: 20 }, () => request('http://orders/', { dispatcher }));
    const bodies = (await Promise.all(replies)).map(({ body }) => body);
    expect([now, pending(client)]).toEqual([20, 20]);
    for (const end of waiting.splice(0, 8)) end();
    await vi.waitFor(() => {
      expect([now, pending(client)]).toEqual([12, 12]);
    }, 10_000);
    for (const body of bodies) void body.on('error', () => undefined).resume();
    for (const body of bodies) body.destroy();
    await vi.waitFor(() => {
      expect([now, pending(client)]).toEqual([0, 0]);
    }, 10_000);
  });

  it('sends a POST once that the instance may have taken, and tells the story with the error', async () => {
    const rude = await serve((incoming) => {
      void readBody(incoming).then(() => incoming.socket.destroy());
    });
    const dispatcher = through(way, clientOver([rude, rude]));
    const error: unknown = await request('http://orders/', {
      dispatcher,
      method: 'POST',
      body: 'x',
    }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(attemptsOf(error)).toHaveLength(1);
    expect(rude.seen).toHaveLength(1);
  });

  it('has the request’s own options', async () => {
    const slow = await serve(() => undefined);
    const dispatcher = through(way, clientOver([slow]));
    await expect(
      request('http://orders/', { dispatcher, fairlead: { timeoutMs: 50 } }),
    ).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
  });
});

describe('FairleadAgent', () => {
  async function counting() {
    const server = createServer((_request, response) => response.end('ok'));
    let connections = 0;
    server.on('connection', (socket) => {
      connections++;
      socket.once('close', () => connections--);
    });
    server.keepAliveTimeout = 60_000;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closeAfterwards({
      close: () =>
        new Promise((resolve) => {
          server.close(() => {
            resolve();
          });
          server.closeAllConnections();
        }),
    });
    const { port } = server.address() as AddressInfo;
    return { spec: { host: '127.0.0.1', port }, connections: () => connections };
  }

  it('closes the connections to an instance that has drained, and opens others when it is back', async () => {
    const [one, other] = [await counting(), await counting()];
    const source = memoryAdapter([one.spec, other.spec]);
    const client = createClient({ service: 'orders', discovery: source, policy: 'round-robin' });
    closeAfterwards(client);
    const dispatcher = new FairleadAgent(client, { pool: { keepAliveTimeout: 60_000 } });
    closeAfterwards({ close: () => dispatcher.destroy() });
    const send = async (): Promise<void> => {
      const { body } = await request('http://orders/', { dispatcher });
      await body.dump();
    };
    await send();
    await send();
    expect([one.connections(), other.connections()]).toEqual([1, 1]);
    source.set([other.spec]);
    await vi.waitFor(() => {
      expect([one.connections(), other.connections()]).toEqual([0, 1]);
    }, 10_000);
    source.set([one.spec, other.spec]);
    await vi.waitFor(async () => {
      await send();
      expect(one.connections()).toBe(1);
    }, 10_000);
    await dispatcher.close();
    await vi.waitFor(() => {
      expect([one.connections(), other.connections()]).toEqual([0, 0]);
    }, 10_000);
    await expect(request('http://orders/', { dispatcher })).rejects.toMatchObject({
      code: 'UND_ERR_DESTROYED',
    });
  });

  it('waits on close for what is under way, and ends it on destroy', async () => {
    const held: (() => void)[] = [];
    const server = await serve((_request, response) => {
      held.push(() => response.end('late'));
    });
    const client = clientOver([server]);
    const closing = new FairleadAgent(client);
    const reply = request('http://orders/', { dispatcher: closing });
    await vi.waitFor(() => {
      expect(held).toHaveLength(1);
    });
    const closed = closing.close();
    await expect(request('http://orders/', { dispatcher: closing })).rejects.toMatchObject({
      code: 'UND_ERR_CLOSED',
    });
    held[0]?.();
    expect(await (await reply).body.text()).toBe('late');
    await closed;

    const destroyed = new FairleadAgent(client);
    const lost = request('http://orders/', { dispatcher: destroyed });
    const outcome = expect(lost).rejects.toMatchObject({ message: 'over' });
    await vi.waitFor(() => {
      expect(held).toHaveLength(2);
    });
    await destroyed.destroy(new Error('over'));
    await outcome;
    expect(pending(client)).toBe(0);
  });

  it('serves as the global dispatcher, other hosts too', async () => {
    const server = await echo();
    const dispatcher = new FairleadAgent(clientOver([server]));
    closeAfterwards({ close: () => dispatcher.destroy() });
    const before = getGlobalDispatcher();
    setGlobalDispatcher(dispatcher);
    try {
      expect(await (await request('http://orders/a')).body.text()).toBe('GET /a ');
      expect(await (await fetch('http://orders/b')).text()).toBe('GET /b ');
      const direct = await undiciFetch(`http://127.0.0.1:${String(server.port)}/c`);
      expect(await direct.text()).toBe('GET /c ');
    } finally {
      setGlobalDispatcher(before);
    }
  });

  it('checks the certificate for the address in tls.servername, and asks for no name', async () => {
    const server = await serveTls({ cert: 'address' });
    const client = clientOver([server], { tls: { servername: '127.0.0.1' } });
    const dispatcher = new FairleadAgent(client, { pool: { connect: { ca: pem('authority') } } });
    closeAfterwards({ close: () => dispatcher.destroy() });
    const { body } = await request('https://orders/', { dispatcher });
    expect(await body.json()).toMatchObject({ host: 'orders', servername: '' });

    const named = clientOver([await serveTls({ cert: 'orders' })], {
      tls: { servername: '127.0.0.1' },
    });
    const other = new FairleadAgent(named, { pool: { connect: { ca: pem('authority') } } });
    closeAfterwards({ close: () => other.destroy() });
    await expect(request('https://orders/', { dispatcher: other })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });
});

describe('HTTP/2', () => {
  async function serveH2(listener: Parameters<typeof createSecureServer>[1]) {
    const server: Http2SecureServer = createSecureServer(
      { cert: pem('orders'), key: pem('key') },
      listener,
    );
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closeAfterwards({
      close: () =>
        new Promise((resolve) => {
          for (const session of sessions) session.destroy();
          server.close(() => {
            resolve();
          });
        }),
    });
    return { port: (server.address() as AddressInfo).port };
  }

  const agentOver = (client: Client): FairleadAgent => {
    const agent = new FairleadAgent(client, {
      pool: { allowH2: true, connect: { ca: pem('authority') } },
    });
    closeAfterwards({ close: () => agent.destroy() });
    return agent;
  };

  it('goes over one connection where the server offers it', async () => {
    const server = await serveH2((incoming, response) => {
      response.end(`${incoming.httpVersion} ${incoming.authority}`);
    });
    const client = clientOver([server]);
    const dispatcher = agentOver(client);
    const texts = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const reply = await request('https://orders/', { dispatcher });
        return reply.body.text();
      }),
    );
    expect(new Set(texts)).toEqual(new Set(['2.0 orders']));
    expect(pending(client)).toBe(0);
  });

  it.each(['refused', 'goaway', 'destroyed'] as const)(
    'sends a POST once more only where it was refused: %s',
    async (how) => {
      let taken = 0;
      const rude = await serveH2((incoming, response) => {
        taken++;
        if (how === 'refused') response.stream.close(7);
        else if (how === 'goaway') incoming.stream.session?.goaway(2);
        else incoming.stream.session?.destroy();
      });
      const good = await serveH2((_incoming, response) => response.end('good'));
      const client = clientOver([rude, good]);
      const dispatcher = agentOver(client);
      const outcomes: string[] = [];
      for (let i = 0; i < 2; i++) {
        outcomes.push(
          await request('https://orders/', { dispatcher, method: 'POST', body: 'x' }).then(
            ({ body }) => body.text(),
            () => 'failed',
          ),
        );
      }
      expect(taken).toBe(1);
      expect(outcomes.filter((outcome) => outcome === 'good').length).toBe(
        how === 'refused' ? 2 : 1,
      );
      for (let i = 0; i < 2; i++) {
        const reply = await request('https://orders/', { dispatcher });
        expect(await reply.body.text()).toBe('good');
      }
      await vi.waitFor(() => {
        expect(pending(client)).toBe(0);
      });
    },
  );
});

it('has the types that undici asks for', () => {
  expectTypeOf(
    fairleadInterceptor,
  ).returns.toEqualTypeOf<Dispatcher.DispatcherComposeInterceptor>();
  expectTypeOf<FairleadAgent>().toExtend<Dispatcher>();
  expectTypeOf<{
    path: '/';
    method: 'GET';
    fairlead: { timeoutMs: 1 };
  }>().toExtend<Dispatcher.RequestOptions>();
});
