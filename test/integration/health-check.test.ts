import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Client, FairleadEvents, HealthCheckOptions } from '../../src/index.js';
import { createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { clientOver, closeAfterwards, refusedPort, serve, type TestServer } from './servers.js';

const FAST = { intervalMs: 20, timeoutMs: 1_000 };

/** A server whose `/health` can be told to fail. */
async function checked(): Promise<TestServer & { healthy: boolean }> {
  const server = await serve((request, response) => {
    const status = request.url === '/health' && !handle.healthy ? 503 : 200;
    response.writeHead(status).end('ok');
  });
  const handle = Object.assign(server, { healthy: true });
  return handle;
}

function healthOf(client: Client): string[] {
  return client.snapshot().instances.map(({ health }) => health);
}

/** Calls that do not go to one instance alone. */
async function call(client: Client, times: number): Promise<string[]> {
  const ids = new Set<string>();
  for (let i = 0; i < times; i++) {
    await client.call(async ({ instance }) => {
      ids.add(instance.id);
    });
  }
  return [...ids].sort();
}

function changesOf(client: Client): FairleadEvents['health.changed'][] {
  const changes: FairleadEvents['health.changed'][] = [];
  client.on('health.changed', (change) => changes.push(change));
  return changes;
}

describe('health checks of a client', () => {
  it('keep calls from an unhealthy instance, and let it warm up when it is back', async () => {
    const servers = [await checked(), await checked(), await checked()];
    const [sick, ...others] = servers;
    if (sick === undefined) throw new Error('no server');
    const healthCheck = { http: { path: '/health' }, ...FAST };
    const client = clientOver(servers, { healthCheck });
    const changes = changesOf(client);
    await expect.poll(() => healthOf(client)).toEqual(['healthy', 'healthy', 'healthy']);
    expect(await call(client, 6)).toHaveLength(3);

    sick.healthy = false;
    await expect.poll(() => healthOf(client)).toEqual(['unhealthy', 'healthy', 'healthy']);
    expect(await call(client, 20)).toEqual(others.map(({ port }) => `127.0.0.1:${port}`).sort());

    const capacities: number[] = [];
    client.on('health.changed', () => {
      capacities.push(client.snapshot().instances[0]?.capacity ?? NaN);
    });
    sick.healthy = true;
    await expect.poll(() => healthOf(client)).toEqual(['healthy', 'healthy', 'healthy']);
    expect(capacities).toEqual([0.1]); // slow start: a tenth to begin with, for no longer than it was out
    await expect
      .poll(async () => {
        await call(client, 3);
        return client.snapshot().instances[0]?.capacity;
      })
      .toBe(1);
    const instanceId = `127.0.0.1:${sick.port}`;
    expect(changes.filter((change) => change.instanceId === instanceId)).toEqual(
      [
        { health: 'healthy', error: undefined },
        { health: 'unhealthy', error: 'HTTP 503' },
        { health: 'healthy', error: undefined },
      ].map((change) => ({ service: 'orders', instanceId, role: undefined, ...change })),
    );
  });

  it('give way to panic when too few are healthy', async () => {
    const servers = [await checked(), await checked(), await checked()];
    const client = clientOver(servers, { healthCheck: { http: { path: '/health' }, ...FAST } });
    for (const server of servers.slice(1)) server.healthy = false;
    await expect.poll(() => healthOf(client)).toEqual(['healthy', 'unhealthy', 'unhealthy']);
    expect(await call(client, 6)).toHaveLength(3);
    expect(client.snapshot().panic).toContain('1 of 3 instances available');
  });

  it('find out about an instance before the first call does', async () => {
    const good = await serve((_request, response) => response.end());
    const bad = await refusedPort();
    const client = clientOver([{ port: bad }, good], {
      healthCheck: { tcp: true, ...FAST },
    });
    const changes = changesOf(client);
    await expect.poll(() => healthOf(client)).toEqual(['unhealthy', 'healthy']);
    expect(await call(client, 10)).toEqual([`127.0.0.1:${good.port}`]);
    expect(changes).toContainEqual(
      expect.objectContaining({ instanceId: `127.0.0.1:${bad}`, error: 'ECONNREFUSED' }),
    );
  });

  it('follow the list: what has left it is asked no more, and unknown', async () => {
    const [a, b] = [await checked(), await checked()];
    const source = memoryAdapter([a.spec, b.spec]);
    const client = createClient({
      service: 'orders',
      discovery: source,
      shrinkGraceMs: 0,
      healthCheck: { http: { path: '/health' }, ...FAST },
    });
    closeAfterwards(client);
    await expect.poll(() => healthOf(client)).toEqual(['healthy', 'healthy']);
    source.set([b.spec]);
    await expect.poll(() => healthOf(client)).toEqual(['healthy']);
    const asked = a.seen.length;
    const before = b.seen.length;
    await expect.poll(() => b.seen.length).toBeGreaterThan(before + 3);
    expect(a.seen.length).toBeLessThanOrEqual(asked + 1); // one may have been on its way
  });

  it('tell no header, whatever goes wrong', async () => {
    const { port } = await serve((request, response) => {
      response.writeHead(401).end(request.headers.authorization);
    });
    const headers = { authorization: 'Bearer secret' };
    const client = clientOver([{ port }], {
      healthCheck: { http: { path: '/', headers, expectedBody: 'x' }, ...FAST },
    });
    const changes = changesOf(client);
    await expect.poll(() => changes.length).toBe(1);
    expect(changes).toMatchObject([{ error: 'HTTP 401' }]);
    expect(JSON.stringify([changes, client.snapshot(), client.explain()])).not.toContain('secret');
  });
});

/** Sockets at a server that accepts and never answers. */
async function silent(): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.resume());
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

