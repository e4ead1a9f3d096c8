import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { toInstance } from '../../src/discovery.js';
import { failureText } from '../../src/health/probe.js';
import { httpProbe } from '../../src/health/http-probe.js';
import type { HttpCheck } from '../../src/http-check-options.js';
import type { Instance, InstanceSpec } from '../../src/types.js';
import { refusedPort, serve } from '../integration/servers.js';
import { deferred } from '../support/promises.js';

const pem = (name: string): Buffer =>
  readFileSync(new URL(`../integration/tls/${name}.pem`, import.meta.url));

function at(port: number, spec: Partial<InstanceSpec> = {}): Instance {
  return toInstance({ host: '127.0.0.1', port, ...spec }, 'test');
}

interface Asking {
  readonly service?: string;
  readonly signal?: AbortSignal;
}

/** The role, or why the check failed. */
async function ask(instance: Instance, check: HttpCheck, asking: Asking = {}): Promise<unknown> {
  const { service = 'orders', signal = new AbortController().signal } = asking;
  try {
    return { role: await httpProbe(check, service)(instance, signal) };
  } catch (error) {
    return failureText(error);
  }
}

const GOOD = { role: undefined };

/** A server that answers by path: `/503` with that status, anything else with 200 and `body`. */
async function answering(body = 'ok'): ReturnType<typeof serve> {
  return serve((request, response) => {
    const status = /^\/(\d{3})$/.exec(request.url ?? '')?.[1];
    response.writeHead(Number(status ?? 200), { location: '/200' }).end(body);
  });
}

/** A server of bytes; gives its port, and each connection as it comes. */
async function raw(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

describe('the status', () => {
  it.each([
    ['/200', GOOD],
    ['/299', GOOD],
    ['/301', 'HTTP 301'],
    ['/404', 'HTTP 404'],
    ['/503', 'HTTP 503'],
  ])('of %s', async (path, outcome) => {
    const server = await answering();
    expect(await ask(at(server.port), { path })).toEqual(outcome);
    expect(server.seen).toEqual([`GET ${path}`]); // no redirect is followed
  });

  it('is good when it is what is expected, and only then', async () => {
    const { port } = await answering();
    expect(await ask(at(port), { path: '/503', expectedStatus: 503 })).toEqual(GOOD);
    expect(await ask(at(port), { path: '/301', expectedStatus: [200, 301] })).toEqual(GOOD);
    expect(await ask(at(port), { path: '/200', expectedStatus: [204, 429] })).toBe('HTTP 200');
  });
});

describe('the body', () => {
  it('contains the text, or matches the expression', async () => {
    const { port } = await answering('status: grün\nready: yes');
    expect(await ask(at(port), { path: '/', expectedBody: 'grün' })).toEqual(GOOD);
    expect(await ask(at(port), { path: '/', expectedBody: /^ready: (yes|maybe)$/m })).toEqual(GOOD);
    expect(await ask(at(port), { path: '/', expectedBody: 'red' })).toBe('body does not match');
    expect(await ask(at(port), { path: '/', expectedBody: /^red/ })).toBe('body does not match');
  });

  it('matches a global expression each time', async () => {
    const { port } = await answering('ready');
    const probe = httpProbe({ path: '/', expectedBody: /ready/g }, 'orders');
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await expect(probe(at(port), signal)).resolves.toBeUndefined();
  });

  it('is read up to 64 KiB', async () => {
    const filler = 'x'.repeat(65_536 - 5);
    const fits = await answering(`${filler}ready`);
    const tooLong = await answering(`${filler}_ready`);
    expect(await ask(at(fits.port), { path: '/', expectedBody: /ready/ })).toEqual(GOOD);
    expect(await ask(at(fits.port), { path: '/', expectedBody: 'ready' })).toEqual(GOOD);
    const failed = 'body does not match';
    expect(await ask(at(tooLong.port), { path: '/', expectedBody: /ready/ })).toBe(failed);
    expect(await ask(at(tooLong.port), { path: '/', expectedBody: 'ready' })).toBe(failed);
  });

  it.each([
    ['not at all without an expectation', undefined],
    ['no further than the text expected', 'ready'],
  ])('is read %s, and the connection is closed', async (_, expectedBody) => {
    const closed = deferred<undefined>();
    const server = await serve((request, response) => {
      request.socket.once('close', () => closed.resolve(undefined));
      response.write('ready, and so on'); // never ends
    });
    expect(await ask(at(server.port), { path: '/', expectedBody })).toEqual(GOOD);
    await closed.promise;
  });

  it('that breaks off fails', async () => {
    const port = await raw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nrea'));
    });
    expect(await ask(at(port), { path: '/', expectedBody: 'ready' })).toBe('ECONNRESET');
  });
});

