/** When the next heartbeat is due. */
import type { Rng } from '../../../src/types.js';
import type { AgentError } from '../agent-error.js';

export interface Pace {
  /** From one heartbeat, or look, to the next. */
  readonly intervalMs: number;
  /** For one answer of the agent. */
  readonly deadlineMs: number;
  /** The same while the service is registered for the first time: its TTL does not run yet. */
  readonly firstDeadlineMs: number;
  /** For one answer of `health`. */
  readonly healthMs: number;
  /** Ceiling of the pause after the first failure. */
  readonly retryMs: number;
}

/** An agent that restarted without its state has the service again within this and a little. */
const INTERVAL_MAX_MS = 10_000;
const DEADLINE_MAX_MS = 2_500;
const RETRY_MAX_MS = 250;
const BUSY_MIN_MS = 1_000;

/**
 * Three heartbeats to a TTL. Each may take a sixth of it, and the first pause is a sixtieth at most: after one is lost
 * three more are sent before the TTL is over.
 *
 * @param ttlMs `undefined` where the agent is only asked whether it has the service.
 */
export function paceOf(ttlMs: number | undefined): Pace {
  const baseMs = ttlMs ?? 3 * INTERVAL_MAX_MS;
  return {
    intervalMs: Math.min(INTERVAL_MAX_MS, baseMs / 3),
    deadlineMs: Math.min(DEADLINE_MAX_MS, baseMs / 6),
    firstDeadlineMs: DEADLINE_MAX_MS,
    healthMs: baseMs / 6,
    retryMs: Math.min(RETRY_MAX_MS, baseMs / 60),
  };
}

/** Never later than the interval, and not all processes at once. */
export function nextBeatMs({ intervalMs }: Pace, rng: Rng): number {
  return intervalMs * (1 - 0.1 * rng.next());
}

/**
 * The pause after a failure: full jitter under a ceiling that doubles (Brooker, "Exponential Backoff And Jitter", AWS
 * 2015), a heartbeat's interval at most. An agent that asks for rest gets no more than that either, for the TTL runs on.
 *
 * @param failures in a row, this one included.
 */
export function retryPauseMs(
  error: Pick<AgentError, 'kind' | 'retryAfterMs'>,
  failures: number,
  pace: Pace,
  rng: Rng,
): number {
  if (error.kind === 'permanent') return nextBeatMs(pace, rng);
  const jittered = rng.next() * Math.min(pace.intervalMs, pace.retryMs * 2 ** (failures - 1));
  const askedMs = error.kind === 'busy' ? Math.max(BUSY_MIN_MS, error.retryAfterMs ?? 0) : 0;
  return Math.min(pace.intervalMs, askedMs + jittered);
}
