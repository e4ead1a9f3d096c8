/** Storms: every instance fails for a while, under calls that keep coming. Real clients, modelled servers. */
import type { AttemptContext } from '../../src/attempt-context.js';
import { type Client, createClient } from '../../src/client.js';
import type { ClientOptions } from '../../src/options.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { exponentialMs } from './servers.js';
import { EventClock } from './storm-clock.js';
import { StormServer, type StormServerOptions } from './storm-server.js';

export interface Storm {
  readonly seed: number;
  readonly servers: number;
  readonly server: StormServerOptions;
  /** Calls per second: Poisson arrivals, whatever becomes of the calls before. */
  readonly perSecond: number;
  readonly durationMs: number;
  /** Clients that share the calls evenly, each with breakers and a budget of its own. Default 1. */
  readonly clients?: number;
  readonly options: Partial<ClientOptions>;
}

/** What became of the calls that came within one second, and what else happened in it. */
export interface StormSecond {
  calls: number;
  /** Of its calls, whenever they did. */
  succeeded: number;
  /** How long those took, in ms. */
  readonly latenciesMs: number[];
  /** Attempts sent within it, whichever second their calls came in. */
  attempts: number;
  /** Requests that the servers answered well within it. */
  served: number;
  /** Requests that the servers were done with within it. */
  done: number;
  /** Of those, the ones whose callers had given up. */
  wasted: number;
  /** Breakers of the first client that were not closed at its end. */
  out: number;
}

/** @returns what happened, by second. */
export async function runStorm(storm: Storm): Promise<readonly StormSecond[]> {
  const { seed, durationMs } = storm;
  const clock = new EventClock();
  const rng = seededRng(seed);
  const seconds = Array.from({ length: Math.ceil(durationMs / 1_000) }, emptySecond);
  const now = (): StormSecond => seconds[Math.floor(clock.now() / 1_000)] ?? emptySecond();
  const ids = Array.from({ length: storm.servers }, (_, i) => `s${String(i)}`);
  const onDone = (isGood: boolean, isWasted: boolean): void => {
    const second = now();
    second.done++;
    if (isGood) second.served++;
    if (isWasted) second.wasted++;
  };
  const servers = new Map(ids.map((id) => [id, new StormServer(storm.server, clock, rng, onDone)]));
  const clients = Array.from({ length: storm.clients ?? 1 }, (_, i) =>
    createClient({
      service: 'stormy',
      discovery: memoryAdapter(ids.map((id) => ({ id, host: id, port: 80 }))),
      env: { clock, rng: seededRng(seed * 1_000 + i + 1) },
      ...storm.options,
    }),
  );
  const attempt = ({ instance, timeoutMs }: AttemptContext): Promise<void> => {
    now().attempts++;
    return servers.get(instance.id)?.serve(timeoutMs) ?? Promise.reject(new Error('unknown'));
  };
  const call = async (client: Client): Promise<void> => {
    const second = now();
    const cameAtMs = clock.now();
    second.calls++;
    try {
      await client.call(attempt, { idempotent: true });
    } catch {
      return;
    }
    second.succeeded++;
    second.latenciesMs.push(clock.now() - cameAtMs);
  };
  const scheduleCall = (): void => {
    const inMs = exponentialMs(rng, 1_000 / storm.perSecond);
    if (clock.now() + inMs >= durationMs) return;
    clock.setTimer(inMs, () => {
      const client = clients[Math.floor(rng.next() * clients.length)];
      if (client !== undefined) void call(client);
      scheduleCall();
    });
  };

  await clock.runUntil(0); // the lists are read
  scheduleCall();
  for (const [i, second] of seconds.entries()) {
    await clock.runUntil((i + 1) * 1_000);
    const instances = clients[0]?.snapshot().instances ?? [];
    second.out = instances.filter(({ breaker }) => breaker !== 'closed').length;
  }
  await clock.runUntil(durationMs + 60_000); // the last calls end
  for (const client of clients) await client.close();
  return seconds;
}

function emptySecond(): StormSecond {
  return {
    calls: 0,
    succeeded: 0,
    latenciesMs: [],
    attempts: 0,
    served: 0,
    done: 0,
    wasted: 0,
    out: 0,
  };
}
