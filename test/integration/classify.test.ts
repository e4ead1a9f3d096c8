/**
 * Real servers that fail in each way, through four clients, and what `classify` makes of what each throws. Behind many
 * rows stands a measurement: the same fault looks different from library to library, and different faults alike.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type SecureVersion } from 'node:tls';
import { Worker } from 'node:worker_threads';
import axios, { type AxiosRequestConfig } from 'axios';
import { describe, expect, it } from 'vitest';
import * as undici from 'undici';
import { wrapAxios } from '../../src/clients/axios.js';
import { toInstance } from '../../src/discovery.js';
import { type AttemptRecord, classify } from '../../src/index.js';
import type { Settled } from '../../src/types.js';
import { clientOver, closeAfterwards, refusedPort, serve } from './servers.js';

const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));
const SERVER_TLS = { key: pem('key'), cert: pem('cert') };
const TRUSTED = { ca: pem('cert'), servername: 'orders' };

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const CUT = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this';

/** Makes one POST and reads the answer, as `send`; a POST, for nothing is done for it that its owner did not ask. */
type Send = (url: string) => Promise<unknown>;
type Library = 'http' | 'fetch' | 'undici' | 'axios';
interface Setting {
  readonly tls?: {
    readonly ca?: Buffer;
    readonly servername?: string;
    readonly maxVersion?: SecureVersion;
  };
  readonly axios?: AxiosRequestConfig | undefined;
  readonly undici?: undici.Agent.Options | undefined;
  /** Of a connection to be made, for undici. */
  readonly connectTimeoutMs?: number | undefined;
}

/** Each keeps its connections from one call to the next. */
function librariesWith({ tls = {}, connectTimeoutMs = 500, ...setting }: Setting = {}): Record<
  Library,
  Send
> {
  const agents = {
    httpAgent: new http.Agent({ keepAlive: true }),
    httpsAgent: new https.Agent({ keepAlive: true, ...tls }),
  };
  const dispatcher = new undici.Agent({
    ...setting.undici,
    connect: { timeout: connectTimeoutMs, ...tls },
  });
  closeAfterwards({
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy();
      return dispatcher.destroy();
    },
  });
  return {
    http: (url) => overNode(url, url.startsWith('https') ? agents.httpsAgent : agents.httpAgent),
    fetch: async (url) => {
      const reply = await undici.fetch(url, { method: 'POST', body: 'order', dispatcher });
      await reply.text();
      return reply;
    },
    undici: async (url) => {
      const reply = await undici.request(url, { method: 'POST', body: 'order', dispatcher });
      await reply.body.text();
      return reply;
    },
    axios: (url) => axios.post(url, 'order', { proxy: false, ...agents, ...setting.axios }),
  };
}

function overNode(url: string, agent: http.Agent): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https') ? https : http;
    const sent = request(url, { method: 'POST', agent }, (reply) => {
      reply.on('error', reject).on('end', () => resolve(reply));
      reply.resume();
    });
    sent.on('error', reject).end('order');
  });
}

/** In words: `failure if-idempotent`, `ignored always elsewhere`. */
async function verdictOf(sending: Promise<unknown>, port: number): Promise<string> {
  const settled = await sending.then(
    (value): Settled => ({ ok: true, value }),
    (error: unknown): Settled => ({ ok: false, error }),
  );
  const instance = toInstance({ host: '127.0.0.1', port }, 'here');
  const { outcome, retry, where, retryAfterMs } = classify(settled, instance);
  return [outcome, retry, where, retryAfterMs].filter((part) => part !== undefined).join(' ');
}

type Verdicts = string | Partial<Record<Library, string>>;

/** @param expected one for all, or by library; one that is not named is not asked. */
async function expectVerdicts(
  port: number,
  expected: Verdicts,
  {
    protocol = 'http',
    warm = false,
    ...setting
  }: Setting & { protocol?: string; warm?: boolean } = {},
): Promise<void> {
  const libraries = librariesWith(setting);
  const names = Object.keys(libraries) as Library[];
  const found: Partial<Record<Library, string>> = {};
  const wanted: Partial<Record<Library, string>> = {};
  for (const name of names) {
    const verdict = typeof expected === 'string' ? expected : expected[name];
    if (verdict === undefined) continue;
    wanted[name] = verdict;
    const url = `${protocol}://127.0.0.1:${String(port)}/`;
    if (warm) await libraries[name](`${url}warm`);
    found[name] = await verdictOf(libraries[name](url), port);
  }
  expect(found).toEqual(wanted);
}

