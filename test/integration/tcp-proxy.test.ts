import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { realEnv } from '../../src/env.js';
import type { Clock } from '../../src/index.js';
import { reset } from '../../src/testing/tcp-proxy/pipe.js';
import { seededRng, type TcpFaults, tcpProxy, type TcpProxy } from '../../src/testing.js';

/** Node's timers may be early by less than this. */
const EARLY_MS = 1.5;
/** So long nothing must come. */
const QUIET_MS = 80;

const open = new Set<{ close(): unknown }>();

afterEach(async () => {
  await Promise.all([...open].map((resource) => resource.close()));
  open.clear();
});

/** The real clock, with a count of the timers that are out. */
function countingClock(): Clock & { readonly pending: number } {
  const { clock } = realEnv();
  const out = new Set<object>();
  return {
    ...clock,
    get pending() {
      return out.size;
    },
    setTimer(ms, fn) {
      const key = {};
      out.add(key);
      const timer = clock.setTimer(ms, () => {
        out.delete(key);
        fn();
      });
      const cancel = (): void => {
        out.delete(key);
        timer.cancel();
      };
      return { cancel, unref: () => timer.unref() };
    },
  };
}

interface Target {
  readonly server: Server;
  readonly port: number;
  readonly sockets: Socket[];
  close(): Promise<unknown>;
}

/** Sends back what it gets, and ends when the other side does. */
const echo = (socket: Socket): void => void socket.pipe(socket);

async function listening(server: Server): Promise<Target> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): Promise<unknown> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  const target = { server, port: (server.address() as AddressInfo).port, sockets, close };
  open.add(target);
  return target;
}

const serving = (onSocket: (socket: Socket) => void): Promise<Target> =>
  listening(createServer({ allowHalfOpen: true }, onSocket));

async function proxyTo(port: number, faults: TcpFaults = {}): Promise<TcpProxy> {
  const proxy = await tcpProxy({ port, rng: seededRng(1) });
  open.add(proxy);
  await proxy.set(faults);
  return proxy;
}

interface Wire {
  readonly socket: Socket;
  /** What has come so far. */
  text(): string;
  /** How it ended: `'end'`, or the code of an error; `undefined` while it has not. */
  ending(): string | undefined;
}

/** A connection that keeps what comes. */
function wireTo(port: number): Wire {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  open.add({ close: () => socket.destroy() });
  let text = '';
  let ending: string | undefined;
  socket.on('data', (bytes) => (text += bytes.toString()));
  socket.once('end', () => (ending = 'end'));
  socket.once('error', (error: NodeJS.ErrnoException) => (ending = error.code));
  return { socket, text: () => text, ending: () => ending };
}

const until = (check: () => void): Promise<void> =>
  vi.waitFor(check, { timeout: 5_000, interval: 2 });

const comes = (wire: Wire, text: string): Promise<void> =>
  until(() => expect(wire.text()).toBe(text));

const ends = (wire: Wire, how: string): Promise<void> =>
  until(() => expect(wire.ending()).toBe(how));

/** A connection that has already got one answer. */
async function warm(proxy: TcpProxy): Promise<Wire> {
  const wire = wireTo(proxy.port);
  wire.socket.write('warm,');
  await comes(wire, 'warm,');
  return wire;
}

