/** The live table of a client, as plain JSON. */
import type { SetStatus } from './believed-list.js';
import type { GuardsSnapshot } from './call-guards.js';
import type { DiscoveryStatus } from './discovery-status.js';
import type { InstanceState } from './instance-state.js';
import { successRatioAt } from './success-ratio.js';
import type { BreakerState, Health, LoadReport, ReceivedReport } from './types.js';

export interface ClientSnapshot extends GuardsSnapshot {
  readonly service: string;
  readonly status: SetStatus | 'closed';
  readonly discovery: DiscoveryStatus;
  readonly policy: string;
  /** The caller's zone; `undefined` while it is not known, or zones do not matter. */
  readonly zone: string | undefined;
  /** Why all instances are used although most are unavailable. */
  readonly panic: string | undefined;
  /** Picks made while that was so. */
  readonly panicPicks: number;
  /** How often the candidate list changed. */
  readonly rebuilds: number;
  readonly inFlight: number;
  readonly instances: readonly InstanceSnapshot[];
}

export interface InstanceSnapshot {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  /** What it is given now, in units of weight: less than its weight while it warms up. */
  readonly capacity: number;
  readonly priority: number;
  readonly zone: string | undefined;
  /** What active health checks found. */
  readonly health: Health;
  readonly role: string | undefined;
  /** `leaving`: no longer listed, attempts in flight finish. */
  readonly membership: 'listed' | 'draining' | 'leaving';
  readonly attempts: number;
  readonly pending: number;
  /** Attempts it may have in flight at once; `undefined` when any number may. */
  readonly limit: number | undefined;
  /** Latency estimate in ms; `undefined` until something was measured. */
  readonly ewmaMs: number | undefined;
  /** Share of good outcomes, 0 to 1, over about the last 10; returns to 1 with a time
   * constant of 20 s without any, or with its breaker's closing. */
  readonly successRatio: number;
  readonly breaker: BreakerState['kind'];
  /** Its breaker would have opened lately, but too many of its peers are out. */
  readonly held: boolean;
  /** What the instance last said of its own load, and how many ms ago; `undefined` until it did. */
  readonly report: (Required<LoadReport> & { readonly ageMs: number }) | undefined;
}

export function describeInstance(
  state: InstanceState,
  membership: InstanceSnapshot['membership'],
  nowMs: number,
): Omit<InstanceSnapshot, 'limit'> {
  const { instance, attempts, pending, measured, ewmaMs, breaker, report } = state;
  return {
    id: instance.id,
    url: instance.url,
    weight: instance.weight,
    capacity: state.capacity,
    priority: instance.priority,
    zone: instance.locality.zone,
    health: state.health,
    role: state.role,
    membership,
    attempts,
    pending,
    ewmaMs: measured === 0 ? undefined : ewmaMs,
    successRatio: successRatioAt(state, nowMs),
    breaker: breaker.kind,
    held: state.heldUntilMs > nowMs,
    report: report && describeReport(report, nowMs),
  };
}

function describeReport(report: ReceivedReport, nowMs: number): InstanceSnapshot['report'] {
  const { atMs, ...figures } = report;
  return { ...figures, ageMs: nowMs - atMs };
}
