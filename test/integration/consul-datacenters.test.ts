/** Two datacenters: an agent each, joined over the WAN pool. */
import { setTimeout as sleep } from 'node:timers/promises';
import Consul from 'consul';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { consul, type ConsulOptions } from '../../adapters/consul.js';
import { askForJson } from '../../scripts/consul/cluster-request.js';
import { freePort } from '../../scripts/consul/free-port.js';
import { type ConsulAgent, startConsulAgent } from '../../scripts/consul-agent.js';
import type { ClientOptions } from '../../src/index.js';
import { observe, type ObservedClient } from './observed-client.js';

const SERVICE = 'orders';
/** Calls go back to a better priority without delay. */
const AT_ONCE = { priority: { holdDownMs: 0, rampMs: 0 } };
let dc1: ConsulAgent;
let dc2: ConsulAgent;
let join: () => Promise<void>;
const observed: ObservedClient[] = [];

beforeEach(async () => {
  const [wan1, wan2] = [await freePort(), await freePort()];
  [dc1, dc2] = await Promise.all([
    startConsulAgent({ config: { datacenter: 'dc1', ports: { serf_wan: wan1 } } }),
    startConsulAgent({ config: { datacenter: 'dc2', ports: { serf_wan: wan2 } } }),
  ]);
  join = async () => {
    await askForJson(dc1.url, `/v1/agent/join/127.0.0.1:${wan2}?wan=1`, { method: 'PUT' });
    await until('they know each other', async () => {
      const seen = await Promise.all([
        askForJson(dc1.url, '/v1/health/service/consul?dc=dc2'),
        askForJson(dc2.url, '/v1/health/service/consul?dc=dc1'),
      ]);
      return seen.every((nodes) => Array.isArray(nodes) && nodes.length === 1);
    });
  };
  await join();
});

afterEach(async () => {
  await Promise.all(observed.splice(0).map((one) => one.close()));
  await Promise.all([dc1.stop(), dc2.stop()]);
});

function clientOf(options: ConsulOptions, more: Partial<ClientOptions> = {}): ObservedClient {
  const discovery = consul({ url: dc1.url, ...options });
  const one = observe({ service: SERVICE, discovery, policy: 'round-robin', ...more });
  observed.push(one);
  return one;
}

const found = (one: ObservedClient, ...ports: readonly number[]): Promise<void> =>
  one.until(`found: ${ports.join(', ')}`, () => one.ports().join() === ports.join());

const priorities = (one: ObservedClient): Record<string, number> =>
  Object.fromEntries(
    one.client.snapshot().instances.map(({ id, priority }) => [id, priority] as const),
  );

/** Ports that so many picks go to. */
function picked(one: ObservedClient, picks = 50): number[] {
  const ports = new Set<number>();
  for (let i = 0; i < picks; i++) {
    const lease = one.client.pick();
    ports.add(lease.instance.port);
    lease.end('ignored');
  }
  return [...ports].sort((a, b) => a - b);
}

describe('datacenter', () => {
  it('reads another datacenter through the local agent', async () => {
    await dc1.register({ name: SERVICE, port: 8001 });
    await dc2.register({ name: SERVICE, port: 8101 });
    const one = clientOf({ datacenter: 'dc2' });
    await found(one, 8101);
    expect(one.client.snapshot().instances[0]?.id).toBe('dc2/fairlead-test/orders-8101');
    expect(one.status().state).toBe('current');
    await dc2.register({ name: SERVICE, port: 8102 });
    await found(one, 8101, 8102);
    expect(one.faults).toEqual([]);
  });

  it('may be that of an injected client', async () => {
    await dc1.register({ name: SERVICE, port: 8001 });
    await dc2.register({ name: SERVICE, port: 8101 });
    const { hostname: host, port } = new URL(dc1.url);
    const client = new Consul({ host, port: Number(port), defaults: { dc: 'dc2' } });
    const bySelf = clientOf({ url: undefined, client });
    const named = clientOf({ url: undefined, client, datacenter: 'dc1' });
    await found(bySelf, 8101);
    await found(named, 8001);
  });

  it('that nobody knows is refused', async () => {
    const one = clientOf({ datacenter: 'dc9' });
    await one.until('it is refused', () => one.status().state === 'refused');
    expect(one.status().cause).toMatch(/No path to datacenter.*option "datacenter"/);
    expect(one.faults).toMatchObject([{ effect: 'refused' }]);
  });
});

