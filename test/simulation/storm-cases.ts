/** The storms of docs/reliability.md, and what to make of a run. */
import type { ClientOptions } from '../../src/options.js';
import { runStorm, type StormSecond } from './storm.js';

/** Seconds of each phase, one after the other. */
export interface Phases {
  /** All is well. */
  readonly calm: number;
  /** Every instance fails half of its requests. */
  readonly half: number;
  /** Every instance fails all of them. */
  readonly all: number;
  /** All is well again. */
  readonly after: number;
}

export const PHASES: Phases = { calm: 10, half: 15, all: 30, after: 20 };

/** Four instances of four workers that take 40 ms a request can serve 400 requests/s; 260 calls/s are 65 % of that. */
const SERVERS = 4;
const WORKERS = 4;
const SERVICE_MS = 40;
const PER_SECOND = 260;
/** Those who may wait at an instance: ten seconds of its work. */
const QUEUE_SIZE = 1_000;
/** With four attempts each has 500 ms, more than twice the p99 in good times. */
const TIMEOUT_MS = 2_000;

export function storm(
  seed: number,
  options: Partial<ClientOptions>,
  phases: Phases = PHASES,
): Promise<readonly StormSecond[]> {
  const halfAtMs = phases.calm * 1_000;
  const allAtMs = halfAtMs + phases.half * 1_000;
  const overAtMs = allAtMs + phases.all * 1_000;
  return runStorm({
    seed,
    servers: SERVERS,
    server: {
      workers: WORKERS,
      serviceMs: SERVICE_MS,
      queueSize: QUEUE_SIZE,
      failureRatio: (nowMs) => {
        if (nowMs < halfAtMs || nowMs >= overAtMs) return 0;
        return nowMs < allAtMs ? 0.5 : 1;
      },
    },
    perSecond: PER_SECOND,
    durationMs: overAtMs + phases.after * 1_000,
    options: { timeoutMs: TIMEOUT_MS, ...options },
  });
}

/** The seconds of one phase, and those of the storm: half and all. */
export function phasesOf(
  run: readonly StormSecond[],
  { calm, half, all }: Phases = PHASES,
): Readonly<Record<keyof Phases | 'storm', readonly StormSecond[]>> {
  const overAt = calm + half + all;
  return {
    calm: run.slice(0, calm),
    half: run.slice(calm, calm + half),
    all: run.slice(calm + half, overAt),
    storm: run.slice(calm, overAt),
    after: run.slice(overAt),
  };
}

export function attemptsPerCall(seconds: readonly StormSecond[]): number {
  return sum(seconds, 'attempts') / sum(seconds, 'calls');
}

export function successRatio(seconds: readonly StormSecond[]): number {
  return sum(seconds, 'succeeded') / sum(seconds, 'calls');
}

/** Share of the servers' work whose result nobody waited for any more. */
export function wastedRatio(seconds: readonly StormSecond[]): number {
  return sum(seconds, 'wasted') / sum(seconds, 'done');
}

/** The latency, in ms, that 99 % of the calls that succeeded stayed under. */
export function p99Ms(seconds: readonly StormSecond[]): number {
  const sorted = seconds.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
}

/**
 * Seconds until things are normal and stay so: in none of those that follow do fewer than 99 % of the calls succeed, or
 * more than 1.05 attempts per call go out. `undefined`: they never are.
 */
export function secondsToNormal(after: readonly StormSecond[]): number | undefined {
  const isBad = (second: StormSecond): boolean =>
    successRatio([second]) < 0.99 || attemptsPerCall([second]) > 1.05;
  const seconds = after.findLastIndex(isBad) + 1;
  return seconds === after.length ? undefined : seconds;
}

type Counted = 'calls' | 'attempts' | 'succeeded' | 'served' | 'done' | 'wasted';

export function sum(seconds: readonly StormSecond[], what: Counted): number {
  return seconds.reduce((total, second) => total + second[what], 0);
}
