/** Agents of Node's http over real sockets: where requests go, and what counts as in flight. */
import { once } from 'node:events';
import { Agent, ClientRequest, get, request as httpRequest, type ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Client, createClientPool, isFairleadError } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import {
  agentsOver,
  answerTo,
  ask,
  clientOn,
  fetchText,
  pending,
  textOf,
  until,
} from './http-agents-rig.js';
import {
  clientOver,
  closeAfterwards,
  readBody,
  refusedPort,
  serve,
  type TestServer,
} from './servers.js';

/** Whether the first instance has been blamed for anything. */
function isBlamed(client: Client): boolean {
  return (client.snapshot().instances[0]?.successRatio ?? 1) < 1;
}

function serveOne(answer = '0'): Promise<TestServer> {
  return serve((_request, response) => response.end(answer));
}

/** Servers that answer with their own number, from 0. */
function serveMany(count: number): Promise<TestServer[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => serveOne(String(i))));
}

describe('where requests go', () => {
  it('shares them out, each with the URL, the Host and a connection of its own', async () => {
    const hosts = new Set<string | undefined>();
    const servers = await Promise.all(
      [0, 1, 2].map(() =>
        serve((request, response) => {
          hosts.add(request.headers.host);
          response.end(String(request.socket.remotePort));
        }),
      ),
    );
    const client = clientOver(servers);
    const agents = agentsOver(client);
    const connections = new Set<string>();
    for (let i = 0; i < 9; i++) connections.add(await fetchText(agents, '/v1?a=b'));
    expect(servers.map(({ seen }) => seen)).toEqual(Array(3).fill(Array(3).fill('GET /v1?a=b')));
    expect([...hosts]).toEqual(['orders']);
    expect(connections.size).toBe(3); // kept alive, one for each instance
  });

  it('tries another instance where one cannot be reached, whatever the method and the body', async () => {
    const good = await serveOne();
    const echo = await serve((request, response) => {
      void readBody(request).then((text) => response.end(text));
    });
    const client = clientOn(
      memoryAdapter([
        { host: '127.0.0.1', port: await refusedPort() },
        { ...echo.spec, priority: 1 },
        { ...good.spec, priority: 2 },
      ]),
    );
    const agents = agentsOver(client);
    const post = httpRequest('http://orders/', { method: 'POST', agent: agents.http });
    post.write('a part, ');
    post.end('and the rest');
    expect(await textOf(await answerTo(post))).toBe('a part, and the rest');
    expect(pending(client)).toEqual([0, 0, 0]);
    expect(client.snapshot().instances.map(({ attempts }) => attempts)).toEqual([1, 1, 0]);
  });

  it('opens the breaker of a dead instance, and stops asking it', async () => {
    const servers = await serveMany(2);
    const client = clientOver([...servers, { port: await refusedPort() }], {
      breaker: { consecutiveFailures: 3, openMs: 60_000 },
    });
    const agents = agentsOver(client);
    for (let i = 0; i < 20; i++) await fetchText(agents);
    const dead = client.snapshot().instances[2];
    expect(dead?.breaker).toBe('open');
    expect(dead?.attempts).toBe(3);
  });

  it('fails with the error of the connection where nobody can be reached', async () => {
    const client = clientOver([{ port: await refusedPort() }, { port: await refusedPort() }]);
    const [error] = (await once(ask(agentsOver(client)), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    expect(pending(client)).toEqual([0, 0]);
    expect(client.snapshot().instances.map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  it('goes no further than `retry.maxAttempts`', async () => {
    const ports = await Promise.all([1, 2, 3, 4].map(() => refusedPort()));
    const client = clientOver(
      ports.map((port) => ({ port })),
      { retry: { maxAttempts: 2 } },
    );
    await once(ask(agentsOver(client)), 'error');
    const attempts = client.snapshot().instances.map((instance) => instance.attempts);
    expect(attempts.sort()).toEqual([0, 0, 1, 1]);
  });

  it('gives up on an instance that takes the connection and says nothing in its handshake', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.on('error', () => {}).resume()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closeAfterwards({
      close: () =>
        new Promise((resolve) => {
          silent.close(() => resolve());
          for (const socket of sockets) socket.destroy();
        }),
    });
    const good = await serveOne();
    const { port } = silent.address() as { port: number };
    const client = clientOn(
      memoryAdapter([
        { host: '127.0.0.1', port, protocol: 'https' },
        { ...good.spec, priority: 1 },
      ]),
    );
    expect(await fetchText(agentsOver(client, { connectTimeoutMs: 100 }))).toBe('0');
    expect(isBlamed(client)).toBe(true);
    await until(() => sockets[0]?.destroyed === true); // given up on this side, and so on the other
  });

  it('leaves other hosts alone, and refuses them where it is strict', async () => {
    const server = await serveOne();
    const client = clientOver([]);
    const url = `http://127.0.0.1:${server.port}/x`;
    const passed = get(url, { agent: agentsOver(client).http });
    expect(await textOf(await answerTo(passed))).toBe('0');
    const refused = get(url, { agent: agentsOver(client, { strict: true }).http });
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ERR_FAIRLEAD_UNKNOWN_HOST');
    expect(server.seen).toEqual(['GET /x']);
  });

  it('waits for the first list, and is told to stop waiting by an abort', async () => {
    const server = await serveOne();
    const discovery = memoryAdapter();
    const client = clientOn(discovery);
    const agents = agentsOver(client);
    const first = answerTo(ask(agents));
    const controller = new AbortController();
    const second = ask(agents, '/second', { signal: controller.signal });
    controller.abort();
    const [error] = (await once(second, 'error')) as [Error];
    expect(error.name).toBe('AbortError');
    discovery.set([server.spec]);
    expect(await textOf(await first)).toBe('0');
    expect(server.seen).toEqual(['GET /']);
  });

  it('emits the error of Fairlead where there is no instance, and where the client is closed', async () => {
    const client = clientOn(memoryAdapter([]));
    const agents = agentsOver(client);
    const codes: unknown[] = [];
    for (const close of [false, true]) {
      if (close) await client.close();
      const [error] = (await once(ask(agents), 'error')) as [NodeJS.ErrnoException];
      expect(isFairleadError(error)).toBe(true);
      codes.push(error.code);
    }
    expect(codes).toEqual(['ERR_FAIRLEAD_NO_INSTANCES', 'ERR_FAIRLEAD_CLOSED']);
  });

  it('hashes by what the request has', async () => {
    const servers = await serveMany(4);
    const client = clientOver(servers, { policy: 'maglev' });
    const agents = agentsOver(client, { hashKey: { header: 'x-user' } });
    const byUser = async (headers: Record<string, string> | string[]): Promise<string> =>
      textOf(await answerTo(ask(agents, '/', { headers })));
    for (const user of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const to = new Set<string>();
      for (let i = 0; i < 5; i++) to.add(await byUser({ 'X-User': user }));
      to.add(await byUser(['host', 'orders', 'x-user', user])); // as a list
      expect(to.size).toBe(1);
    }
    expect(servers.filter(({ seen }) => seen.length > 0).length).toBeGreaterThan(1);
  });

  it('finds the services of a pool', async () => {
    const [orders, users] = [await serveOne('0'), await serveOne('1')];
    const pool = createClientPool({
      services: {
        Orders: { discovery: memoryAdapter([orders.spec]) },
        users: { discovery: memoryAdapter([users.spec]) },
      },
    });
    closeAfterwards(pool);
    const agents = agentsOver(pool);
    expect(await fetchText(agents)).toBe('0');
    const other = get('http://USERS:8080/', { agent: agents.http });
    expect(await textOf(await answerTo(other))).toBe('1');
  });
});

describe('what is in flight', () => {
  it('is a streamed response until its end', async () => {
    let finish!: () => void;
    const server = await serve((_request, response) => {
      response.write('begun');
      finish = () => response.end('ended');
    });
    const client = clientOver([server]);
    const response = await answerTo(ask(agentsOver(client)));
    await once(response, 'readable');
    expect(pending(client)).toEqual([1]);
    expect(client.snapshot().instances[0]?.ewmaMs).toBeGreaterThan(0); // answered
    finish();
    let atEnd: number[] = [];
    response.once('end', () => (atEnd = pending(client)));
    await textOf(response);
    expect(atEnd).toEqual([0]);
  });

  it('ends at once, and blames nobody, where the request is aborted before its answer', async () => {
    const server = await serve(() => {});
    const client = clientOver([server]);
    const request = ask(agentsOver(client));
    request.on('error', () => {});
    await until(() => server.seen.length === 1);
    expect(pending(client)).toEqual([1]);
    request.destroy();
    expect(pending(client)).toEqual([0]);
    expect(client.snapshot().instances[0]).toMatchObject({ successRatio: 1, ewmaMs: undefined });
  });

  it('blames the instance where the caller gives up for want of an answer', async () => {
    const server = await serve(() => {});
    const client = clientOver([server]);
    const request = ask(agentsOver(client), '/', { timeout: 50 });
    request.once('timeout', () => request.destroy());
    await once(request, 'error');
    expect(isBlamed(client)).toBe(true);
    expect(pending(client)).toEqual([0]);
  });

  it("is bounded by the client's attemptTimeoutMs until the answer, and no longer", async () => {
    let answer: ServerResponse | undefined;
    const server = await serve((request, response) => {
      if (request.url === '/slow') return;
      response.flushHeaders();
      answer = response;
    });
    const client = clientOver([server], { attemptTimeoutMs: 200 });
    const agents = agentsOver(client);
    const streamed = await answerTo(ask(agents, '/stream'));
    const [error] = (await once(ask(agents, '/slow'), 'error')) as [NodeJS.ErrnoException];
    expect(error).toMatchObject({
      code: 'ETIMEDOUT',
      cause: { code: 'ERR_FAIRLEAD_ATTEMPT_TIMEOUT' },
    });
    expect(isBlamed(client)).toBe(true);
    expect(pending(client)).toEqual([1]);
    answer?.end('still here');
    expect(await textOf(streamed)).toBe('still here');
  });

  it.each(['request', 'response'] as const)(
    'ends, and blames nobody, where the %s is destroyed while the response streams',
    async (which) => {
      const server = await serve((_request, response) => response.write('begun'));
      const client = clientOver([server]);
      const request = ask(agentsOver(client));
      request.on('error', () => {});
      const response = await answerTo(request);
      response.on('error', () => {});
      if (which === 'request') request.destroy();
      else response.destroy();
      await until(() => pending(client)[0] === 0);
      expect(isBlamed(client)).toBe(false);
    },
  );

  it('blames the instance that cuts its response', async () => {
    const server = await serve((_request, response) => {
      response.write('begun');
      setImmediate(() => response.destroy());
    });
    const client = clientOver([server]);
    const response = await answerTo(ask(agentsOver(client)));
    await expect(textOf(response)).rejects.toThrow('aborted');
    expect(isBlamed(client)).toBe(true);
    expect(pending(client)).toEqual([0]);
  });

  it('blames the instance that cuts the connection before an answer', async () => {
    const server = await serve((request) => request.socket.destroy());
    const client = clientOver([server]);
    await once(ask(agentsOver(client)), 'error');
    expect(isBlamed(client)).toBe(true);
    expect(pending(client)).toEqual([0]);
  });

  it('blames nobody for a kept connection that was closed as it was used', async () => {
    let cut = false;
    const server = await serve((request, response) => {
      if (cut) request.socket.destroy();
      else response.end('ok');
    });
    const client = clientOver([server]);
    const agents = agentsOver(client);
    await fetchText(agents);
    cut = true;
    const request = ask(agents);
    await once(request, 'error');
    expect(request.reusedSocket).toBe(true);
    expect(isBlamed(client)).toBe(false);
    expect(pending(client)).toEqual([0]);
  });

  it.each([
    [500, true],
    [503, true],
    [429, true],
    [404, false],
    [302, false],
  ])('judges a %d by its status: blamed %s', async (status, blamed) => {
    const server = await serve((_request, response) => response.writeHead(status).end('body'));
    const client = clientOver([server]);
    expect(await fetchText(agentsOver(client))).toBe('body');
    expect(isBlamed(client)).toBe(blamed);
    expect(pending(client)).toEqual([0]);
  });

  it('is a request that waits for its turn in the queue of the agent', async () => {
    const answers: ServerResponse[] = [];
    const server = await serve((_request, response) => answers.push(response));
    const client = clientOver([server]);
    const agents = agentsOver(client, { httpAgent: { maxSockets: 1 } });
    const first = answerTo(ask(agents, '/1'));
    const second = ask(agents, '/2');
    const third = answerTo(ask(agents, '/3'));
    await until(() => answers.length === 1);
    expect(pending(client)).toEqual([3]);
    second.destroy(); // in the queue: it ends now, not when its turn has come
    expect(pending(client)).toEqual([2]);
    await once(second, 'error');
    answers[0]?.end('1');
    await textOf(await first);
    expect(pending(client)).toEqual([1]);
    await until(() => answers.length === 2);
    answers[1]?.end('3');
    expect(await textOf(await third)).toBe('3');
    expect(pending(client)).toEqual([0]);
    expect(server.seen).toEqual(['GET /1', 'GET /3']);
  });

  it('leaves no listener on a connection that is used again', async () => {
    const server = await serveOne();
    const client = clientOver([server]);
    const agents = agentsOver(client);
    const counts: number[][] = [];
    for (let i = 0; i < 3; i++) {
      await fetchText(agents);
      await until(() => Object.keys(agents.http.freeSockets).length === 1);
      const [socket] = Object.values(agents.http.freeSockets).flat();
      counts.push(socket?.eventNames().map((name) => socket.listenerCount(name)) ?? []);
    }
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[2]).toEqual(counts[0]);
  });

  it('changes nothing for a request that nobody listens to', async () => {
    const server = await serve((_request, response) => response.end('x'.repeat(1_000_000)));
    const client = clientOver([server]);
    const request = ask(agentsOver(client));
    await once(request, 'close'); // its response flows away
    expect(pending(client)).toEqual([0]);
    expect(request.destroy).toBe(ClientRequest.prototype.destroy);
    expect(request.onSocket).toBe(ClientRequest.prototype.onSocket);
  });

  it('reads what an instance says of its load', async () => {
    const server = await serve((_request, response) => {
      response.setHeader('endpoint-load-metrics', 'cpu_utilization=0.3, rps_fractional=100');
      response.end();
    });
    const client = clientOver([server]);
    const agents = agentsOver(client);
    await fetchText(agents);
    expect(client.snapshot().instances[0]?.report).toMatchObject({ qps: 100, utilization: 0.3 });
  });
});

describe('connections', () => {
  it.each(['own', 'given'])('to a drained instance are closed: agent %s', async (whose) => {
    const [leaving, kept] = [await serveOne(), await serveOne()];
    const discovery = memoryAdapter([leaving.spec, kept.spec]);
    const client = clientOn(discovery);
    const given = new Agent({ keepAlive: true });
    const agents = agentsOver(client, whose === 'given' ? { httpAgent: given } : {});
    await fetchText(agents);
    await fetchText(agents);
    await until(() => Object.keys(agents.http.freeSockets).length === 2);
    discovery.set([kept.spec]);
    await until(() => Object.keys(agents.http.freeSockets).length === 1);
    expect(Object.keys(agents.http.freeSockets)).toEqual([`127.0.0.1:${kept.port}:`]);
    given.destroy();
  });

  it('end with destroy(): those in use, idle, queued, and requests that wait for a list', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/') response.end();
    });
    const client = clientOver([server]);
    const agents = agentsOver(client, { httpAgent: { maxSockets: 2 } });
    await fetchText(agents);
    const waiting = agentsOver(clientOn(memoryAdapter()));
    const requests = [ask(agents, '/a'), ask(agents, '/b'), ask(agents, '/c'), ask(waiting)];
    await until(() => server.seen.length === 3);
    const errors = requests.map((request) => once(request, 'error'));
    const closed = Object.values(agents.http.sockets).flat();
    agents.destroy();
    waiting.destroy();
    const codes = (await Promise.all(errors)).map(([error]) => (error as { code: string }).code);
    expect(codes).toEqual(Array(4).fill('ERR_FAIRLEAD_CLOSED'));
    expect(pending(client)).toEqual([0]);
    expect(isBlamed(client)).toBe(false);
    expect(closed.map((socket) => socket?.destroyed)).toEqual([true, true]);
    await until(() => Object.keys(agents.http.sockets).length === 0);
    const [late] = (await once(ask(agents), 'error')) as [NodeJS.ErrnoException];
    expect(late.code).toBe('ERR_FAIRLEAD_CLOSED');
    agents.destroy();
  });

  it('that are idle are closed by destroy()', async () => {
    const agents = agentsOver(clientOver([await serveOne()]));
    await fetchText(agents);
    await until(() => Object.keys(agents.http.freeSockets).length === 1);
    const [idle] = Object.values(agents.http.freeSockets).flat();
    agents.destroy();
    expect(idle?.destroyed).toBe(true);
  });

  it('of an agent that is given stay open', async () => {
    const server = await serveOne();
    const httpAgent = new Agent({ keepAlive: true });
    const agents = agentsOver(clientOver([server]), { httpAgent });
    await fetchText(agents);
    await until(() => Object.keys(httpAgent.freeSockets).length === 1);
    agents.destroy();
    expect(Object.values(httpAgent.freeSockets).flat()[0]?.destroyed).toBe(false);
    httpAgent.destroy();
  });
});
