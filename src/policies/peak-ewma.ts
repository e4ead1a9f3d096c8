import type { Learner } from '../instance-state.js';
import type { InstanceRecord, Load, Outcome } from '../types.js';
import { checkKeys, checkMs } from '../validate.js';

export interface PeakEwmaOptions {
  /** Time constant of the decay, in ms. Default 10,000. */
  readonly tauMs?: number;
}

/** Finagle's stand-in cost of an instance that has work in flight but never answered. */
const UNKNOWN_COST_MS = 1e6;

/**
 * Peak EWMA: `ewma * (pending + 1) / weight`. The estimate jumps up to a slower answer at once and comes
 * down slowly, `ewma = rtt > ewma ? rtt : ewma * w + rtt * (1 - w)` with `w = exp(-dt / tau)`; while idle it
 * decays toward 0, so that a slow instance is tried again. One that never answered costs nothing while idle
 * and very much once it has an attempt in flight, so it gets one trial at a time.
 *
 * Source: Finagle, `PeakEwma.scala`.
 */
export function peakEwma(options: PeakEwmaOptions = {}): Learner {
  checkKeys('peakEwma', options, ['tauMs']);
  const tauMs = checkMs('peakEwma.tauMs', options.tauMs ?? 10_000);
  const load: Tuned & Learner = { name: 'peakEwma', tauMs, of, observe };
  return load;
}

// The same functions for every load: a pick inlines what it calls only while that is one and the same.

interface Tuned {
  readonly tauMs: number;
}

function of(this: Tuned, state: InstanceRecord, nowMs: number): number {
  const { measured, pending, capacity } = state;
  if (measured === 0) return pending === 0 ? 0 : (UNKNOWN_COST_MS + pending) / capacity;
  return (state.ewmaMs * decay(state, nowMs, this.tauMs) * (pending + 1)) / capacity;
}

function observe(
  this: Tuned,
  state: InstanceRecord,
  elapsedMs: number,
  _outcome: Outcome,
  nowMs: number,
): number {
  if (elapsedMs >= state.ewmaMs) return elapsedMs;
  const w = decay(state, nowMs, this.tauMs);
  return state.ewmaMs * w + elapsedMs * (1 - w);
}

function decay(state: InstanceRecord, nowMs: number, tauMs: number): number {
  return Math.exp(-Math.max(0, nowMs - state.ewmaAtMs) / tauMs);
}

/** What learns from the attempts of a policy: its own load, else Peak EWMA, so that `ewmaMs` is always there. */
export function learnerOf(load: Load | undefined): Learner {
  return load?.observe === undefined ? peakEwma() : (load as Learner);
}
