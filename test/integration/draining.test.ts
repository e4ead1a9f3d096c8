import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type RequestListener, type Server } from 'node:http';
import { Agent as TlsAgent, createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import axios, { type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { describe, expect, it, vi } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import type { Target } from '../../src/clients/target.js';
import { type Client, createClient, createClientPool, type InstanceSpec } from '../../src/index.js';
import { type MemoryAdapter, memoryAdapter } from '../../src/testing.js';
import { deferred } from '../support/promises.js';
import { closeAfterwards, readBody } from './servers.js';

/** So soon after an instance has drained its server must have seen the connections go. */
const SOON_MS = 100;
/** Longer than anything here takes: what a server sees go, the client has closed. */
const KEPT_MS = 60_000;

interface CountingServer {
  readonly spec: InstanceSpec;
  /** Connections open now. */
  readonly open: number;
  /** Connections made so far. */
  readonly made: number;
  close(): Promise<void>;
}

async function counting(server: Server, spec: Partial<InstanceSpec> = {}): Promise<CountingServer> {
  const { host = '127.0.0.1' } = spec;
  const sockets = new Set<Socket>();
  let made = 0;
  server.keepAliveTimeout = KEPT_MS;
  server.on('connection', (socket: Socket) => {
    made++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const counted: CountingServer = {
    spec: { ...spec, host, port },
    get open() {
      return sockets.size;
    },
    get made() {
      return made;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  closeAfterwards(counted);
  return counted;
}

const answer: RequestListener = (request, response) => {
  void readBody(request).then(() => response.end('ok'));
};

interface Scene {
  readonly source: MemoryAdapter;
  readonly client: Client;
  readonly http: AxiosInstance;
  /** Ends what `drain` does in the one way or the other. */
  readonly drain: (server: CountingServer) => void;
}

const isBusy = ({ pending }: { readonly pending: number }): boolean => pending > 0;

type Leaving = 'weight 0' | 'removal';
const WAYS: readonly Leaving[] = ['weight 0', 'removal'];

/** A wrapped axios over these servers, in turn, of which the source can take one away. */
function scene(
  servers: readonly CountingServer[],
  way: Leaving = 'removal',
  config: AxiosRequestConfig = {},
): Scene {
  const source = memoryAdapter(servers.map(({ spec }) => spec));
  const client = createClient({
    service: 'orders',
    discovery: source,
    policy: 'round-robin',
    shrinkGraceMs: 0,
    slowStartMs: 0,
  });
  closeAfterwards(client);
  return {
    source,
    client,
    http: wrapAxios(axios.create({ baseURL: 'http://orders', ...config }), client),
    drain: (drained) => {
      const others = servers.filter((server) => server !== drained).map(({ spec }) => spec);
      source.set(way === 'removal' ? others : [...others, { ...drained.spec, weight: 0 }]);
    },
  };
}

/** Sends so many at once: each gets a connection of its own. */
async function inParallel(http: AxiosInstance, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => http.get('/')));
}

async function closesSoon(server: CountingServer): Promise<void> {
  await vi.waitFor(() => expect(server.open).toBe(0), { timeout: SOON_MS, interval: 2 });
}

describe.each(WAYS)('an instance that leaves by %s', (way) => {
  it('has its idle connections closed, while those to others stay', async () => {
    const servers = [await counting(createServer(answer)), await counting(createServer(answer))];
    const [gone, staying] = servers as [CountingServer, CountingServer];
    const { http, drain } = scene(servers, way);
    await inParallel(http, 6);
    expect(servers.map(({ open }) => open)).toEqual([3, 3]);
    drain(gone);
    await closesSoon(gone);
    await inParallel(http, 3);
    expect([staying.open, staying.made]).toEqual([3, 3]);
    expect(gone.made).toBe(3);
  });

  it('lets a call in flight end well, and then closes all of its connections', async () => {
    const release = deferred<undefined>();
    const slow: RequestListener = (request, response) => {
      if (request.url === '/slow') void release.promise.then(() => response.end('at last'));
      else response.end('ok');
    };
    const servers = [await counting(createServer(slow)), await counting(createServer(slow))];
    const { http, drain, client } = scene(servers, way);
    await inParallel(http, 6);
    const call = http.get<string>('/slow');
    await vi.waitFor(() => expect(client.snapshot().instances.some(isBusy)).toBe(true));
    const busy = client.snapshot().instances.find(isBusy)?.id;
    const gone = servers.find(({ spec }) => `${spec.host}:${spec.port}` === busy);
    if (gone === undefined) throw new Error('the call is nowhere');
    const others = servers.filter((server) => server !== gone);
    drain(gone);
    await sleep(50);
    expect(gone.open).toBeGreaterThan(0);
    release.resolve(undefined);
    expect((await call).data).toBe('at last');
    await closesSoon(gone);
    expect(others.map(({ open }) => open)).toEqual([3]);
  });

  it('has them closed after the last byte of a response that streams', async () => {
    const release = deferred<undefined>();
    const server = await counting(
      createServer((_request, response) => {
        response.write('first,');
        void release.promise.then(() => response.end('last'));
      }),
    );
    const { http, drain } = scene([server], way);
    const { data } = await http.get<Readable>('/', { responseType: 'stream' });
    drain(server);
    await sleep(50);
    expect(server.open).toBe(1);
    release.resolve(undefined);
    let text = '';
    for await (const chunk of data.setEncoding('utf8')) text += chunk as string;
    expect(text).toBe('first,last');
    await closesSoon(server);
  });

  it('takes calls again when it comes back, on a connection that is kept', async () => {
    const server = await counting(createServer(answer));
    const { http, drain, source, client } = scene([server], way);
    await http.get('/');
    drain(server);
    await closesSoon(server);
    source.set([server.spec]);
    await client.ready();
    for (let i = 0; i < 3; i++) expect((await http.get<string>('/')).data).toBe('ok');
    await sleep(50);
    expect([server.open, server.made]).toEqual([1, 2]);
  });
});

describe('which connections are closed', () => {
  it('covers one that returns late, for its response came before the request was written', async () => {
    const release = deferred<undefined>();
    const server = await counting(
      createServer((request, response) => {
        // Begun to be read, or else Node would read the rest of it when the response ends.
        request.once('data', () => {
          request.pause();
          response.end('enough');
        });
        void release.promise.then(() => request.resume());
      }),
    );
    const { http, drain, client } = scene([server]);
    const body = Buffer.alloc(32 * 1024 * 1024); // more than the buffers of both kernels' sides hold
    expect((await http.post<string>('/', body, { maxBodyLength: Infinity })).data).toBe('enough');
    const drained = vi.fn();
    client.on('instance.drained', drained);
    drain(server);
    await vi.waitFor(() => expect(drained).toHaveBeenCalledTimes(1));
    await sleep(50);
    expect(server.open).toBe(1); // still being written to
    release.resolve(undefined);
    await vi.waitFor(() => expect(server.open).toBe(0), { timeout: 5_000, interval: 2 });
  });

  it('covers an agent that the application brought', async () => {
    const server = await counting(createServer(answer));
    const httpAgent = new Agent({ keepAlive: true });
    const { http, drain } = scene([server], 'removal', { httpAgent });
    await inParallel(http, 2);
    expect(Object.values(httpAgent.freeSockets).flat()).toHaveLength(2);
    drain(server);
    await closesSoon(server);
    expect(Object.values(httpAgent.freeSockets).flat()).toHaveLength(0);
  });

  it('covers every agent that was ever used, with or without redirects', async () => {
    const server = await counting(createServer(answer));
    const { http, drain } = scene([server]);
    for (const maxRedirects of [0, 5]) {
      const config = { httpAgent: new Agent({ keepAlive: true }), maxRedirects };
      await http.get('/', config);
    }
    expect(server.open).toBe(2);
    drain(server);
    await closesSoon(server);
  });

  it('covers TLS, with the name of the service', async () => {
    const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));
    const [cert, key] = [pem('cert'), pem('key')];
    const server = await counting(createTlsServer({ key, cert }, answer), { protocol: 'https' });
    const httpsAgent = new TlsAgent({ ca: cert, keepAlive: true });
    const { http, drain } = scene([server], 'removal', { httpsAgent });
    await inParallel(http, 2);
    expect(server.open).toBe(2);
    drain(server);
    await closesSoon(server);
  });

  it('covers IPv6', async () => {
    const server = await counting(createServer(answer), { host: '::1' });
    const { http, drain } = scene([server]);
    await http.get('/');
    drain(server);
    await closesSoon(server);
  });

  it('covers those whose only answers were errors', async () => {
    const failing: RequestListener = (_request, response) => response.writeHead(404).end('no');
    const server = await counting(createServer(failing));
    const { http, drain } = scene([server]);
    await expect(http.get('/')).rejects.toMatchObject({ response: { status: 404 } });
    expect(server.open).toBe(1);
    drain(server);
    await closesSoon(server);
  });

  it('leaves alone one that another has made busy in the same agent, until it is idle', async () => {
    const release = deferred<undefined>();
    const server = await counting(
      createServer((request, response) => {
        if (request.url === '/other') void release.promise.then(() => response.end('other'));
        else response.end('ok');
      }),
    );
    const { http, drain } = scene([server]);
    await http.get('/');
    const other = axios.get<string>(`http://127.0.0.1:${server.spec.port}/other`);
    await sleep(20);
    expect(server.made).toBe(1);
    drain(server);
    await sleep(50);
    expect(server.open).toBe(1);
    release.resolve(undefined);
    expect((await other).data).toBe('other');
    await closesSoon(server);
  });
});

describe('listening for drained instances', () => {
  const listens = (client: Client): ReturnType<typeof vi.spyOn> => vi.spyOn(client, 'on');

  async function twoWrapped(target: Target): Promise<void> {
    for (let i = 0; i < 2; i++) {
      await inParallel(wrapAxios(axios.create({ baseURL: 'http://orders' }), target), 3);
    }
  }

  it('happens once per client, however many instances of axios and requests there are', async () => {
    const server = await counting(createServer(answer));
    const { client } = scene([server]);
    const on = listens(client);
    await twoWrapped(client);
    expect(on).toHaveBeenCalledTimes(1);
  });

  it('happens once per client of a pool, from its first use', async () => {
    const server = await counting(createServer(answer));
    const source = memoryAdapter([server.spec]);
    const pool = createClientPool({ discovery: source, defaults: { shrinkGraceMs: 0 } });
    closeAfterwards(pool);
    const on = listens(pool.client('orders'));
    const unused = listens(pool.client('users'));
    await twoWrapped(pool);
    expect(on).toHaveBeenCalledTimes(1);
    expect(unused).not.toHaveBeenCalled();
    source.set([]);
    await closesSoon(server);
  });

  it('works through a view of a client', async () => {
    const server = await counting(createServer(answer), { tags: ['v2'] });
    const { client, drain } = scene([server]);
    await twoWrapped(client.where({ tags: ['v2'] }));
    expect(server.open).toBe(3);
    drain(server);
    await closesSoon(server);
  });

  it.each(['close', 'leave open'])('holds no process alive (%s)', async (end) => {
    const child = fileURLToPath(new URL('draining-process.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', child, end],
      { timeout: 20_000 },
    );
    expect(stdout).toBe('no connection left\nended by itself\n');
  });
});
