/**
 * Consul does not notice that whoever parked a query is gone: until the query's `wait` is over, the connection counts
 * against the 200 that an agent takes from one address. What is given up, or left behind by a process that ends, is in
 * the way of those who come after.
 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { tcpProxy } from '../../src/testing.js';
import { type CheckReadings, readChecks } from './check-readings.js';
import { startChild } from './child.js';
import { countConnections } from './connection-count.js';
import type { ManyWatchesOrders } from './many-watches.js';
import { OWN, registerWeighing, serviceNames } from './scale.js';

export interface Aftermath {
  readonly mostConnections: number;
  readonly checks: CheckReadings;
  readonly faults: Readonly<Record<string, number>>;
}

export interface LeftoverScene {
  /** Of an agent that nobody else uses, nor has used lately. */
  readonly url: string;
  readonly services: number;
  readonly forMs: number;
}

/** A process with many watches is killed, and another takes its place at once, as in a deployment. */
export async function measureRestart(scene: LeftoverScene): Promise<Aftermath> {
  return atAgent(scene, async ({ order, start }) => {
    await using old = await start();
    await old.tell('watch', order);
    await sleep(1_000); // all that can are parked
    await old[Symbol.asyncDispose]();
    const successor = await start();
    await successor.tell('register', { url: order.url, ...OWN });
    const checks = readChecks(scene.url, OWN.names);
    await successor.tell('watch', order);
    await sleep(scene.forMs);
    return { child: successor, checks };
  });
}

/** Every call of every service fails, so fresh data is wanted all the time. */
export async function measureOutage(scene: LeftoverScene): Promise<Aftermath> {
  return atAgent(scene, async ({ order, start }) => {
    const child = await start();
    await child.tell('register', { url: order.url, ...OWN });
    const checks = readChecks(scene.url, OWN.names);
    await child.tell('watch', order);
    await child.tell('fail', { ms: scene.forMs });
    return { child, checks };
  });
}

type Watcher = Awaited<ReturnType<typeof startChild<ManyWatchesOrders>>>;

async function atAgent(
  { url, services }: LeftoverScene,
  play: (stage: {
    readonly order: Parameters<ManyWatchesOrders['watch']>[0];
    readonly start: () => Promise<Watcher>;
  }) => Promise<{
    readonly child: Watcher;
    readonly checks: { stop(): Promise<CheckReadings> };
  }>,
): Promise<Aftermath> {
  const registry = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const names = serviceNames(services);
  for (const name of names) await registerWeighing(registry, url, name, 1);
  registry.destroy();
  await using proxy = await tcpProxy({ port: Number(new URL(url).port) });
  const connections = countConnections(proxy);
  const through = `http://127.0.0.1:${proxy.port}`;
  const { child, checks } = await play({
    order: { url: through, services: names, adapters: 'one', pollMs: 2_000 },
    start: () => startChild<ManyWatchesOrders>('many-watches.ts'),
  });
  await using watcher = child;
  return {
    mostConnections: connections.stop(),
    checks: await checks.stop(),
    faults: await watcher.tell('faults'),
  };
}