describe('the roles', () => {
  const roles = { primary: '/primary', standby: '/replica', readonly: '/read-only' };

  function patroni(good: readonly string[]): ReturnType<typeof serve> {
    return serve((request, response) => {
      response.writeHead(good.includes(request.url ?? '') ? 200 : 503).end();
    });
  }

  it('are asked in their order, until one is good', async () => {
    const server = await patroni(['/replica', '/read-only']);
    expect(await ask(at(server.port), { roles })).toEqual({ role: 'standby' });
    expect(server.seen).toEqual(['GET /primary', 'GET /replica']);
  });

  it('fail with the last status when none is good', async () => {
    const server = await serve((request, response) => {
      response.writeHead(request.url === '/read-only' ? 500 : 503).end();
    });
    expect(await ask(at(server.port), { roles })).toBe('HTTP 500');
    expect(server.seen).toHaveLength(3);
  });

  it('are asked on, when one is not answered', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/primary') request.socket.destroy();
      else response.end();
    });
    expect(await ask(at(server.port), { roles })).toEqual({ role: 'standby' });
  });

  it('are asked no further once the check is aborted', async () => {
    const abort = new AbortController();
    const server = await serve(() => abort.abort());
    await ask(at(server.port), { roles }, { signal: abort.signal });
    expect(server.seen).toEqual(['GET /primary']);
  });
});

describe('the request', () => {
  async function sent(check: HttpCheck, service?: string): Promise<Record<string, unknown>> {
    let seen: Record<string, unknown> = {};
    const server = await serve(({ method, url, headers }, response) => {
      seen = { method, url, ...headers };
      response.end();
    });
    expect(await ask(at(server.port), check, service === undefined ? {} : { service })).toEqual(
      GOOD,
    );
    return { ...seen, port: server.port };
  }

  it("has the service's name as its host, and closes its connection", async () => {
    expect(await sent({ path: '/health?deep=1' })).toMatchObject({
      method: 'GET',
      url: '/health?deep=1',
      host: 'orders',
      connection: 'close',
      'user-agent': 'fairlead-health-check',
    });
  });

  it('has the method and the headers that are wanted, the host too', async () => {
    const headers = { Host: 'db.example', Authorization: 'Bearer secret', 'User-Agent': 'mine' };
    expect(await sent({ path: '/', method: 'OPTIONS', headers })).toMatchObject({
      method: 'OPTIONS',
      host: 'db.example',
      authorization: 'Bearer secret',
      'user-agent': 'mine',
    });
  });

  it("has the address as its host where the service's name can be none", async () => {
    const { host, port } = await sent({ path: '/' }, 'orders, all of them');
    expect(host).toBe(`127.0.0.1:${String(port)}`);
  });

  it('goes to the port of the check where it has one', async () => {
    const { port } = await answering();
    expect(await ask(at(1), { path: '/', port })).toEqual(GOOD);
  });

  it('reaches an IPv6 address', async () => {
    const server = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
    });
    server.listen(0, '::1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await ask(at(port, { host: '::1' }), { path: '/' })).toEqual(GOOD);
  });

  it('takes each connection for itself, and leaves none', async () => {
    const sockets = new Set<Socket>();
    const server = await serve((request, response) => {
      sockets.add(request.socket);
      response.end();
    });
    await ask(at(server.port), { path: '/' });
    await ask(at(server.port), { path: '/' });
    expect(sockets.size).toBe(2);
    await expect.poll(() => [...sockets].every((socket) => socket.destroyed)).toBe(true);
  });
});

describe('what is no answer', () => {
  it('is named by its code', async () => {
    const cut = await raw((socket) => socket.destroy());
    const noise = await raw((socket) => socket.end('220 smtp ready\r\n'));
    const nobody = await refusedPort();
    expect(await ask(at(nobody), { path: '/' })).toBe('ECONNREFUSED');
    expect(await ask(at(cut), { path: '/' })).toBe('ECONNRESET');
    expect(await ask(at(noise), { path: '/' })).toBe('HPE_INVALID_CONSTANT');
  });

  it('may be a protocol that was not asked for', async () => {
    const port = await raw((socket) => {
      socket.once('data', () => {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
        );
      });
    });
    expect(await ask(at(port), { path: '/' })).toBe('connection closed without an answer');
  });

  it.each([
    ['nothing', undefined, 'ABORT_ERR'],
    ['the headers', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx', 'ECONNRESET'],
  ])('ends with the signal, after %s', async (_, answer, error) => {
    const abort = new AbortController();
    const asked = deferred<Socket>();
    const port = await raw((socket) => {
      socket.once('data', () => {
        if (answer !== undefined) socket.write(answer);
        asked.resolve(socket);
      });
    });
    const outcome = ask(at(port), { path: '/', expectedBody: 'ready' }, { signal: abort.signal });
    const socket = await asked.promise;
    const closed = once(socket, 'close');
    // The turn in which the answer arrives, and one more for it to be read.
    setTimeout(() => abort.abort(), 20);
    expect(await outcome).toBe(error);
    await closed;
  });

  it('tells no header', async () => {
    const headers = { authorization: 'Bearer secret\n' };
    expect(await ask(at(1), { path: '/', headers })).not.toContain('secret');
  });
});

