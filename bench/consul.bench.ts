/**
 * What discovery through Consul costs: latency, many services, one large service. `npm run bench -- consul`, some five
 * minutes. Real agents on loopback, watchers in processes of their own. Runs the built package. Writes
 * bench/results/consul.json and consul.md.
 */
import { cpus } from 'node:os';
import { startConsulAgent } from '../scripts/consul-agent.js';
import { startConsulCluster } from '../scripts/consul-cluster.js';
import { consulVersion, findConsul } from '../scripts/ensure-consul.mjs';
import { measureFlood, measureUpdates } from './consul/large.js';
import { registerLargeService } from './consul/large-service.js';
import { type Latencies, measureLatency } from './consul/latency.js';
import { measureOutage, measureRestart } from './consul/leftovers.js';
import { startPlainServer } from './consul/plain-server.js';
import { report, type Results } from './consul/report.js';
import { measureScale, type Scale } from './consul/scale.js';
import { writeResults } from './write-results.js';

const FLIPS = { flips: 100, everyMs: 300, withNoise: true };
const SERVICES = 300;
/** Fairlead's own default. */
const POLL_MS = 10_000;

async function main(): Promise<void> {
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    consul: await consulVersion(await findConsul({ fetch: true })),
  };
  const results: Results = {
    machine,
    latency: { 'a dev agent': await latencyOfDevAgent(), ...(await latenciesOfCluster()) },
    scale: {
      'one adapter': await scaleOf('one'),
      'an adapter each': await scaleOf('each'),
    },
    leftovers: {
      'a process killed, its successor': await alone((url) =>
        measureRestart({ url, services: SERVICES, forMs: 10_000 }),
      ),
      '20 services whose every call fails': await alone((url) =>
        measureOutage({ url, services: 20, forMs: 30_000 }),
      ),
    },
    large: await large(),
  };
  const markdown = report(results);
  console.log(markdown);
  await writeResults('consul', results, markdown);
}

/** With an agent of its own: what others have left parked would count. */
async function alone<T>(measure: (url: string) => Promise<T>): Promise<T> {
  await using agent = await startConsulAgent();
  return await measure(agent.url);
}

function latencyOfDevAgent(): Promise<Latencies> {
  return alone((url) =>
    measureLatency({ registerAt: url, readFrom: url, consistency: 'default', ...FLIPS }),
  );
}

/** Three servers and a client agent; instances are registered at the client agent. */
async function latenciesOfCluster(): Promise<Record<string, Latencies>> {
  await using cluster = await startConsulCluster();
  const { client, servers } = cluster;
  const throughClient = await measureLatency({
    registerAt: client.url,
    readFrom: client.url,
    consistency: 'default',
    ...FLIPS,
  });
  const leader = await cluster.leader();
  const follower = servers.find((server) => server !== leader) ?? leader;
  const onFollower = await measureLatency({
    registerAt: client.url,
    readFrom: follower.url,
    consistency: 'stale',
    ...FLIPS,
  });
  return { 'a client agent': throughClient, '`stale` on a follower': onFollower };
}

function scaleOf(adapters: 'one' | 'each'): Promise<Scale> {
  return alone((url) =>
    measureScale({ url, services: SERVICES, adapters, pollMs: POLL_MS, forMs: 45_000 }),
  );
}

async function large(): Promise<Results['large']> {
  await using server = await startPlainServer();
  using service = await registerLargeService(server.url);
  return {
    instances: service.instances,
    listBytes: service.listBytes,
    updates: await measureUpdates(server.url, service, 9),
    floodMs: 15_000,
    flood: await measureFlood(server.url, service, 15_000),
  };
}

await main();
