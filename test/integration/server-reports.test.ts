/** What a server with a status says in its responses, and what it counts: over real connections. */
import { once } from 'node:events';
import http, { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import express from 'express';
import Fastify from 'fastify';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseLoadReport } from '../../src/clients/load-report.js';
import { createServerStatus, type ServerStatus } from '../../src/server.js';
import { ManualClock } from '../../src/testing.js';
import { deferred } from '../support/promises.js';
import { closeAfterwards } from './servers.js';

const HEADER = 'endpoint-load-metrics';

/** A status that has something to report from the first response on: its clock stands a second after the start. */
async function reporting(options = {}): Promise<ServerStatus> {
  const clock = new ManualClock();
  const status = createServerStatus({ env: { clock }, utilization: () => 0.5, ...options });
  await clock.advance(1_000);
  return status;
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterwards({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
  return (server.address() as AddressInfo).port;
}

const serving = (status: ServerStatus, listener: RequestListener): Promise<number> =>
  listening(createServer(status.handler(listener)));

async function get(
  port: number,
  path = '/',
  options: http.RequestOptions = {},
): Promise<IncomingMessage> {
  const request = http.get({ host: '127.0.0.1', port, path, agent: false, ...options });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  return response;
}

const WAYS: [string, RequestListener][] = [
  ['end()', (_request, response) => response.end('ok')],
  ['write()', (_request, response) => void (response.write('o'), response.end('k'))],
  ['flushHeaders()', (_request, response) => void (response.flushHeaders(), response.end('ok'))],
  ['writeHead(status)', (_request, response) => response.writeHead(201).end()],
  ['writeHead(status, reason)', (_request, response) => response.writeHead(201, 'Made').end()],
  ['writeHead(status, object)', (_request, response) => response.writeHead(201, { a: 'b' }).end()],
  [
    'writeHead(status, reason, object)',
    (_request, response) => response.writeHead(201, 'Made', { a: 'b' }).end(),
  ],
  ['writeHead(status, array)', (_request, response) => response.writeHead(201, ['a', 'b']).end()],
  [
    'setHeader() and writeHead(status, object)',
    (_request, response) => response.setHeader('c', 'd').writeHead(201, { a: 'b' }).end(),
  ],
  ['204', (_request, response) => response.writeHead(204).end()],
  ['304', (_request, response) => response.writeHead(304).end()],
  [
    'an error handler that removes all headers',
    (_request, response) => {
      response.setHeader('a', 'b');
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.writeHead(500).end();
    },
  ],
];

describe('the load header', () => {
  it.each(WAYS)('is on a response by %s, and can be read', async (_what, listener) => {
    const port = await serving(await reporting(), listener);
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await get(port, '/', { method });
      expect(parseLoadReport(String(headers[HEADER]))).toMatchObject({ utilization: 0.5 });
    }
  });

  it('leaves everything else as it was, cookies of an array among it', async () => {
    const listener: RequestListener = (_request, response) => {
      const list = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Case', 'kept'];
      response.writeHead(299, 'Odd', list).end('body');
    };
    const plain = await get(await listening(createServer(listener)));
    const reported = await get(await serving(await reporting(), listener));
    expect(reported.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect([reported.statusCode, reported.statusMessage]).toEqual([299, 'Odd']);
    const others = reported.rawHeaders.filter(
      (_entry, i, all) => all[i - (i % 2)]?.toLowerCase() !== HEADER,
    );
    const withoutDate = (raw: string[]): string[] => raw.filter((entry) => !entry.endsWith('GMT'));
    expect(withoutDate(others)).toEqual(withoutDate(plain.rawHeaders));
  });

  it.each<[string, RequestListener]>([
    ['setHeader', (_request, response) => response.setHeader(HEADER, 'own').end()],
    [
      'an object',
      (_request, response) => response.writeHead(200, { 'Endpoint-Load-Metrics': 'own' }).end(),
    ],
    [
      'an array',
      (_request, response) => response.writeHead(200, ['Endpoint-Load-Metrics', 'own']).end(),
    ],
    [
      'an array of pairs',
      (_request, response) => {
        const pairs = [['Endpoint-Load-Metrics', 'own']] as unknown as http.OutgoingHttpHeader[];
        response.writeHead(200, pairs).end();
      },
    ],
  ])('of the application, by %s, is kept', async (_what, listener) => {
    expect((await get(await serving(await reporting(), listener))).headers[HEADER]).toBe('own');
  });

  it('has the name it is given, or is not sent', async () => {
    const listener: RequestListener = (_request, response) => response.end();
    const older = await reporting({ loadHeader: 'X-Endpoint-Load-Metrics' });
    expect((await get(await serving(older, listener))).headers).toHaveProperty(
      'x-endpoint-load-metrics',
    );
    const silent = await reporting({ loadHeader: false });
    expect((await get(await serving(silent, listener))).headers).not.toHaveProperty(HEADER);
  });

  it('costs no response when headers have gone out already', async () => {
    const status = await reporting();
    const failure = deferred<unknown>();
    const port = await serving(status, (_request, response) => {
      response.write('once');
      try {
        response.writeHead(500);
      } catch (error) {
        failure.resolve(error);
      }
      response.end();
    });
    expect((await get(port)).statusCode).toBe(200);
    expect(await failure.promise).toMatchObject({ code: 'ERR_HTTP_HEADERS_SENT' });
  });
});

describe('requests in flight', () => {
  const settled = (status: ServerStatus): Promise<void> =>
    vi.waitFor(() => expect(status.snapshot().inFlight).toBe(0));

  it('are those whose response has not ended, streams among them', async () => {
    const status = createServerStatus();
    const rest = deferred<undefined>();
    const port = await serving(status, (_request, response) => {
      response.write('first');
      void rest.promise.then(() => response.end('last'));
    });
    const responses = await Promise.all([get(port), get(port)]);
    expect(status.snapshot().inFlight).toBe(2);
    rest.resolve(undefined);
    await Promise.all(responses.map((response) => once(response, 'end')));
    await settled(status);
  });

  it('do not stay when a client leaves, answered in part or not at all', async () => {
    const status = await reporting();
    const arrived: string[] = [];
    const port = await serving(status, (request, response) => {
      arrived.push(request.url ?? '');
      if (request.url === '/part') response.write('part');
    });
    const [silent, part] = ['/silent', '/part'].map((path) => {
      const request = http.get({ host: '127.0.0.1', port, path, agent: false });
      return request.on('error', () => undefined);
    });
    await vi.waitFor(() => expect(arrived.sort()).toEqual(['/part', '/silent']));
    expect(status.snapshot().inFlight).toBe(2);
    silent?.destroy();
    part?.destroy();
    await settled(status);
    expect(status.snapshot().requestsPerSecond).toBe(1); // the one whose response had begun
  });

  it('do not stay when the connection of pipelined ones ends', async () => {
    const status = createServerStatus();
    const arrived: string[] = [];
    const port = await serving(status, (request) => arrived.push(request.url ?? ''));
    const socket = connect(port, '127.0.0.1');
    const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`;
    socket.write(line('/1') + line('/2') + line('/3'));
    await vi.waitFor(() => expect(arrived).toEqual(['/1', '/2', '/3']));
    expect(status.snapshot().inFlight).toBe(3);
    socket.destroy();
    await settled(status);
  });

  it('end in turn when they are pipelined, and leave no listener', async () => {
    const status = createServerStatus();
    let served: Socket | undefined;
    const port = await serving(status, (request, response) => {
      served = request.socket;
      setImmediate(() => response.end(request.url));
    });
    const socket = connect(port, '127.0.0.1');
    const answers: string[] = [];
    socket.on('data', (data: Buffer) => answers.push(data.toString()));
    const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`;
    socket.write(line('/1'));
    await vi.waitFor(() => expect(answers.join('')).toContain('/1'));
    const listeners = served?.listenerCount('close');
    socket.write([2, 3, 4, 5, 6, 7, 8, 9].map((n) => line(`/${n}`)).join(''));
    await vi.waitFor(() => expect(answers.join('')).toContain('/9'));
    await settled(status);
    expect(served?.listenerCount('close')).toBe(listeners);
  });

  it('count errors by status', async () => {
    const status = await reporting();
    const port = await serving(status, (request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end();
    });
    for (const code of [200, 404, 500, 503]) await get(port, `/${code}`);
    await settled(status);
    expect(status.snapshot()).toMatchObject({ requestsPerSecond: 4, errorsPerSecond: 2 });
  });
});

/** One application in each framework: `/` answers, `/fail` throws. Registered as the documentation says. */
const APPLICATIONS: [string, (status: ServerStatus) => Promise<number>][] = [
  [
    'node:http',
    (status) =>
      serving(status, (request, response) => {
        response.statusCode = { '/': 200, '/fail': 500 }[request.url ?? ''] ?? 404;
        response.end('ok');
      }),
  ],
  [
    'express',
    (status) => {
      const app = express();
      app.set('env', 'test');
      app.use(status.express);
      app.get('/', (_request, response) => void response.json({ ok: true }));
      app.get('/fail', () => {
        throw new Error('failed');
      });
      return listening(createServer(app));
    },
  ],
  [
    'express behind the handler',
    (status) => {
      const app = express();
      app.get('/', (_request, response) => void response.json({ ok: true }));
      app.get('/fail', (_request, response) => void response.sendStatus(500));
      return listening(createServer(status.handler(app)));
    },
  ],
  [
    'fastify',
    async (status) => {
      const app = Fastify();
      await app.register(status.fastify);
      app.get('/', () => ({ ok: true }));
      await app.register(async (inner) => {
        inner.get('/fail', () => {
          throw new Error('failed');
        });
      });
      await app.listen({ port: 0, host: '127.0.0.1' });
      closeAfterwards({ close: () => app.close().then(() => undefined) });
      return (app.server.address() as AddressInfo).port;
    },
  ],
];

describe.each(APPLICATIONS)('a status in %s', (_what, start) => {
  it('reports load with every answer, of errors and of what nobody knows, too', async () => {
    const status = await reporting();
    const port = await start(status);
    const answers: [string, number][] = [
      ['/', 200],
      ['/fail', 500],
      ['/unknown', 404],
    ];
    for (const [path, expected] of answers) {
      const { statusCode, headers } = await get(port, path);
      expect(statusCode).toBe(expected);
      expect(parseLoadReport(String(headers[HEADER])), path).toMatchObject({ utilization: 0.5 });
    }
    await vi.waitFor(() => expect(status.snapshot().inFlight).toBe(0));
  });

  it('answers probes, 503 while it drains, and serves on', async () => {
    const status = await reporting({ livenessPath: '/live' });
    const port = await start(status);
    const ready = await fetch(`http://127.0.0.1:${port}/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: 'ready', inFlight: 0 });
    expect(ready.headers.get('cache-control')).toBe('no-store');
    expect((await get(port, '/ready', { method: 'HEAD' })).statusCode).toBe(200);
    const agent = new http.Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    expect((await get(port, '/', { agent })).headers.connection).toBe('keep-alive');
    await vi.waitFor(() => expect(status.snapshot().inFlight).toBe(0));
    const { open } = await status.drain({ minMs: 0 });
    expect(open).toBe(0);
    const draining = await fetch(`http://127.0.0.1:${port}/ready`);
    expect(draining.status).toBe(503);
    expect(await draining.json()).toEqual({ status: 'draining', inFlight: 0 });
    expect((await get(port, '/live')).statusCode).toBe(200);
    const served = await get(port, '/', { agent });
    expect([served.statusCode, served.headers.connection]).toEqual([200, 'close']);
  });
});

describe('a status in fastify', () => {
  it('counts what is injected without a connection', async () => {
    const status = await reporting();
    const app = Fastify();
    await app.register(status.fastify);
    app.get('/', () => ({ ok: true }));
    const answer = await app.inject('/');
    expect(answer.headers).toHaveProperty(HEADER);
    expect((await app.inject('/ready')).statusCode).toBe(200);
    expect(status.snapshot().inFlight).toBe(0);
    await app.close();
  });

  it('works over HTTP/2', async () => {
    const status = await reporting();
    const app = Fastify({ http2: true });
    await app.register(status.fastify);
    app.get('/', () => ({ ok: true }));
    await app.listen({ port: 0, host: '127.0.0.1' });
    closeAfterwards({ close: () => app.close().then(() => undefined) });
    const session = http2.connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    expect(await over(session, '/')).toMatchObject({
      ':status': 200,
      [HEADER]: expect.any(String),
    });
    expect(await over(session, '/ready')).toMatchObject({ ':status': 200 });
    session.close();
  });
});

/** Headers of a GET in this session. */
async function over(
  session: http2.ClientHttp2Session,
  path: string,
): Promise<http2.IncomingHttpHeaders> {
  const stream = session.request({ ':path': path });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  await once(stream.resume(), 'close');
  return headers;
}

describe('a status over HTTP/2', () => {
  it('reports load however the response is written', async () => {
    const port = await listening(
      http2.createServer(
        (await reporting()).handler(
          ({ url }: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
            if (url === '/write') response.write('ok');
            if (url === '/flush')
              Reflect.apply(Reflect.get(response, 'flushHeaders'), response, []);
            if (url === '/object') response.writeHead(201, { a: 'b' });
            if (url === '/array') response.writeHead(201, ['a', 'b'] as never);
            response.end();
          },
        ),
      ),
    );
    const session = http2.connect(`http://127.0.0.1:${port}`);
    for (const path of ['/', '/write', '/flush', '/object', '/array']) {
      const headers = await over(session, path);
      expect(parseLoadReport(String(headers[HEADER])), path).toMatchObject({ utilization: 0.5 });
    }
    session.close();
  });

  it('tells clients to go, busy and idle ones, serves what is on its way, and ends the sessions', async () => {
    const status = await reporting();
    const rest = deferred<undefined>();
    const server = http2.createServer(
      status.handler((request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
        if (request.url === '/slow') void rest.promise.then(() => response.end());
        else response.end();
      }),
    );
    const port = await listening(server);
    const sessions = [1, 2, 3].map(() => http2.connect(`http://127.0.0.1:${port}`));
    const goodbyes = sessions.map((session) => once(session, 'goaway'));
    for (const session of sessions) await over(session, '/');
    const slow = sessions[0] === undefined ? undefined : over(sessions[0], '/slow');
    await vi.waitFor(() => expect(status.snapshot().inFlight).toBe(1));
    const drained = status.drain({ minMs: 0 });
    for (const [code, lastStream] of await Promise.all(goodbyes)) {
      expect([code, lastStream]).toEqual([0, 2 ** 31 - 1]);
    }
    rest.resolve(undefined);
    expect(await slow).toMatchObject({ ':status': 200 });
    expect(await drained).toEqual({ open: 0 });
    await vi.waitFor(() => expect(sessions.every(({ closed }) => closed)).toBe(true));
    await new Promise((resolve) => server.close(resolve));
  });

  it('does not keep a request that its client has reset', async () => {
    const status = await reporting();
    const port = await listening(
      http2.createServer(
        status.handler<http2.Http2ServerRequest, http2.Http2ServerResponse>(() => undefined),
      ),
    );
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const stream = session.request({ ':path': '/' }).on('error', () => undefined);
    await vi.waitFor(() => expect(status.snapshot().inFlight).toBe(1));
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await vi.waitFor(() => expect(status.snapshot().inFlight).toBe(0));
    session.close();
  });
});

describe('upgraded connections', () => {
  it('are open until their socket closes, and a drain waits', async () => {
    const status = createServerStatus();
    const server = createServer(status.handler((_request, response) => response.end()));
    let upgraded: Socket | undefined;
    server.on(
      'upgrade',
      status.upgrade((_request, socket) => {
        upgraded = socket as Socket;
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
        );
      }),
    );
    const port = await listening(server);
    const headers = { connection: 'upgrade', upgrade: 'x' };
    const request = http.get({ host: '127.0.0.1', port, headers, agent: false });
    const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Socket];
    expect(status.snapshot()).toMatchObject({ inFlight: 0, upgraded: 1 });
    expect(await status.drain({ minMs: 0, timeoutMs: 50 })).toEqual({ open: 1 });
    const drained = status.drain({ minMs: 0 });
    upgraded?.end();
    socket.end();
    expect(await drained).toEqual({ open: 0 });
  });
});
