import { abortable } from '../../../src/abortable.js';
import type { Clock } from '../../../src/types.js';
import { isObject } from '../../../src/validate.js';
import { type CheckStatus, isCheckStatus } from './check-options.js';

/** The signal aborts when the time for an answer is over, and when the registration stops. */
export type HealthFunction = (signal: AbortSignal) => HealthAnswer | Promise<HealthAnswer>;

/** A status, with or without words for people: they are shown in Consul. */
export type HealthAnswer =
  CheckStatus | { readonly status: CheckStatus; readonly output?: string | undefined };

/** What a heartbeat says. */
export interface HealthReport {
  readonly status: CheckStatus;
  readonly output: string;
}

export const PASSING: HealthReport = { status: 'passing', output: '' };

/** Asks once, for `limitMs` at most. Never rejects: whatever is wrong is a critical report. */
export type AskHealth = (
  limitMs: number,
  signal: AbortSignal,
  clock: Clock,
) => Promise<HealthReport>;

/** One call at a time: while one that was given up has not ended, it is not called again. */
export function healthAsker(health: HealthFunction): AskHealth {
  let open = false;
  const call = async (signal: AbortSignal): Promise<HealthAnswer> => {
    open = true;
    try {
      return await health(signal);
    } finally {
      open = false;
    }
  };
  return async (limitMs, signal, clock) => {
    if (open) return critical('health() has not answered');
    const limit = new AbortController();
    const end = (): void => {
      limit.abort(new Error(`health() gave no answer within ${String(limitMs)} ms`));
    };
    const timer = clock.setTimer(limitMs, end);
    signal.addEventListener('abort', end, { once: true });
    try {
      return toReport(await abortable(call(limit.signal), limit.signal));
    } catch (error) {
      const said = error instanceof Error && error.message !== '';
      return critical(said ? error.message : String(error));
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
    }
  };
}

const SEVERITY = { passing: 0, warning: 1, critical: 2 } as const;

/** The worse of two, as Consul takes the worst check of a service. */
export function worse(one: HealthReport, other: HealthReport): HealthReport {
  const difference = SEVERITY[one.status] - SEVERITY[other.status];
  if (difference === 0) return one.output === '' ? other : one;
  return difference > 0 ? one : other;
}

function toReport(answer: unknown): HealthReport {
  const { status, output = '' } = isObject(answer) ? answer : { status: answer };
  if (isCheckStatus(status)) return { status, output: short(String(output)) };
  return critical('health() gave no status: "passing", "warning" or "critical"');
}

function critical(output: string): HealthReport {
  return { status: 'critical', output: short(output) };
}

/** Consul cuts the output of a check at 4 kB. */
export function short(output: string): string {
  return output.length <= 1_000 ? output : `${output.slice(0, 997)}...`;
}
