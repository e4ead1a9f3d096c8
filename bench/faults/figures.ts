import { SCENES, type SceneName } from './faults.js';
import type { Calls } from './open-loop.js';
import type { Seen } from './run.js';
import { backSeconds, outSeconds, sharesOf } from './traffic.js';

/** The calls that were due in one part of a run. Latencies in ms, of failed ones too. */
export interface Part {
  readonly calls: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** What a run came to. */
export interface Figures {
  readonly subject: string;
  readonly scene: SceneName;
  readonly before: Part;
  /** From the fault to its end, and what was under way as it began. */
  readonly during: Part;
  /** The same without its first second. */
  readonly settled: Part;
  readonly after: Part;
  /** Failed calls by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Of the backends, those in trouble first, by what can be seen: the client's attempts, or what came to them. */
  readonly shares: {
    readonly by: 'attempts' | 'arrivals';
    readonly before: readonly number[];
    readonly during: readonly number[];
    readonly after: readonly number[];
  };
  /** Seconds until each backend in trouble was out; `undefined` where it cannot be seen. */
  readonly outSeconds: readonly (number | undefined)[];
  /** Seconds after the end of the fault until it was back; `undefined` where it was not by the end of the run. */
  readonly backSeconds: readonly (number | undefined)[];
  /** How late calls were sent, in ms. */
  readonly lag: { readonly p50: number; readonly p99: number; readonly most: number };
}

/** Calls sent later than this, one in a hundred of them, say more of the machine than of the subject. */
const LAG_P99_MS = 5;

export function isDisturbed({ lag }: Figures): boolean {
  return lag.p99 > LAG_P99_MS;
}

export function figuresOf(subject: string, scene: SceneName, seen: Seen): Figures {
  const { calls, warmMs, faultFromMs, faultToMs, traffic } = seen;
  const endMs = dueMs(calls, calls.latencyMs.length);
  const isHit = (call: number): boolean => {
    const due = dueMs(calls, call);
    return due < faultToMs && due + (calls.latencyMs[call] ?? 0) >= faultFromMs;
  };
  const part = (holds: (call: number, due: number) => boolean): Part => partOf(calls, holds);
  const isSeen = traffic.some(({ attempts }) => attempts !== undefined);
  const even = 1 / traffic.length;
  const lags = calls.lagMs.filter((_, call) => dueMs(calls, call) >= warmMs);
  const reasons: Record<string, number> = {};
  for (const { reason } of calls.failures) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    subject,
    scene,
    before: part((call, due) => due >= warmMs && due < faultFromMs && !isHit(call)),
    during: part(isHit),
    settled: part((_, due) => due >= faultFromMs + 1_000 && due < faultToMs),
    after: part((_, due) => due >= faultToMs),
    reasons,
    shares: {
      by: isSeen ? 'attempts' : 'arrivals',
      before: sharesOf(traffic, warmMs, faultFromMs),
      during: sharesOf(traffic, faultFromMs, faultToMs),
      after: sharesOf(traffic, faultToMs, endMs),
    },
    outSeconds: SCENES[scene].map((fault, i) =>
      // What is killed hears of nothing: it is for the client to say whom it still asks.
      fault === 'killed' && !isSeen
        ? undefined
        : outSeconds(traffic, i, even, [faultFromMs, faultToMs]),
    ),
    backSeconds: SCENES[scene].map((_, i) => backSeconds(traffic, i, even, [faultToMs, endMs])),
    lag: {
      p50: quantile(lags, 0.5),
      p99: quantile(lags, 0.99),
      most: quantile(lags, 1),
    },
  };
}

function partOf(calls: Calls, holds: (call: number, due: number) => boolean): Part {
  const latencies = calls.latencyMs.filter((_, call) => holds(call, dueMs(calls, call)));
  return {
    calls: latencies.length,
    errors: calls.failures.filter(({ call }) => holds(call, dueMs(calls, call))).length,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    p999: quantile(latencies, 0.999),
  };
}

function dueMs({ startMs, everyMs }: Calls, call: number): number {
  return startMs + call * everyMs;
}

/** The least value that at least this share of them do not exceed. */
function quantile(values: readonly number[], ratio: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * ratio) - 1)] ?? NaN;
}