describe('the life of health checks', () => {
  it.each<[string, HealthCheckOptions]>([
    ['http', { http: { path: '/' } }],
    ['https', { http: { path: '/', protocol: 'https' } }],
  ])('leaves no socket after close(): %s', async (_, options) => {
    const { port, sockets } = await silent();
    const client = clientOver([{ port }], { healthCheck: { ...options, timeoutMs: 60_000 } });
    await expect.poll(() => sockets.size).toBe(1);
    await client.close();
    await expect.poll(() => sockets.size).toBe(0);
  });

  it('has no more sockets than checks under way, when nobody answers', async () => {
    const { port, sockets } = await silent();
    const seen: number[] = [];
    const client = clientOver([{ port }], {
      healthCheck: { http: { path: '/' }, intervalMs: 20, timeoutMs: 30 },
    });
    const changes = changesOf(client);
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      seen.push(sockets.size);
    }
    await expect
      .poll(() => changes)
      .toMatchObject([{ health: 'unhealthy', error: 'no answer within 30 ms' }]);
    expect(Math.max(...seen)).toBeLessThanOrEqual(2); // the one that was given up may not be gone at its server
    await client.close();
    await expect.poll(() => sockets.size).toBe(0);
  });

  it('lets an idle process end, with a check parked on a server', async () => {
    const { port } = await silent();
    const child = fileURLToPath(new URL('checking-process.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', child, String(port)],
      { timeout: 15_000 }, // less than the time limit of the check
    );
    expect(stdout).toBe('ended by itself\n');
  });

  it('can be ended by the check itself', async () => {
    const server: RequestListener = (_request, response) => response.end();
    const { port } = await serve(server);
    let checks = 0;
    const client: Client = clientOver([{ port }], {
      healthCheck: {
        check: async () => {
          checks++;
          await client.close();
          return true;
        },
        intervalMs: 5,
      },
    });
    await expect.poll(() => client.snapshot().status).toBe('closed');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(checks).toBe(1);
  });
});