describe('a proxy without faults', () => {
  it('passes bytes both ways and counts them', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port);
    const wire = await warm(proxy);
    wire.socket.write('more');
    await comes(wire, 'warm,more');
    expect([proxy.requestBytes, proxy.replyBytes]).toEqual([9, 9]);
    expect([proxy.connections, proxy.open]).toEqual([1, 1]);
    wire.socket.end();
    await ends(wire, 'end');
    await until(() => expect(proxy.open).toBe(0));
    expect(proxy.connections).toBe(1);
  });

  it('passes on the end of one half, while the other goes on', async () => {
    const { port } = await serving((socket) => {
      socket.resume().once('end', () => {
        socket.write('still ');
        setTimeout(() => socket.end('here'), 20);
      });
    });
    const wire = wireTo((await proxyTo(port)).port);
    wire.socket.end('all I had to say');
    await comes(wire, 'still here');
    await ends(wire, 'end');
  });

  it('passes on a reset from either side', async () => {
    const { port, sockets } = await serving(echo);
    const proxy = await proxyTo(port);
    const [mine, theirs] = [await warm(proxy), await warm(proxy)];
    const [first, second] = sockets as [Socket, Socket];
    const seen = once(first, 'error');
    mine.socket.resetAndDestroy();
    expect((await seen)[0]).toMatchObject({ code: 'ECONNRESET' });
    second.resetAndDestroy();
    await ends(theirs, 'ECONNRESET');
    await until(() => expect(proxy.open).toBe(0));
  });

  it('resets connections to a target that cannot be connected to', async () => {
    const target = await serving(echo);
    await target.close();
    const proxy = await proxyTo(target.port);
    const wire = wireTo(proxy.port);
    await ends(wire, 'ECONNRESET');
    await until(() => expect(proxy.open).toBe(0));
  });

  it('holds back a sender whose receiver does not read', async () => {
    const TOTAL = 64 * 1024 * 1024; // more than all buffers on the way together
    const { port, sockets } = await serving((socket) => void socket.pause());
    const proxy = await proxyTo(port);
    const { socket } = wireTo(proxy.port);
    socket.write(Buffer.alloc(TOTAL));
    let before = -1;
    await vi.waitUntil(
      () => {
        const isStill = before === proxy.requestBytes && before > 0;
        before = proxy.requestBytes;
        return isStill;
      },
      { timeout: 5_000, interval: 100 },
    );
    expect(before).toBeLessThan(TOTAL / 2);
    sockets[0]?.resume();
    await until(() => expect(proxy.requestBytes).toBe(TOTAL));
  });

  it('passes TLS and HTTP keep-alive', async () => {
    const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));
    const tls = await listening(
      createTlsServer({ key: pem('key'), cert: pem('cert') }, (socket) => void socket.pipe(socket)),
    );
    const { port } = await proxyTo(tls.port);
    const secure = connectTls({ port, host: '127.0.0.1', ca: pem('cert'), servername: 'orders' });
    open.add({ close: () => secure.destroy() });
    secure.write('hidden');
    expect(String((await once(secure, 'data'))[0])).toBe('hidden');

    const http = await listening(createHttpServer((_, response) => response.end('ok')));
    const proxy = await proxyTo(http.port);
    const get = (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request({ port: proxy.port, host: '127.0.0.1' }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode));
        })
          .once('error', reject)
          .end();
      });
    expect([await get(), await get()]).toEqual([200, 200]);
    expect(proxy.connections).toBe(1);
  });
});

describe('latency', () => {
  it('delays bytes each way, and their end', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port, { latencyMs: 60 });
    const wire = wireTo(proxy.port);
    await once(wire.socket, 'connect');
    const sentMs = performance.now();
    wire.socket.write('slow');
    await comes(wire, 'slow');
    expect(performance.now() - sentMs).toBeGreaterThan(120 - 2 * EARLY_MS);
    const endedMs = performance.now();
    wire.socket.end();
    await ends(wire, 'end');
    expect(performance.now() - endedMs).toBeGreaterThan(120 - 2 * EARLY_MS);
  });

  it('keeps bytes in order whatever the jitter', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port, { jitterMs: 30 });
    const wire = wireTo(proxy.port);
    wire.socket.setNoDelay(true);
    let sent = '';
    for (let i = 0; i < 30; i++) {
      sent += `${i},`;
      wire.socket.write(`${i},`);
      await sleep(1);
    }
    await comes(wire, sent);
  });

  it('can be set for connections open now, or for those to come', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port);
    const answerMs = async (wire: Wire): Promise<number> => {
      const sentMs = performance.now();
      const before = wire.text();
      wire.socket.write('x');
      await comes(wire, `${before}x`);
      return performance.now() - sentMs;
    };
    const first = await warm(proxy);
    await proxy.set({ latencyMs: 200 }, 'new');
    const second = await warm(proxy);
    expect(await answerMs(first)).toBeLessThan(200);
    expect(await answerMs(second)).toBeGreaterThan(400 - 2 * EARLY_MS);
    await proxy.set({}, 'open');
    const third = await warm(proxy);
    expect(await answerMs(second)).toBeLessThan(200);
    expect(await answerMs(third)).toBeGreaterThan(400 - 2 * EARLY_MS);
  });
});