describe('failover', () => {
  it('adds the instances of other datacenters, behind all of the first', async () => {
    await dc1.register({ name: SERVICE, port: 8001 });
    await dc1.register({ name: SERVICE, port: 8002, meta: { priority: '3' } });
    await dc2.register({ name: SERVICE, port: 8101 });
    await dc2.register({ name: SERVICE, port: 8102, meta: { priority: '3' } });
    const one = clientOf({ failover: ['dc2'] });
    await found(one, 8001, 8002, 8101, 8102);
    expect(priorities(one)).toEqual({
      'dc1/fairlead-test/orders-8001': 0,
      'dc1/fairlead-test/orders-8002': 3,
      'dc2/fairlead-test/orders-8101': 1_000,
      'dc2/fairlead-test/orders-8102': 1_003,
    });
    await dc2.register({ name: SERVICE, port: 8103 });
    await found(one, 8001, 8002, 8101, 8102, 8103);
    await dc1.deregister('orders-8002');
    await found(one, 8001, 8101, 8102, 8103);
    expect(one.faults).toEqual([]);
  });

  it('carries the calls once the first datacenter cannot, and gives them back', async () => {
    const near = [
      await dc1.register({ name: SERVICE, port: 8001 }),
      await dc1.register({ name: SERVICE, port: 8002 }),
    ];
    await dc2.register({ name: SERVICE, port: 8101 });
    const retry = { maxAttempts: 3 };
    const one = clientOf({ failover: ['dc2'] }, { shrinkGraceMs: 0, stages: AT_ONCE, retry });
    await found(one, 8001, 8002, 8101);
    expect(picked(one)).toEqual([8001, 8002]);

    // One call finds both dead, and goes on.
    const tried: number[] = [];
    const answer = await one.client.call(
      ({ instance: { port } }) => {
        tried.push(port);
        if (port < 8100) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
        return port;
      },
      { idempotent: true },
    );
    expect(answer).toBe(8101);
    expect([...tried].sort((a, b) => a - b)).toEqual([8001, 8002, 8101]);

    for (const id of near) await dc1.failCheck(id);
    await found(one, 8101);
    expect(picked(one)).toEqual([8101]);
    for (const id of near) await dc1.passCheck(id);
    await found(one, 8001, 8002, 8101);
    await one.until('calls are back', () => picked(one).join() === '8001,8002');
  });

  it('serves where the first datacenter knows no such service', async () => {
    await dc2.register({ name: SERVICE, port: 8101 });
    const one = clientOf({ failover: ['dc2'] }, { stages: AT_ONCE });
    await found(one, 8101);
    expect(picked(one)).toEqual([8101]);
    await dc1.register({ name: SERVICE, port: 8001 });
    await found(one, 8001, 8101);
    await one.until('calls are here', () => picked(one).join() === '8001');
  });

  it('that dies costs neither its own instances nor those of the first, and heals', async () => {
    await dc1.register({ name: SERVICE, port: 8001 });
    await dc2.register({ name: SERVICE, port: 8101 });
    const one = clientOf({ failover: ['dc2'] });
    await found(one, 8001, 8101);
    await dc2.kill();
    const startMs = performance.now();
    await one.until('it is told', () => one.faults.some(({ message }) => message.includes('dc2')));
    console.log(`dc2 dead: told after ${(performance.now() - startMs).toFixed(0)} ms`);
    console.log(`  ${one.faults[0]?.message ?? ''}`);
    expect(one.faults.every(({ effect }) => effect === 'none')).toBe(true);
    expect(one.ports()).toEqual([8001, 8101]);

    await dc1.register({ name: SERVICE, port: 8002 });
    await found(one, 8001, 8002, 8101);
    expect(one.status().state).toBe('current');
    console.log(`  status: ${JSON.stringify(one.status().details)}`);

    await dc2.restart();
    await join();
    await dc2.register({ name: SERVICE, port: 8101 });
    await dc2.register({ name: SERVICE, port: 8102 });
    const healedMs = performance.now();
    await found(one, 8001, 8002, 8101, 8102);
    console.log(
      `  ${(performance.now() - healedMs).toFixed(0)} ms from its return to the new list`,
    );
    expect(one.fewest).toBeGreaterThanOrEqual(1);
  });

  it('that nobody knows is told, and costs nothing', async () => {
    await dc1.register({ name: SERVICE, port: 8001 });
    const one = clientOf({ failover: ['dc9', 'dc2'] });
    await dc2.register({ name: SERVICE, port: 8101 });
    await found(one, 8001, 8101);
    expect(priorities(one)['dc2/fairlead-test/orders-8101']).toBe(2_000);
    await one.until('it is told', () => one.faults.length > 0);
    expect(one.faults).toMatchObject([
      { effect: 'none', message: expect.stringMatching(/"dc9".*No path to datacenter/) },
    ]);
    expect(one.status().state).toBe('current');
  });

  it('as the only one that answers: the first is unknown, its instances are used', async () => {
    await dc2.register({ name: SERVICE, port: 8101 });
    const one = clientOf({ datacenter: 'dc9', failover: ['dc2'] });
    await found(one, 8101);
    expect(picked(one)).toEqual([8101]);
    await one.until('it is told', () => one.events.includes('discovery.refused'));
    expect(one.status().state).toMatch(/stale|refused/);
    expect(one.status().cause).toMatch(/dc9.*option "datacenter"/);
  });

  it('says so when it is the datacenter of the agent itself', async () => {
    await dc1.register({ name: SERVICE, port: 8001 });
    const one = clientOf({ failover: ['dc1'] });
    await found(one, 8001);
    await one.until('it is told', () => one.faults.length > 0);
    expect(one.faults[0]?.message).toMatch(/more than one/);
    expect(priorities(one)).toEqual({ 'dc1/fairlead-test/orders-8001': 0 });
  });
});

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (await holds().catch(() => false)) return;
    await sleep(50);
  }
  throw new Error(`not within 20 s: ${what}`);
}