async function listening(server: net.Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterwards({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      return Promise.resolve();
    },
  });
  return (server.address() as AddressInfo).port;
}

/** A server of single connections, before HTTP. */
const raw = (onSocket: (socket: Socket) => void): Promise<number> =>
  listening(net.createServer(onSocket));
/** One that does this when a request has come. */
const onRequest = (act: (socket: Socket) => void): Promise<number> =>
  raw((socket) => socket.once('data', () => act(socket)));
/** One that serves `/warm`, and does this when another request comes on the same connection. */
const onReuse = (act: (socket: Socket) => void): Promise<number> =>
  raw((socket) =>
    socket.on('data', (data) => {
      if (String(data).includes('POST /warm ')) socket.write(OK);
      else if (String(data).includes('POST / ')) act(socket); // not for a body that comes by itself
    }),
  );
const soon = (act: () => unknown): unknown => setTimeout(act, 20);

const UNSENT = 'failure always';
const UNSENT_HERE = 'failure always elsewhere';
const FAILED = 'failure if-idempotent';
const CLOSED = 'ignored if-idempotent';
const IGNORED = 'ignored never';

describe('an answer', () => {
  it.each([
    [200, 'success never'],
    [404, IGNORED],
    [421, 'ignored always elsewhere'],
    [425, 'ignored always'],
    [429, 'overload if-idempotent 3000'],
    [500, FAILED],
    [501, IGNORED],
    [503, 'overload if-idempotent 3000'],
    [507, 'failure if-idempotent elsewhere'],
  ])('of status %i is judged alike, returned or thrown', async (status, verdict) => {
    const server = await serve((_request, response) => {
      response.writeHead(status, { 'retry-after': '3' }).end();
    });
    await expectVerdicts(server.port, verdict);
    await expectVerdicts(
      server.port,
      { axios: verdict },
      { axios: { validateStatus: () => true } },
    );
  });

  it('names its pause as a date, held against its own clock', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(503, {
        date: 'Sun, 06 Nov 1994 08:49:37 GMT',
        'retry-after': 'Sun Nov  6 08:49:47 1994',
      });
      response.end();
    });
    await expectVerdicts(server.port, 'overload if-idempotent 10000');
  });

  it.each([
    ['is cut short by a reset', (socket: Socket) => soon(() => socket.resetAndDestroy()), CUT],
    ['ends before its end', (socket: Socket) => soon(() => socket.end()), CUT],
    ['is cut short in its headers', (socket: Socket) => soon(() => socket.end()), CUT.slice(0, 30)],
    ['is no HTTP', (socket: Socket) => socket.end(), 'SSH-2.0-OpenSSH_9\r\n\r\n'],
    [
      'has chunks that are none',
      (socket: Socket) => socket.end(),
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnone\r\n',
    ],
  ])('that %s is a failure', async (_what, act, text) => {
    const port = await onRequest((socket) => {
      socket.write(text);
      act(socket);
    });
    await expectVerdicts(port, FAILED);
  });

  it('too large for what the caller set is not', async () => {
    const headers = await onRequest((socket) =>
      socket.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(70_000)}\r\n\r\n`),
    );
    await expectVerdicts(headers, IGNORED);
    const body = await serve((_request, response) => response.end('x'.repeat(1_000)));
    await expectVerdicts(
      body.port,
      { undici: IGNORED, fetch: IGNORED, axios: IGNORED },
      { undici: { maxResponseSize: 100 }, axios: { maxContentLength: 100 } },
    );
  });
});

describe('a connection', () => {
  it('that is refused was not used', async () => {
    await expectVerdicts(await refusedPort(), UNSENT);
  });

  it('that is reset as it is made was not used', async () => {
    await expectVerdicts(await raw((socket) => socket.resetAndDestroy()), UNSENT);
  });

  it('refused by every address of a name was not used, whichever error leads', async () => {
    const port = await refusedPort();
    const lookup: net.LookupFunction = (_host, _options, done) => {
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    };
    const agent = new http.Agent({ lookup, autoSelectFamily: true });
    const url = `http://two.test:${String(port)}/`;
    expect(await verdictOf(overNode(url, agent), port)).toBe(UNSENT);
    const axiosCall = axios.post(url, 'order', { proxy: false, httpAgent: agent });
    expect(await verdictOf(axiosCall, port)).toBe(UNSENT);
  });

  it('to somewhere else than the instance tells nothing of it', async () => {
    const refused = await refusedPort();
    for (const send of Object.values(librariesWith())) {
      const url = `http://127.0.0.1:${String(refused)}/`;
      expect(await verdictOf(send(url), refused + 1)).toBe(IGNORED);
    }
  });

  it('that a redirect leads to, where it fails, does not unsend the request', async () => {
    const refused = await refusedPort();
    const server = await serve((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${String(refused)}/` }).end();
    });
    await expectVerdicts(server.port, { fetch: IGNORED, axios: IGNORED });
  });

  it('that is not answered within its time was not used, as far as undici tells', async () => {
    const worker = new Worker(FULL_QUEUE, { eval: true });
    closeAfterwards({ close: () => worker.terminate().then(() => undefined) });
    const [port] = (await once(worker, 'message')) as [number];
    const waiting = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1'));
    for (const socket of waiting) socket.on('error', () => undefined);
    await sleep(100);
    const timeout = 300;
    await expectVerdicts(
      port,
      { fetch: UNSENT, undici: UNSENT, axios: FAILED },
      { connectTimeoutMs: timeout, axios: { timeout } },
    );
    const { undici: send } = librariesWith({ connectTimeoutMs: timeout });
    expect(await verdictOf(send(`http://127.0.0.1:${String(port)}/`), port + 1)).toBe(IGNORED);
    for (const socket of waiting) socket.destroy();
  });

  it.each([
    ['closed', (socket: Socket) => socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('that is new and %s once the request has come is a failure', async (_how, act) => {
    await expectVerdicts(await onRequest(act), FAILED);
  });

  it('that is reused and closed then blames nobody where it can be known, and proves nothing', async () => {
    // This server has read the request. It makes the same error as one that closed the idle connection before.
    const closed = await onReuse((socket) => socket.end());
    const verdicts = { http: FAILED, fetch: FAILED, undici: FAILED, axios: CLOSED };
    await expectVerdicts(closed, verdicts, { warm: true });
    const reset = await onReuse((socket) => socket.resetAndDestroy());
    await expectVerdicts(reset, verdicts, { warm: true });
  });

  it('that is reused and cut amid the answer is a failure', async () => {
    const port = await onReuse((socket) => {
      socket.write(CUT);
      soon(() => socket.end());
    });
    await expectVerdicts(port, FAILED, { warm: true });
  });
});

/** Takes no connections, and has a short queue of them. */
const FULL_QUEUE = `
  const { createServer } = require('node:net');
  const { parentPort } = require('node:worker_threads');
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

describe('TLS', () => {
  const secure = { protocol: 'https' };

  it('that ends amid the handshake has not let the request out', async () => {
    await expectVerdicts(await raw((socket) => socket.end()), UNSENT, secure);
    await expectVerdicts(await onRequest((socket) => socket.end()), UNSENT, secure);
  });

  it('that is reset amid the handshake is known to have been so by axios alone', async () => {
    const port = await onRequest((socket) => socket.resetAndDestroy());
    const verdicts = { http: FAILED, fetch: FAILED, undici: FAILED, axios: UNSENT };
    await expectVerdicts(port, verdicts, secure);
  });

  it('that never comes about has not let the request out', async () => {
    const port = await raw(() => undefined);
    const verdicts = { fetch: UNSENT, undici: UNSENT, axios: UNSENT };
    await expectVerdicts(port, verdicts, { ...secure, axios: { timeout: 200 } });
  });

  it('with a certificate that is refused sends the call elsewhere', async () => {
    const port = await listening(https.createServer(SERVER_TLS));
    await expectVerdicts(port, UNSENT_HERE, secure); // of an unknown authority
    const { ca } = TRUSTED;
    await expectVerdicts(port, UNSENT_HERE, { ...secure, tls: { ca } }); // of another name
  });

  it('with no version in common sends the call elsewhere', async () => {
    const port = await listening(https.createServer({ ...SERVER_TLS, minVersion: 'TLSv1.3' }));
    await expectVerdicts(port, UNSENT_HERE, {
      ...secure,
      tls: { ...TRUSTED, maxVersion: 'TLSv1.2' },
    });
  });

  it('to a port that does not speak it is proof for axios, which knows of the handshake', async () => {
    const server = await serve((_request, response) => response.end());
    const verdicts = { http: FAILED, fetch: FAILED, undici: FAILED, axios: UNSENT };
    await expectVerdicts(server.port, verdicts, secure);
  });

  it('broken by rubbish after the request has the same words, and is no proof', async () => {
    const tls = createTlsServer(SERVER_TLS);
    const port = await raw((socket) => {
      tls.emit('connection', socket);
      tls.once('secureConnection', (wrapped) =>
        wrapped.on('error', () => undefined).once('data', () => socket.write('no record of TLS')),
      );
    });
    await expectVerdicts(port, { http: FAILED, axios: FAILED }, { ...secure, tls: TRUSTED });
  });

  it("of a server that refuses the client's certificate is a failure: the request may be out", async () => {
    const wants = { ...SERVER_TLS, requestCert: true, rejectUnauthorized: true };
    const port = await listening(https.createServer(wants));
    await expectVerdicts(port, FAILED, { ...secure, tls: TRUSTED });
  });
});

describe('a timeout', () => {
  it('of the library, in whatever words, is a failure', async () => {
    const silent = await onRequest(() => undefined);
    const limits = { undici: { headersTimeout: 200, bodyTimeout: 200 }, axios: { timeout: 200 } };
    const verdicts = { fetch: FAILED, undici: FAILED, axios: FAILED };
    await expectVerdicts(silent, verdicts, limits);
    const clarify = { timeout: 200, transitional: { clarifyTimeoutError: true } };
    await expectVerdicts(silent, { axios: FAILED }, { axios: clarify });
    await expectVerdicts(silent, { axios: FAILED }, { axios: { timeout: 200, adapter: 'fetch' } });
    const stalls = await onRequest((socket) => socket.write(CUT));
    await expectVerdicts(stalls, verdicts, limits);
  });

  const signalled: [string, (url: string, signal: AbortSignal) => Promise<unknown>][] = [
    ['fetch', (url, signal) => fetch(url, { signal })],
    ['undici', (url, signal) => undici.request(url, { signal })],
    ['axios', (url, signal) => axios.get(url, { signal, proxy: false })],
    ['axios by fetch', (url, signal) => axios.get(url, { signal, adapter: 'fetch' })],
    ['http', (url, signal) => once(http.get(url, { signal }), 'response')],
    ['timers', (_url, signal) => sleep(60_000, undefined, { signal })],
  ];

  it.each(signalled)(
    "of the function's own signal is a failure, an abort is not (%s)",
    async (_library, send) => {
      const silent = await onRequest(() => undefined);
      const url = `http://127.0.0.1:${String(silent)}/`;
      expect(await verdictOf(send(url, AbortSignal.timeout(50)), silent)).toBe(FAILED);
      const controller = new AbortController();
      setTimeout(() => {
        controller.abort();
      }, 50);
      expect(await verdictOf(send(url, controller.signal), silent)).toBe(IGNORED);
    },
  );
});