describe('bounded bandwidth', () => {
  it('passes no more than it may, a little at a time', async () => {
    const { port } = await serving((socket) => void socket.end(Buffer.alloc(20_000, 'x')));
    const proxy = await proxyTo(port, { bytesPerSecond: 100_000 });
    const startMs = performance.now();
    const wire = wireTo(proxy.port);
    let chunks = 0;
    wire.socket.on('data', () => chunks++);
    await ends(wire, 'end');
    expect(wire.text()).toHaveLength(20_000);
    // 20 slices of 10 ms, of which the first waits for nothing.
    expect(performance.now() - startMs).toBeGreaterThan(190 - EARLY_MS);
    expect(chunks).toBeGreaterThan(5);
  });
});

describe('a stall', () => {
  it('holds what is sent either way, and passes it on afterwards', async () => {
    const { port, sockets } = await serving(echo);
    const proxy = await proxyTo(port);
    const wire = await warm(proxy);
    await proxy.set({ stall: 'both' });
    wire.socket.write('held,');
    const late = wireTo(proxy.port);
    await once(late.socket, 'connect'); // accepted all the same
    late.socket.write('late');
    await sleep(QUIET_MS);
    expect([wire.text(), late.text()]).toEqual(['warm,', '']);
    expect(sockets.map(({ bytesRead }) => bytesRead)).toEqual([5, 0]);
    await proxy.set({});
    await comes(wire, 'warm,held,');
    await comes(late, 'late');
  });

  it('of replies lets the target hear and holds its answer', async () => {
    const { port, sockets } = await serving(echo);
    const proxy = await proxyTo(port, { stall: 'replies' });
    const wire = wireTo(proxy.port);
    wire.socket.write('heard');
    await until(() => expect(sockets[0]?.bytesRead).toBe(5));
    await sleep(QUIET_MS);
    expect(wire.text()).toBe('');
    await proxy.set({});
    await comes(wire, 'heard');
  });

  it('of requests holds what is asked, while the target can speak', async () => {
    const { port, sockets } = await serving((socket) => {
      socket.write('hello');
      echo(socket);
    });
    const proxy = await proxyTo(port, { stall: 'requests' });
    const wire = wireTo(proxy.port);
    wire.socket.write(' you');
    await comes(wire, 'hello');
    await sleep(QUIET_MS);
    expect(sockets[0]?.bytesRead).toBe(0);
    await proxy.set({});
    await comes(wire, 'hello you');
  });

  it('tells neither side that the other is gone, until it is over', async () => {
    const { port, sockets } = await serving(echo);
    const proxy = await proxyTo(port);
    const wire = await warm(proxy);
    await proxy.set({ stall: 'both' });
    sockets[0]?.resetAndDestroy();
    await sleep(QUIET_MS);
    expect(wire.ending()).toBeUndefined();
    await proxy.set({});
    await ends(wire, 'ECONNRESET');
    await until(() => expect(proxy.open).toBe(0));
  });
});

describe('a cut', () => {
  it('resets what is open, and what comes as soon as it is accepted', async () => {
    const { port, sockets } = await serving(echo);
    const proxy = await proxyTo(port);
    const wire = await warm(proxy);
    await proxy.set({ cut: {} });
    await ends(wire, 'ECONNRESET');
    await until(() => expect(sockets[0]?.destroyed).toBe(true));
    await ends(wireTo(proxy.port), 'ECONNRESET');
    expect(sockets).toHaveLength(1);
    expect([proxy.connections, proxy.open]).toEqual([2, 0]);
    await proxy.set({});
    await warm(proxy);
  });

  it('can be an end instead', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port);
    const wire = await warm(proxy);
    await proxy.set({ cut: { by: 'end' } });
    wire.socket.write('unread');
    await ends(wire, 'end');
    const late = wireTo(proxy.port);
    late.socket.write('unread');
    await ends(late, 'end');
    for (const { socket } of [wire, late]) socket.end();
    await until(() => expect(proxy.open).toBe(0));
  });

  it.each(['reset', 'end'] as const)(
    'after so many bytes lets just those through (%s)',
    async (by) => {
      const { port } = await serving((socket) => {
        socket.once('data', () => socket.write('0123456789'));
      });
      const proxy = await proxyTo(port, { cut: { by, afterBytes: 4 } });
      const wire = wireTo(proxy.port);
      wire.socket.write('question');
      await ends(wire, by === 'reset' ? 'ECONNRESET' : 'end');
      expect(wire.text()).toBe('0123');
      expect(proxy.replyBytes).toBe(4);
      wire.socket.end();
      await until(() => expect(proxy.open).toBe(0));
    },
  );

  it('after so many bytes lets a reply of just that length be', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port, { cut: { afterBytes: 10 } });
    const wire = await warm(proxy);
    wire.socket.write('12345');
    await comes(wire, 'warm,12345');
    await sleep(QUIET_MS);
    expect(wire.ending()).toBeUndefined();
    wire.socket.write('!');
    await ends(wire, 'ECONNRESET');
    expect(wire.text()).toBe('warm,12345');
  });

  it('closes a side that is just being ended', async () => {
    const { port } = await serving(echo);
    const { socket } = wireTo(port);
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    socket.end();
    await Promise.resolve(); // the shutdown has begun
    reset(socket);
    await closed;
  });

  it('after no byte lets the target be asked, and loses the answer', async () => {
    const { port, sockets } = await serving(echo);
    const proxy = await proxyTo(port);
    const wire = await warm(proxy);
    await proxy.set({ cut: { afterBytes: 0 } });
    wire.socket.write('asked');
    await ends(wire, 'ECONNRESET');
    expect(sockets[0]?.bytesRead).toBe(10);
    expect(wire.text()).toBe('warm,');
  });
});

