/**
 * The main job, to watch: five real servers, one slow and one that fails half the time; a client with 32 calls
 * in flight; one server killed without warning and brought back. `npm run demo`, with `-- --consul` to discover
 * through a real Consul agent, with `-- --runs 10` to do it so often. Exits with 1 when an idempotent call failed.
 */
import { Agent } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import axios from 'axios';
import { consul } from '../adapters/consul.js';
import { staticList } from '../adapters/static.js';
import { wrapAxios } from '../src/clients/axios.js';
import { type Client, createClient, type DiscoveryAdapter } from '../src/index.js';
import { startConsulAgent } from './consul-agent.js';
import { type Actor, type Role, startCast } from './demo/cast.js';
import { align, LiveTable } from './demo/table.js';

const SERVICE = 'orders';
const IN_FLIGHT = 32;
const KILL_AT_MS = 4_000;
const RETURN_AT_MS = 8_000;
const END_AT_MS = 14_000;

const ROLES: readonly Role[] = [
  { id: 'quick-3', weight: 3, delayMs: 4, failRatio: 0 },
  { id: 'quick-1', weight: 1, delayMs: 4, failRatio: 0 },
  { id: 'slow', weight: 1, delayMs: 80, failRatio: 0 },
  { id: 'flaky', weight: 1, delayMs: 4, failRatio: 0.5 },
  { id: 'victim', weight: 3, delayMs: 4, failRatio: 0 },
];

const { values: wanted } = parseArgs({
  options: { consul: { type: 'boolean', default: false }, runs: { type: 'string', default: '1' } },
});
const runs = Number(wanted.runs);
if (!Number.isInteger(runs) || runs < 1)
  throw new Error(`--runs must be 1 or more: ${wanted.runs}`);
let good = 0;
for (let n = 1; n <= runs; n++) {
  const agent = wanted.consul ? await startConsulAgent() : undefined;
  try {
    if (await perform(agent?.url)) good++;
  } finally {
    await agent?.stop();
  }
}
if (runs > 1) {
  console.log(
    `\n${String(good)} of ${String(runs)} runs without a failed call, the victim out and back.`,
  );
}
process.exitCode = good === runs ? 0 : 1;

/** @returns whether no call failed, and the victim was seen to go and to come back. */
async function perform(consulUrl: string | undefined): Promise<boolean> {
  const registry = consulUrl === undefined ? undefined : { url: consulUrl, service: SERVICE };
  const cast = await startCast(ROLES, registry);
  const discovery: DiscoveryAdapter =
    registry === undefined
      ? staticList(cast.map(({ id, weight, port }) => ({ id, host: '127.0.0.1', port, weight })))
      : consul({ url: registry.url });
  const client = createClient({
    service: SERVICE,
    discovery,
    retry: { maxAttempts: 3 },
    breaker: { maxOpenMs: 2_000 }, // so that the victim is tried again before the show is over
    timeoutMs: 2_000,
    attemptTimeoutMs: 500,
  });
  console.log(
    `${String(IN_FLIGHT)} idempotent calls in flight for ${String(END_AT_MS / 1_000)} s to ${String(cast.length)} servers from ${
      registry === undefined ? 'a static list' : 'Consul'
    }: one answers in 80 ms rather than 4, one fails half of its calls, one will be killed. Shares are of the moment.`,
  );
  try {
    await allListed(client, cast.length);
    return report(client, cast, await run(client, cast));
  } finally {
    await client.close();
    for (const actor of cast) actor.kill();
  }
}

/** Consul lists the servers as they register; the show begins when all are there. */
async function allListed(client: Client, size: number): Promise<void> {
  await client.ready();
  while (client.snapshot().instances.length < size) await sleep(20);
}

interface Run {
  readonly latencies: readonly number[];
  readonly failures: readonly unknown[];
  readonly attempts: ReadonlyMap<string, number>;
  readonly outAfterMs: number | undefined;
  readonly backAfterMs: number | undefined;
}