describe('over TLS', () => {
  interface Seen {
    readonly servername: string | false | null;
    readonly headers: IncomingHttpHeaders;
    readonly authorized: boolean;
    readonly resumed: boolean;
  }

  /** A server whose certificate names `orders` and nothing else, and is its own authority. */
  async function secure(options: ServerOptions = {}): Promise<{ port: number; seen: Seen[] }> {
    const seen: Seen[] = [];
    const listener: RequestListener = (request, response) => {
      const socket = request.socket as TLSSocket & Pick<Seen, 'servername'>;
      const { servername, authorized } = socket;
      const resumed = socket.isSessionReused();
      seen.push({ servername, headers: request.headers, authorized, resumed });
      response.end('ok');
    };
    const server = createTlsServer({ key: pem('key'), cert: pem('cert'), ...options }, listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port: (server.address() as AddressInfo).port, seen };
  }

  const tls = { ca: pem('cert') };
  const https = { protocol: 'https' };

  it("the certificate holds the service's name", async () => {
    const { port, seen } = await secure();
    const check = { path: '/', tls };
    expect(await ask(at(port, https), check)).toEqual(GOOD);
    expect(await ask(at(port), { ...check, protocol: 'https' })).toEqual(GOOD);
    const refusal = 'ERR_TLS_CERT_ALTNAME_INVALID';
    expect(await ask(at(port, https), check, { service: 'users' })).toBe(refusal);
    expect(seen).toMatchObject([
      { servername: 'orders', headers: { host: 'orders' } },
      { servername: 'orders', headers: { host: 'orders' } },
    ]);
  });

  it('or the name that is wanted, whatever the host header says', async () => {
    const { port, seen } = await secure();
    const headers = { host: 'db.example' };
    const named = { path: '/', headers, tls: { ...tls, servername: 'orders' } };
    expect(await ask(at(port, https), named, { service: 'users' })).toEqual(GOOD);
    expect(seen).toMatchObject([{ servername: 'orders', headers }]);
  });

  it('or an address, which is not sent as a name', async () => {
    const names: string[] = [];
    const { port } = await secure({
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    });
    const check = { path: '/', tls: { ...tls, servername: '127.0.0.1' } };
    expect(await ask(at(port, https), check)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(names).toEqual([]);
    expect(await ask(at(port, https), { path: '/', tls })).toEqual(GOOD);
    expect(names).toEqual(['orders']);
  });

  it('is never unchecked, not even where the environment says so', async () => {
    const { port } = await secure();
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    onTestFinished(() => {
      warning.mockRestore();
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      if (before !== undefined) process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    });
    expect(await ask(at(port, https), { path: '/' })).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    const check = { path: '/', tls };
    expect(await ask(at(port, https), check, { service: 'users' })).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  it('checks the certificate each time: no session is resumed', async () => {
    const { port, seen } = await secure();
    const probe = httpProbe({ path: '/', tls }, 'orders');
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await probe(at(port, https), signal);
    expect(seen.map(({ resumed }) => resumed)).toEqual([false, false, false]);
  });

  it('takes each connection for itself, though the body is read to its end', async () => {
    let handshakes = 0;
    const { port } = await secure({
      SNICallback: (_name, done) => {
        handshakes++;
        done(null);
      },
    });
    const probe = httpProbe({ path: '/', tls, expectedBody: /^ok$/ }, 'orders');
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await probe(at(port, https), signal);
    expect(handshakes).toBe(3);
  });

  it('shows its own certificate', async () => {
    const { port, seen } = await secure({ requestCert: true, ca: pem('cert') });
    const check = { path: '/', tls: { ca: [pem('cert')], cert: pem('cert'), key: pem('key') } };
    expect(await ask(at(port, https), check)).toEqual(GOOD);
    expect(seen).toMatchObject([{ authorized: true }]);
  });
});