describe('refusing', () => {
  it('refuses new connections, keeps the open ones, and its port', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port);
    const own = proxy.port;
    const wire = await warm(proxy);
    await proxy.set({ refuse: true });
    await ends(wireTo(own), 'ECONNREFUSED');
    wire.socket.write('on');
    await comes(wire, 'warm,on');
    await proxy.set({});
    expect(proxy.port).toBe(own);
    await warm(proxy);
  });

  it('follows the last word when told both at once', async () => {
    const { port } = await serving(echo);
    const proxy = await proxyTo(port);
    const tell = (refuse: boolean): Promise<void> => proxy.set({ refuse });
    await Promise.all([tell(true), tell(false), tell(true)]);
    await ends(wireTo(proxy.port), 'ECONNREFUSED');
    await Promise.all([tell(false), tell(true), tell(false)]);
    await warm(proxy);
  });
});

describe('closing', () => {
  const held: readonly TcpFaults[] = [
    {},
    { latencyMs: 60_000 },
    { bytesPerSecond: 1 },
    { stall: 'both' },
    { stall: 'replies' },
    { refuse: true },
  ];

  it.each(held)('leaves no socket, timer or listener (%o)', async (faults) => {
    const { port, sockets } = await serving(echo);
    const tcp = (): number =>
      process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
    const clock = countingClock();
    const proxy = await tcpProxy({ port, clock });
    const wire = await warm(proxy);
    await proxy.set(faults);
    wire.socket.write('on its way');
    await sleep(20);
    await Promise.all([proxy.close(), proxy.close()]);
    expect([proxy.open, clock.pending]).toEqual([0, 0]);
    for (const socket of [wire.socket, ...sockets]) socket.destroy();
    await until(() => expect(tcp()).toBe(1)); // the target's own server
    await ends(wireTo(proxy.port), 'ECONNREFUSED');
    await expect(proxy.set({})).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
  });

  it('comes with await using', async () => {
    const { port } = await serving(echo);
    let own: number;
    {
      await using proxy = await tcpProxy({ port });
      own = proxy.port;
    }
    await ends(wireTo(own), 'ECONNREFUSED');
  });
});

describe('what it is told', () => {
  it.each([
    [{ latencyMs: -1 }, 'faults.latencyMs'],
    [{ jitterMs: NaN }, 'faults.jitterMs'],
    [{ bytesPerSecond: 0 }, 'faults.bytesPerSecond'],
    [{ stall: 'all' }, 'faults.stall'],
    [{ refuse: 1 }, 'faults.refuse'],
    [{ cut: true }, 'faults.cut'],
    [{ cut: { by: 'fin' } }, 'faults.cut.by'],
    [{ cut: { afterBytes: 0.5 } }, 'faults.cut.afterBytes'],
    [{ latency: 5 }, 'faults.latency'],
  ])('is checked: %o', async (faults, option) => {
    const proxy = await proxyTo(1);
    await expect(proxy.set(faults as TcpFaults)).rejects.toMatchObject({ option });
  });

  it('is checked at the start, too', async () => {
    await expect(tcpProxy({ port: 0 })).rejects.toMatchObject({ option: 'tcpProxy.port' });
    await expect(tcpProxy({ port: 1, host: '' })).rejects.toMatchObject({
      option: 'tcpProxy.host',
    });
    const proxy = await proxyTo(1);
    await expect(proxy.set({}, 'old' as 'new')).rejects.toMatchObject({ option: 'to' });
  });
});