describe("the caller's own client", () => {
  it('that is closed blames nobody', async () => {
    const { port } = await serve((_request, response) => response.end());
    const closed = new undici.Agent();
    await closed.close();
    const url = `http://127.0.0.1:${String(port)}/`;
    expect(await verdictOf(undici.request(url, { dispatcher: closed }), port)).toBe(IGNORED);
    expect(await verdictOf(undici.fetch(url, { dispatcher: closed }), port)).toBe(IGNORED);
  });

  it('that sends what is wrong blames nobody', async () => {
    const { port } = await serve((_request, response) => response.end());
    const url = `http://127.0.0.1:${String(port)}/`;
    const wrong = { method: 'POST', body: 'order', headers: { 'content-length': '99' } } as const;
    expect(await verdictOf(undici.request(url, wrong), port)).toBe(IGNORED);
    expect(await verdictOf(fetch(url, { headers: { 'bad name': '' } }), port)).toBe(IGNORED);
    expect(await verdictOf(fetch('gopher://x'), port)).toBe(IGNORED);
    expect(await verdictOf(axios.get('gopher://x'), port)).toBe(IGNORED);
    expect(await verdictOf(fetch(url, { redirect: 'nowhere' as 'error' }), port)).toBe(IGNORED);
  });

  it('that goes through a proxy which cannot reach the instance sends the call elsewhere', async () => {
    const proxy = http.createServer().on('connect', (_request, socket) => {
      socket.on('error', () => undefined).end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    const uri = `http://127.0.0.1:${String(await listening(proxy))}`;
    const dispatcher = new undici.ProxyAgent({ uri, proxyTunnel: true });
    const { port } = await serve((_request, response) => response.end());
    const url = `http://127.0.0.1:${String(port)}/`;
    const elsewhere = 'ignored always elsewhere';
    expect(await verdictOf(undici.request(url, { dispatcher }), port)).toBe(elsewhere);
    expect(await verdictOf(undici.fetch(url, { dispatcher }), port)).toBe(elsewhere);
    await dispatcher.close();
  });

  it('heeds a reply that an interceptor or the retry agent made an error of', async () => {
    const { port } = await serve((_request, response) => {
      response.writeHead(503, { 'retry-after': '0' }).end();
    });
    const url = `http://127.0.0.1:${String(port)}/`;
    const throwing = new undici.Agent().compose(undici.interceptors.responseError());
    const retrying = new undici.RetryAgent(new undici.Agent(), { maxRetries: 1, minTimeout: 1 });
    for (const dispatcher of [throwing, retrying]) {
      expect(await verdictOf(undici.request(url, { dispatcher }), port)).toBe(
        'overload if-idempotent 0',
      );
    }
  });
});

describe('HTTP/2', () => {
  const { constants } = http2;
  const CODES = [
    ['REFUSED_STREAM', constants.NGHTTP2_REFUSED_STREAM, 'overload always'],
    ['ENHANCE_YOUR_CALM', constants.NGHTTP2_ENHANCE_YOUR_CALM, 'overload if-idempotent'],
    ['HTTP_1_1_REQUIRED', constants.NGHTTP2_HTTP_1_1_REQUIRED, IGNORED],
    ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR, FAILED],
  ] as const;

  /** Through node:http2, undici and axios; `overNode` false where Node's client tells nothing at all. */
  async function expectOverH2(
    onStream: (stream: http2.ServerHttp2Stream) => void,
    verdicts: { readonly http2?: string; readonly undici?: string; readonly axios?: string },
  ): Promise<void> {
    const server = http2.createSecureServer(SERVER_TLS);
    server.on('sessionError', () => undefined);
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      onStream(stream);
    });
    const port = await listening(server);
    const origin = `https://127.0.0.1:${String(port)}`;
    const found: Record<string, string> = {};
    if (verdicts.http2 !== undefined) {
      found['http2'] = await verdictOf(overHttp2(origin), port);
    }
    if (verdicts.undici !== undefined) {
      const dispatcher = new undici.Agent({ allowH2: true, connect: TRUSTED });
      const sent = undici.request(origin, { method: 'POST', body: 'order', dispatcher });
      found['undici'] = await verdictOf(sent, port);
      await dispatcher.destroy();
    }
    if (verdicts.axios !== undefined) {
      const config = { httpVersion: 2, http2Options: TRUSTED, proxy: false } as const;
      found['axios'] = await verdictOf(axios.post(origin, 'order', config), port);
    }
    expect(found).toEqual(verdicts);
  }

  function overHttp2(
    origin: string,
    options: http2.SecureClientSessionOptions = TRUSTED,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const session = http2.connect(origin, options).on('error', () => undefined);
      const stream = session.request({ ':method': 'POST' });
      stream.on('error', reject).on('response', resolve);
      stream.on('close', () => {
        session.destroy();
      });
      stream.resume().end('order');
    });
  }

  it.each(CODES)('ends a stream with %s', async (_name, code, verdict) => {
    await expectOverH2(
      (stream) => {
        stream.close(code);
      },
      { http2: verdict, undici: verdict, axios: verdict },
    );
  });

  it('ends a session with an error', async () => {
    const failed = { http2: FAILED, undici: FAILED, axios: FAILED };
    await expectOverH2(({ session }) => session?.goaway(constants.NGHTTP2_INTERNAL_ERROR), failed);
    const overload = 'overload if-idempotent';
    await expectOverH2(({ session }) => session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM), {
      http2: overload,
      undici: overload,
      axios: overload,
    });
  });

  it('ends a session without one: for undici that blames nobody, and proves nothing', async () => {
    await expectOverH2(({ id = 0, session }) => session?.goaway(0, id), { undici: CLOSED });
  });

  it('refuses a stream by a GOAWAY that does not cover it', async () => {
    const port = await raw((socket) => {
      socket.write(frame(SETTINGS));
      socket.once('data', () => soon(() => socket.write(frame(GOAWAY, Buffer.alloc(8)))));
    });
    const refused = overHttp2(`http://127.0.0.1:${String(port)}`, {});
    expect(await verdictOf(refused, port)).toBe('overload always');
  });

  it('has not sent a stream that waited for its session, or came after it', async () => {
    const refused = await refusedPort();
    const waited = overHttp2(`http://127.0.0.1:${String(refused)}`, {});
    expect(await verdictOf(waited, refused)).toBe(UNSENT);

    const port = await listening(https.createServer(SERVER_TLS)); // speaks no HTTP/2
    expect(await verdictOf(overHttp2(`https://127.0.0.1:${String(port)}`), port)).toBe(UNSENT_HERE);

    const server = await listening(http2.createServer());
    const session = http2.connect(`http://127.0.0.1:${String(server)}`);
    session.on('error', () => undefined);
    const pending = once(session.request(), 'response');
    session.destroy();
    expect(await verdictOf(pending, server)).toBe('ignored always');
    const late = new Promise(() => session.request());
    expect(await verdictOf(late, server)).toBe('ignored always');
  });
});

