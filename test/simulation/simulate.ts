import { type Client, createClient } from '../../src/client.js';
import type { Lease } from '../../src/lease.js';
import { settle } from '../../src/testing/manual-clock.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { ClientOptions } from '../../src/options.js';
import type { Clock, Outcome, Rng } from '../../src/types.js';

/** A server as the simulation sees it. */
export interface Server {
  readonly id: string;
  readonly weight?: number;
  /** When it appears in the list. Default 0. */
  readonly joinsAtMs?: number;
  /** Requests served at a time, others wait in line. Default: all. */
  readonly workers?: number;
  /** What one request takes and comes to, from `nowMs` on. */
  serve(nowMs: number, rng: Rng): { readonly ms: number; readonly outcome?: Outcome };
}

export interface Scenario {
  readonly policy: NonNullable<ClientOptions['policy']>;
  readonly servers: readonly Server[];
  /** Calls per second: Poisson arrivals, whatever becomes of the calls before. */
  readonly perSecond: number;
  readonly durationMs: number;
  readonly seed: number;
  /** Independent clients that share the traffic, each with its own view. Default 1. */
  readonly clients?: number;
  /** Over those of a simulation: breakers and slow start are off. */
  readonly options?: Partial<ClientOptions>;
  /** Told of each pick, once it is made. */
  readonly onPick?: (picked: { client: Client; nowMs: number; to: string }) => void;
}

/** One call: when it came, where it went, how long it took. */
export interface Sent {
  readonly atMs: number;
  readonly to: string;
  readonly ms: number;
  readonly outcome: Outcome;
}

/** A discrete-event run of real clients against modelled servers. One attempt per call. */
export async function simulate(scenario: Scenario): Promise<Sent[]> {
  const { servers, seed } = scenario;
  const clock = new EventClock();
  const rng = seededRng(seed);
  const sources = Array.from({ length: scenario.clients ?? 1 }, () => memoryAdapter());
  const clients = sources.map((discovery, i) =>
    createClient({
      service: 'simulated',
      discovery,
      policy: scenario.policy,
      slowStartMs: 0,
      breaker: false,
      shrinkGraceMs: 0,
      env: { clock, rng: seededRng(seed * 1_000 + i + 1) },
      ...scenario.options,
    }),
  );
  const lines = new Map(servers.map((server) => [server.id, new Line(server)]));
  const list = async (): Promise<void> => {
    const present = servers.filter(({ joinsAtMs = 0 }) => joinsAtMs <= clock.nowMs);
    const instances = present.map(({ id, weight = 1 }) => ({ id, host: id, port: 80, weight }));
    for (const source of sources) source.set(instances);
    await settle();
  };
  await list();
  const joins = servers
    .map(({ joinsAtMs = 0 }) => joinsAtMs)
    .filter((atMs) => atMs > 0)
    .sort((a, b) => a - b);

  const sent: Sent[] = [];
  const flights = new Flights();
  for (;;) {
    const nextMs = clock.nowMs - Math.log(1 - rng.next()) * (1_000 / scenario.perSecond);
    if (nextMs > scenario.durationMs) break;
    for (const joinMs of joins.splice(0, joins.filter((atMs) => atMs <= nextMs).length)) {
      flights.landUntil(joinMs, clock);
      clock.nowMs = joinMs;
      await list();
    }
    flights.landUntil(nextMs, clock);
    clock.nowMs = nextMs;
    const client = clients[Math.floor(rng.next() * clients.length)];
    const lease = client?.pick();
    if (client === undefined || lease === undefined) throw new Error('nothing to pick');
    scenario.onPick?.({ client, nowMs: nextMs, to: lease.instance.id });
    const { ms, outcome } = lines.get(lease.instance.id)?.take(nextMs, rng) ?? {
      ms: 0,
      outcome: 'failure',
    };
    sent.push({ atMs: nextMs, to: lease.instance.id, ms, outcome });
    flights.add({ endsMs: nextMs + ms, lease, outcome });
  }
  flights.landUntil(Infinity, clock);
  for (const client of clients) await client.close();
  return sent;
}

class EventClock implements Clock {
  nowMs = 0;
  now(): number {
    return this.nowMs;
  }
  setTimer(): { cancel(): void; unref(): void } {
    return { cancel: () => undefined, unref: () => undefined }; // nothing that is simulated waits for a timer
  }
  sleep(): Promise<void> {
    return new Promise(() => undefined);
  }
}

/** The line before one server. */
class Line {
  readonly #freeAt: number[];

  constructor(private readonly server: Server) {
    this.#freeAt = Array<number>(server.workers ?? 0).fill(0);
  }

  take(nowMs: number, rng: Rng): { ms: number; outcome: Outcome } {
    const { ms, outcome = 'success' } = this.server.serve(nowMs, rng);
    if (this.#freeAt.length === 0) return { ms, outcome };
    const soonest = Math.min(...this.#freeAt);
    const startMs = Math.max(nowMs, soonest);
    this.#freeAt[this.#freeAt.indexOf(soonest)] = startMs + ms;
    return { ms: startMs + ms - nowMs, outcome };
  }
}

interface Flight {
  readonly endsMs: number;
  readonly lease: Lease;
  readonly outcome: Outcome;
}

/** Calls under way, the next to end last. */
class Flights {
  readonly #flights: Flight[] = [];

  add(flight: Flight): void {
    let low = 0;
    let high = this.#flights.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#flights[middle]?.endsMs ?? 0) > flight.endsMs) low = middle + 1;
      else high = middle;
    }
    this.#flights.splice(low, 0, flight);
  }

  landUntil(untilMs: number, clock: EventClock): void {
    for (;;) {
      const next = this.#flights.at(-1);
      if (next === undefined || next.endsMs > untilMs) return;
      this.#flights.pop();
      clock.nowMs = next.endsMs;
      next.lease.end(next.outcome);
    }
  }
}