async function run(client: Client, cast: readonly Actor[]): Promise<Run> {
  const keepAlive = new Agent({ keepAlive: true });
  const http = wrapAxios(
    axios.create({ baseURL: `http://${SERVICE}`, httpAgent: keepAlive }),
    client,
  );
  const names = new Map(cast.map(({ port, id }) => [port, id]));
  const victim = cast.find(({ id }) => id === 'victim');
  if (victim === undefined) throw new Error('The cast has no victim.');
  const table = new LiveTable(names, process.stdout);
  const latencies: number[] = [];
  const failures: unknown[] = [];
  const startMs = performance.now();
  const elapsedMs = (): number => performance.now() - startMs;
  const watch = watchVictim(client, victim, elapsedMs);

  const worker = async (): Promise<void> => {
    while (elapsedMs() < END_AT_MS) {
      const sentMs = performance.now();
      try {
        await http.get('/');
        latencies.push(performance.now() - sentMs);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const workers = Promise.all(Array.from({ length: IN_FLIGHT }, worker));

  let event = '';
  const ticks = process.stdout.isTTY ? 200 : 1_000;
  const timer = setInterval(() => {
    table.draw(elapsedMs() / 1_000, event, client.snapshot());
    if (!process.stdout.isTTY) event = '';
  }, ticks);

  await sleep(KILL_AT_MS - elapsedMs());
  victim.kill();
  watch.killed();
  event = 'victim killed without warning';
  await sleep(RETURN_AT_MS - elapsedMs());
  await victim.start();
  watch.returned();
  event = 'victim started again';
  await workers;
  clearInterval(timer);
  keepAlive.destroy();
  const attempts = new Map(
    client.snapshot().instances.map((row) => [table.nameOf(row), row.attempts]),
  );
  return { latencies, failures, attempts, ...watch.result() };
}

/** When the client stopped picking the victim, and when it first got an answer from it again. */
function watchVictim(client: Client, victim: Actor, elapsedMs: () => number) {
  let killedMs = Infinity;
  let returnedMs = Infinity;
  let outAfterMs: number | undefined;
  let backAfterMs: number | undefined;
  const isVictim = (id: string): boolean => {
    const row = client.snapshot().instances.find((instance) => instance.id === id);
    return row?.url.endsWith(`:${String(victim.port)}`) === true || id.endsWith(victim.id);
  };
  const out = (id: string): void => {
    if (elapsedMs() >= killedMs && isVictim(id)) outAfterMs ??= elapsedMs() - killedMs;
  };
  client.on('breaker.opened', ({ instanceId }) => {
    out(instanceId);
  });
  client.on('instances.changed', ({ removed }) => {
    removed.forEach(out);
  });
  client.on('attempt.ended', ({ outcome, instanceId }) => {
    if (outcome !== 'success' || elapsedMs() < returnedMs || !isVictim(instanceId)) return;
    backAfterMs ??= elapsedMs() - returnedMs;
  });
  return {
    killed: () => {
      killedMs = elapsedMs();
    },
    returned: () => {
      returnedMs = elapsedMs();
    },
    result: () => ({ outAfterMs, backAfterMs }),
  };
}

function report(client: Client, cast: readonly Actor[], run: Run): boolean {
  const { latencies, failures, attempts, outAfterMs, backAfterMs } = run;
  const sorted = [...latencies].sort((a, b) => a - b);
  const percentile = (p: number): string =>
    `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? NaN).toFixed(1)} ms`;
  const total = [...attempts.values()].reduce((sum, count) => sum + count, 0);
  const took = (ms: number | undefined): string =>
    ms === undefined ? 'never' : `${(ms / 1_000).toFixed(2)} s`;
  console.log(`\nSummary (${client.service}, policy ${client.snapshot().policy})`);
  const rows = [
    ['calls', String(latencies.length + failures.length)],
    ['failed calls', String(failures.length)],
    ['attempts', String(total)],
    ...cast.map(({ id, weight }) => [
      `share of ${id} (weight ${String(weight)})`,
      `${(((attempts.get(id) ?? 0) / total) * 100).toFixed(1)} %`,
    ]),
    ['latency p50 / p99', `${percentile(0.5)} / ${percentile(0.99)}`],
    ['victim out after its death', took(outAfterMs)],
    ['victim back after its return', took(backAfterMs)],
  ];
  for (const line of align(rows)) console.log(`  ${line}`);
  for (const error of failures.slice(0, 3)) console.error(error);
  return failures.length === 0 && outAfterMs !== undefined && backAfterMs !== undefined;
}