const SETTINGS = 4;
const GOAWAY = 7;

/** A frame of HTTP/2 on stream 0, without flags. A GOAWAY of zeros covers no stream and has no error. */
function frame(type: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  return Buffer.concat([header, payload]);
}

describe('a keepAliveTimeout that runs out just as its connections are used', () => {
  /**
   * In a thread of its own, for ours must miss the end of the connections. It does not say how soon that will be, as
   * Node's server would (and as many do not); it comes a second after the timeout.
   */
  const IMPATIENT = `
    const { createServer } = require('node:http');
    const { parentPort } = require('node:worker_threads');
    const server = createServer((request, response) => {
      response.setHeader('connection', 'keep-alive');
      setTimeout(() => response.end('ok'), 30);
    });
    server.keepAliveTimeout = 1;
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `;
  const CONNECTIONS = 5;

  it('costs neither a call nor an open breaker', async () => {
    const worker = new Worker(IMPATIENT, { eval: true });
    closeAfterwards({ close: () => worker.terminate().then(() => undefined) });
    const [port] = (await once(worker, 'message')) as [number];
    const patient = await serve((_request, response) => {
      setTimeout(() => response.end('ok'), 30);
    });
    const client = clientOver([{ port }, patient], { breaker: { consecutiveFailures: 2 } });
    const ended: AttemptRecord[] = [];
    client.on('attempt.ended', (attempt) => ended.push(attempt));
    const agent = new http.Agent({ keepAlive: true });
    closeAfterwards({ close: () => Promise.resolve(agent.destroy()) });
    const wrapped = wrapAxios(axios.create({ baseURL: 'http://orders', httpAgent: agent }), client);
    const some = (): Promise<unknown> =>
      Promise.all(Array.from({ length: 2 * CONNECTIONS }, () => wrapped.get('/')));

    await some();
    await sleep(20); // for the connections to be back in the agent
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500); // as a busy event loop does
    await some();

    const closed = ended.filter(({ outcome }) => outcome === 'ignored');
    expect(closed).toHaveLength(CONNECTIONS);
    expect(closed).toMatchObject(closed.map(() => ({ error: 'ECONNRESET', ended: 'threw' })));
    expect(ended.filter(({ outcome }) => outcome === 'failure')).toEqual([]);
    expect(client.snapshot().instances.map(({ breaker }) => breaker)).toEqual(['closed', 'closed']);
  });
});
