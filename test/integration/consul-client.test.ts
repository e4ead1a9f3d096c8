/** The main job against a real Consul agent and real server processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import axios from 'axios';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import { type Actor, startCast } from '../../scripts/demo/cast.js';
import { wrapAxios } from '../../src/clients/axios.js';
import { type Client, type ClientOptions, createClient } from '../../src/index.js';

const SERVICE = 'orders';
let agent: ConsulAgent;
let cast: readonly Actor[] = [];
const clients: Client[] = [];

beforeEach(async () => {
  agent = await startConsulAgent();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const actor of cast) actor.kill();
  cast = [];
  await agent.stop();
});

function clientOf(options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    service: SERVICE,
    discovery: consul({ url: agent.url }),
    ...options,
  });
  clients.push(client);
  return client;
}

const listed = (client: Client): string[] =>
  client
    .snapshot()
    .instances.filter(({ membership }) => membership === 'listed')
    .map(({ url }) => new URL(url).port)
    .sort();

/** Share of picks per port, through leases that end at once. */
function shares(client: Client, picks: number): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < picks; i++) {
    const lease = client.pick();
    counts.set(lease.instance.port, (counts.get(lease.instance.port) ?? 0) + 1);
    lease.end('ignored');
  }
  return counts;
}

describe('a client that discovers through Consul', () => {
  it('loses no idempotent call when one of three server processes is killed', async () => {
    const role = { weight: 1, delayMs: 2, failRatio: 0 };
    cast = await startCast(
      [
        { id: 'one', ...role },
        { id: 'two', ...role },
        { id: 'three', ...role },
      ],
      { url: agent.url, service: SERVICE },
    );
    const client = clientOf();
    await vi.waitFor(() => {
      expect(listed(client)).toHaveLength(3);
    });
    const http = wrapAxios(axios.create({ baseURL: `http://${SERVICE}` }), client);
    const failures: unknown[] = [];
    let calls = 0;
    let done = false;
    const worker = async (): Promise<void> => {
      while (!done) {
        calls++;
        await http.get('/').catch((error: unknown) => failures.push(error));
      }
    };
    const workers = Promise.all(Array.from({ length: 16 }, worker));
    await sleep(500);
    cast[0]?.kill();
    // Its check lasts 1.5 s; then Consul takes it off the list.
    await vi.waitFor(
      () => {
        expect(listed(client)).toHaveLength(2);
      },
      { timeout: 8_000, interval: 50 },
    );
    await sleep(300);
    done = true;
    await workers;
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(200);
  });

  it('lets weight, warning state, deregistration and return reach the picks', async () => {
    const weights = (passing: number): { passing: number; warning: number } => ({
      passing,
      warning: 1,
    });
    const register = (port: number, passing: number): Promise<string> =>
      agent.register({ name: SERVICE, port, address: '127.0.0.1', weights: weights(passing) });
    const first = await register(1001, 1);
    await register(1002, 1);
    await register(1003, 1);
    const client = clientOf({ policy: 'weighted-round-robin', slowStartMs: 0 });
    await vi.waitFor(() => {
      expect(listed(client)).toHaveLength(3);
    });
    expect(shares(client, 30)).toEqual(
      new Map([
        [1001, 10],
        [1002, 10],
        [1003, 10],
      ]),
    );

    await register(1001, 4);
    await vi.waitFor(() => {
      expect(shares(client, 60).get(1001)).toBe(40);
    }, 5_000);

    await agent.warnCheck(first);
    await vi.waitFor(() => {
      expect(shares(client, 60).get(1001)).toBe(20);
    }, 5_000);

    await agent.deregister(first);
    await vi.waitFor(() => {
      expect(listed(client)).toEqual(['1002', '1003']);
    }, 5_000);
    expect(shares(client, 10).has(1001)).toBe(false);

    await register(1001, 1);
    await vi.waitFor(() => {
      expect(shares(client, 30).get(1001)).toBe(10);
    }, 5_000);
  });

  it('follows the tags it was asked for', async () => {
    const register = (port: number, tag: string): Promise<string> =>
      agent.register({ name: SERVICE, port, address: '127.0.0.1', tags: [tag] });
    await register(1001, 'v1');
    await register(1002, 'v2');
    const client = clientOf({ discovery: consul({ url: agent.url, tags: ['v2'] }) });
    await client.ready();
    expect(listed(client)).toEqual(['1002']);
    await register(1001, 'v2');
    await vi.waitFor(() => {
      expect(listed(client)).toEqual(['1001', '1002']);
    }, 5_000);
  });

  it('keeps its list over an agent killed and restarted, and hears of the next change within 2 s', async () => {
    const register = (port: number): Promise<string> =>
      agent.register({ name: SERVICE, port, address: '127.0.0.1' });
    for (const port of [1001, 1002, 1003]) await register(port);
    const client = clientOf();
    const sizes: number[] = [];
    client.on('instances.changed', ({ size }) => sizes.push(size));
    await vi.waitFor(() => {
      expect(listed(client)).toHaveLength(3);
    });

    await agent.kill();
    await sleep(300);
    expect(listed(client)).toHaveLength(3);
    await agent.restart(); // knows nothing, and counts its index from the start
    for (const port of [1001, 1002, 1003]) await register(port);
    const changedAt = performance.now();
    await register(1004);
    await vi.waitFor(
      () => {
        expect(listed(client)).toContain('1004');
      },
      { timeout: 5_000, interval: 10 },
    );
    expect(performance.now() - changedAt).toBeLessThan(2_000);
    expect(Math.min(...sizes)).toBe(3);
    expect(client.snapshot().discovery.lastFault).toBeDefined();
  });

  it('tells an unknown service from one without instances', async () => {
    const unknown = clientOf({ service: 'no-such-service', readyTimeoutMs: 300 });
    await expect(unknown.call(() => 1)).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_SERVICE_NOT_FOUND',
    });
    await expect(unknown.ready()).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_SERVICE_NOT_FOUND' });
    await agent.register({ name: SERVICE, port: 1001, status: 'critical' });
    const empty = clientOf({ readyTimeoutMs: 300 });
    await expect(empty.call(() => 1)).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_NO_INSTANCES',
    });
    await expect(empty.ready()).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_NOT_READY' });
  });
});
