/** Many services watched by one process through one agent. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { tcpProxy } from '../../src/testing.js';
import { type CheckReadings, readChecks } from './check-readings.js';
import { startChild } from './child.js';
import { countConnections } from './connection-count.js';
import type { Heard, ManyOrder, ManyWatchesOrders } from './many-watches.js';
import { monotonicMs } from './monotonic.js';
import { rawPut } from './raw-http.js';

/** Services of the watching process itself, which it has to keep alive. */
export const OWN = { names: ['own-0', 'own-1', 'own-2', 'own-3', 'own-4'], ttlMs: 3_000 };
const ROUNDS = 2;

export interface ScaleScene {
  /** Of an agent that nobody else uses, nor has used lately. */
  readonly url: string;
  readonly services: number;
  readonly adapters: ManyOrder['adapters'];
  readonly pollMs: number;
  /** How long heartbeats are observed, at least. */
  readonly forMs: number;
}

export interface Scale {
  /** Until every client had its first list. */
  readonly readyMs: number;
  /** Connections of the process that counted at the agent at a time. */
  readonly mostConnections: number;
  /** From a change being sent until a client used it, in ms, a number for each change of each service. */
  readonly heardAfterMs: readonly number[];
  /** Changes that were never heard of. */
  readonly missed: number;
  /** The process's own checks. */
  readonly checks: CheckReadings;
  readonly faults: Readonly<Record<string, number>>;
  /** Heap per service: its client and its watch. */
  readonly bytesPerService: number;
  /** CPU time of the process while nothing changes, ms per second. */
  readonly idleCpuMs: number;
  /** What the process held after all was closed, and whether it then ended by itself. */
  readonly left: readonly string[];
  readonly ended: boolean;
}

export async function measureScale(scene: ScaleScene): Promise<Scale> {
  const { url, adapters, pollMs, forMs } = scene;
  const registry = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const services = serviceNames(scene.services);
  for (const name of services) await registerWeighing(registry, url, name, 1);

  await using proxy = await tcpProxy({ port: Number(new URL(url).port) });
  const connections = countConnections(proxy);
  await using child = await startChild<ManyWatchesOrders>('many-watches.ts', ['--expose-gc']);
  const through = `http://127.0.0.1:${proxy.port}`;
  await child.tell('register', { url: through, ...OWN });
  const checks = readChecks(url, OWN.names);
  const endMs = performance.now() + forMs;
  const emptyBytes = await child.tell('heap');
  const readyMs = await child.tell('watch', { url: through, services, adapters, pollMs });
  const bytes = (await child.tell('heap')) - emptyBytes;

  const sent: Change[] = [];
  for (let weight = 2; weight < 2 + ROUNDS; weight++) {
    for (const service of services) {
      sent.push({ service, weight, sentMs: monotonicMs() });
      await registerWeighing(registry, url, service, weight);
    }
    // Those that poll may take up to this long to see it.
    await sleep(pollMs + 1_500);
  }
  const cpuMs = await child.tell('cpuMs');
  const idleSinceMs = performance.now();
  await sleep(Math.max(2_000, endMs - performance.now()));
  const idleSeconds = (performance.now() - idleSinceMs) / 1e3;
  const idleCpuMs = ((await child.tell('cpuMs')) - cpuMs) / idleSeconds;

  const heard = await child.tell('heard');
  const heardAfterMs = sent.map((change) => heardAfter(change, heard));
  const faults = await child.tell('faults');
  const readings = await checks.stop();
  const left = await child.tell('close');
  const ended = await child.endsWithin(3_000);
  registry.destroy();
  return {
    readyMs,
    mostConnections: connections.stop(),
    heardAfterMs: heardAfterMs.filter((ms) => ms !== undefined),
    missed: heardAfterMs.filter((ms) => ms === undefined).length,
    checks: readings,
    faults,
    bytesPerService: bytes / services.length,
    idleCpuMs,
    left,
    ended,
  };
}

export function serviceNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `watched-${i}`);
}

/** A service of one instance, which tells by its weight which of several registrations it is. */
export async function registerWeighing(
  registry: http.Agent,
  url: string,
  name: string,
  weight: number,
): Promise<void> {
  const Weights = { Passing: weight, Warning: 1 };
  const service = { Name: name, Port: 80, Weights };
  await rawPut(registry, `${url}/v1/agent/service/register`, service);
}

interface Change {
  readonly service: string;
  readonly weight: number;
  readonly sentMs: number;
}

function heardAfter(
  { service, weight, sentMs }: Change,
  heard: readonly Heard[],
): number | undefined {
  const found = heard.find((one) => one.service === service && one.weight === weight);
  return found && found.atMs - sentMs;
}
