/** From the flip of a check to the next pick's candidates, beside what Consul itself takes. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentApi } from '../../scripts/consul/agent-api.js';
import { startChild } from './child.js';
import type { LatencyBareOrders } from './latency-bare.js';
import type { LatencyClientOrders } from './latency-client.js';
import { monotonicMs } from './monotonic.js';
import { rawPut } from './raw-http.js';

/** What somebody saw of a service, and when. */
export interface Sighting {
  readonly service: string;
  /** On the machine's monotonic clock. */
  readonly atMs: number;
  /** Those that may be picked, by id. */
  readonly weights: Readonly<Record<string, number>>;
}

/** In ms, one number per flip. */
export interface Latencies {
  /** From sending the flip to the client's next pick. */
  readonly fromSent: readonly number[];
  /** From the reply to the flip; less than 0 where the change was heard of first. */
  readonly fromReplied: readonly number[];
  /** From sending the flip to the whole reply to a bare query. */
  readonly bare: readonly number[];
  /** What Fairlead adds: `fromSent` less `bare`, flip by flip. */
  readonly added: readonly number[];
  /** From one bare query's reply to the other's, whichever came first; empty without `withNoise`. */
  readonly noise: readonly number[];
}

export interface LatencyScene {
  /** The agent where instances are registered, and their checks flipped. */
  readonly registerAt: string;
  /** The agent that is asked. */
  readonly readFrom: string;
  readonly consistency: 'default' | 'stale';
  readonly flips: number;
  /** Between two flips. Only one is under way at a time. */
  readonly everyMs: number;
  /** Adds a second bare watcher: what two of a kind differ by is the machine's own noise. */
  readonly withNoise: boolean;
}

const INSTANCES = 3;
/** Above a second, in which the token bucket gives back what a flip took. */
const SERVICE_RESTS_MS = 1_150;
const PASSING = 10;
const WARNING = 3;
const VERBS = [
  { verb: 'fail', weight: undefined },
  { verb: 'warn', weight: WARNING },
  { verb: 'pass', weight: PASSING },
] as const;

/**
 * Flips TTL checks of many services in turn, and has two processes note when they know: one with Fairlead's clients, one
 * with a bare blocking query per service, `node:http` and nothing else. Both hear of a flip from the same agent, by
 * a parked query each, and read the same clock, that of the machine. The flips are sent from a third process, this one, so
 * that the reply to the flip, which comes at the same moment, is in nobody's way.
 *
 * What is compared is not quite like with like, to Fairlead's loss: the bare time is that of the last byte, ours is
 * that after parsing, comparing, taking over and picking. That the processes compete for the cores, and which of
 * the two the agent answers first, is in the difference, either way.
 */
export async function measureLatency(scene: LatencyScene): Promise<Latencies> {
  const { registerAt, readFrom, flips, everyMs, consistency } = scene;
  const services = Array.from(
    { length: Math.ceil(SERVICE_RESTS_MS / everyMs) },
    (_, i) => `flipped-${i}`,
  );
  const weights = { passing: PASSING, warning: WARNING };
  const api = agentApi(registerAt);
  for (const name of services) {
    for (let i = 0; i < INSTANCES; i++) await api.register({ name, port: 8_000 + i, weights });
  }
  const query = consistency === 'stale' ? 'stale=1' : '';
  const bareOrder = { url: readFrom, query, services };
  await using bare = await startChild<LatencyBareOrders>('latency-bare.ts');
  await using client = await startChild<LatencyClientOrders>('latency-client.ts');
  await using second = scene.withNoise
    ? await startChild<LatencyBareOrders>('latency-bare.ts')
    : undefined;
  await bare.tell('watch', bareOrder);
  await client.tell('watch', { options: { url: readFrom, consistency }, services });
  await second?.tell('watch', bareOrder);
  await sleep(SERVICE_RESTS_MS);

  const agent = new http.Agent({ keepAlive: true });
  const sent: Flip[] = [];
  let dueMs = performance.now();
  for (let i = 0; i < flips; i++, dueMs += everyMs) {
    await sleep(Math.max(0, dueMs - performance.now()));
    const service = services[i % services.length] ?? '';
    const { verb, weight } = VERBS[Math.floor(i / services.length) % VERBS.length] ?? VERBS[0];
    const url = `${registerAt}/v1/agent/check/${verb}/service:${service}-8000`;
    const sentMs = monotonicMs();
    await rawPut(agent, url);
    sent.push({ service, weight, sentMs, repliedMs: monotonicMs() });
  }
  agent.destroy();
  await sleep(SERVICE_RESTS_MS);

  const ours = await client.tell('sightings');
  const theirs = await bare.tell('sightings');
  const seconds = await second?.tell('sightings');
  const rows = sent.map((flip) => {
    const [oursMs, bareMs] = [firstSight(flip, ours), firstSight(flip, theirs)];
    return {
      fromSent: oursMs - flip.sentMs,
      fromReplied: oursMs - flip.repliedMs,
      bare: bareMs - flip.sentMs,
      added: oursMs - bareMs,
      noise: seconds && Math.abs(firstSight(flip, seconds) - bareMs),
    };
  });
  return {
    fromSent: rows.map(({ fromSent }) => fromSent),
    fromReplied: rows.map(({ fromReplied }) => fromReplied),
    bare: rows.map(({ bare: bareMs }) => bareMs),
    added: rows.map(({ added }) => added),
    noise: rows.map(({ noise }) => noise).filter((ms) => ms !== undefined),
  };
}

interface Flip {
  readonly service: string;
  /** That of the first instance from then on; `undefined` while it may not be picked. */
  readonly weight: number | undefined;
  readonly sentMs: number;
  readonly repliedMs: number;
}

/** When it was first seen after the flip that the instance is as the flip made it. */
function firstSight({ service, weight, sentMs }: Flip, sightings: readonly Sighting[]): number {
  const found = sightings.find((sighting) => {
    const id = Object.keys(sighting.weights).find((one) => one.endsWith(`/${service}-8000`));
    return (
      sighting.service === service &&
      sighting.atMs > sentMs &&
      (id === undefined ? undefined : sighting.weights[id]) === weight
    );
  });
  if (found === undefined) throw new Error(`a flip of ${service} was never seen`);
  return found.atMs;
}
