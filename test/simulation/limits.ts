/** One server with so many workers, under calls that keep coming whatever becomes of them. A real client, with a limit. */
import { createClient } from '../../src/client.js';
import type { ConcurrencyOptions } from '../../src/resilience-options.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { Rng } from '../../src/types.js';
import { exponentialMs } from './servers.js';
import { EventClock } from './storm-clock.js';

export interface LimitedRun {
  readonly maxConcurrency: ConcurrencyOptions | false;
  readonly seed: number;
  readonly durationMs: number;
  /** Calls per second: Poisson arrivals. */
  readonly perSecond: number;
  /** Requests the server works at at a time; others wait in its line. */
  readonly workers: number | ((nowMs: number) => number);
  /** What one request takes a worker. Default: exponential with mean 50 ms. */
  readonly serviceMs?: (nowMs: number, rng: Rng) => number;
  /** Of a call. Default 1,000. */
  readonly timeoutMs?: number;
}

/** What happened within one second. */
export interface LimitedSecond {
  /** The instance's limit at its end; `undefined` without one. */
  limit: number | undefined;
  /** At the server, line included, at its end. */
  atServer: number;
  came: number;
  succeeded: number;
  /** Turned away, for the queue was full. */
  rejected: number;
  timedOut: number;
  /** How long the requests of those that succeeded were at the server, in ms. */
  readonly latenciesMs: number[];
}

/** A server that works on though its callers have given up, as most do. */
class LimitedServer {
  readonly #line: (() => void)[] = [];
  #working = 0;

  constructor(
    private readonly run: LimitedRun,
    private readonly clock: EventClock,
    private readonly rng: Rng,
  ) {}

  get size(): number {
    return this.#working + this.#line.length;
  }

  serve(): Promise<void> {
    return new Promise((resolve) => {
      this.#line.push(resolve);
      this.#work();
    });
  }

  #work(): void {
    const { workers, serviceMs = (_, rng) => exponentialMs(rng, 50) } = this.run;
    const nowMs = this.clock.now();
    const most = typeof workers === 'number' ? workers : workers(nowMs);
    while (this.#working < most) {
      const answer = this.#line.shift();
      if (answer === undefined) return;
      this.#working++;
      this.clock.setTimer(serviceMs(nowMs, this.rng), () => {
        this.#working--;
        answer();
        this.#work();
      });
    }
  }
}

export async function runLimited(run: LimitedRun): Promise<LimitedSecond[]> {
  const { seed, durationMs, perSecond, timeoutMs = 1_000 } = run;
  const clock = new EventClock();
  const rng = seededRng(seed);
  const server = new LimitedServer(run, clock, rng);
  const client = createClient({
    service: 'limited',
    discovery: memoryAdapter([{ id: 'only', host: 'only', port: 80 }]),
    env: { clock, rng: seededRng(seed + 1_000) },
    maxConcurrency: run.maxConcurrency,
    timeoutMs,
    retry: false,
    breaker: false,
  });
  const seconds: LimitedSecond[] = [];
  let now: LimitedSecond = emptySecond();
  const call = (): void => {
    now.came++;
    client
      .call(async () => {
        const sentAtMs = clock.now();
        await server.serve();
        return clock.now() - sentAtMs;
      })
      .then(
        (latencyMs) => {
          now.succeeded++;
          now.latenciesMs.push(latencyMs);
        },
        (error: unknown) => {
          const isFull = (error as { code?: string }).code === 'ERR_FAIRLEAD_CONCURRENCY_LIMIT';
          if (isFull) now.rejected++;
          else now.timedOut++;
        },
      );
  };
  const arrive = (): void => {
    call();
    clock.setTimer(-Math.log(1 - rng.next()) * (1_000 / perSecond), arrive);
  };
  const count = (): void => {
    now.limit = client.snapshot().instances[0]?.limit;
    now.atServer = server.size;
    seconds.push(now);
    now = emptySecond();
    clock.setTimer(1_000, count);
  };
  clock.setTimer(0, arrive);
  clock.setTimer(1_000, count);
  await clock.runUntil(durationMs);
  return seconds;
}

function emptySecond(): LimitedSecond {
  return {
    limit: undefined,
    atServer: 0,
    came: 0,
    succeeded: 0,
    rejected: 0,
    timedOut: 0,
    latenciesMs: [],
  };
}

/** What some seconds come to together. */
export interface LimitedSummary {
  readonly succeededPerSecond: number;
  /** Of the calls that came. */
  readonly succeededRatio: number;
  readonly p99Ms: number;
  readonly leastLimit: number;
  readonly meanLimit: number;
  readonly mostLimit: number;
  readonly mostAtServer: number;
}

/** From second `from` on, to `to`. */
export function summarize(
  all: readonly LimitedSecond[],
  from: number,
  to = Infinity,
): LimitedSummary {
  const seconds = all.slice(from, to);
  const sum = (of: (second: LimitedSecond) => number): number =>
    seconds.reduce((total, second) => total + of(second), 0);
  const latenciesMs = seconds.flatMap((second) => second.latenciesMs).sort((a, b) => a - b);
  const limits = seconds.map(({ limit = Infinity }) => limit);
  return {
    succeededPerSecond: sum(({ succeeded }) => succeeded) / seconds.length,
    succeededRatio: sum(({ succeeded }) => succeeded) / sum(({ came }) => came),
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? Infinity,
    leastLimit: Math.min(...limits),
    meanLimit: sum(({ limit = Infinity }) => limit) / seconds.length,
    mostLimit: Math.max(...limits),
    mostAtServer: Math.max(...seconds.map(({ atServer }) => atServer)),
  };
}
