import type { Learner } from '../instance-state.js';
import { successRatioAt } from '../success-ratio.js';
import type { InstanceRecord, Load, Outcome } from '../types.js';
import { checkKeys, checkMs } from '../validate.js';

export interface AdaptiveLoadOptions {
  /** Time constant with which the latency estimate comes down, in ms. Default 1,500. */
  readonly tauMs?: number | undefined;
}

/** What an instance is taken to need when nothing is known of it nor of any other. */
const SEED_MS = 30;
/** However long it was idle, an instance costs something, so that its calls in flight still count. */
const LEAST_MS = 0.001;
/** Who waits longer than this holds a connection, or was forgotten: it tells nothing of the latency any more. */
const LONGEST_WAIT_MS = 60_000;
/**
 * How many times the latency one is taken to have by what failed, at most. That it fails is for the success ratio to
 * remember; after a hang that was cut at 700 ms where 4 are usual, the latency alone would keep it from its next try for
 * 8 s, and so for as long after it is well again.
 */
const MOST_BY_FAILURE = 8;
/** What it is 8 times of at least: what was idle for long is estimated at next to nothing. */
const LEAST_RAISED_MS = 1;
/** A success ratio below this counts as this: nobody is shut out for good. */
const LEAST_RATIO = 0.02;

/**
 * Latency times queue over weight and success: `latency * (pending + 1) / (weight * max(sr, 0.02)^2)`. It is not taken
 * in by an instance that fails fast, hangs, or is new:
 *
 * - A success moves the latency by Peak EWMA's rule (see `peakEwma`), here with `tauMs` 1.5 s.
 * - A failure or overload never lowers it, raises it to 8 times what it was at most, `max(estimate, min(elapsed, 8 *
 *   estimate))`, once for all that were under way, and lowers the success ratio `sr`, which averages
 *   over about 10 outcomes, falls faster with failures in a row, and returns to 1 with a time constant of 20 s, or
 *   with its breaker's closing.
 * - While an attempt waits for its answer the latency is at least the time it has waited: what Peak EWMA would learn
 *   were it answered now. So a hang shows at once. The estimate decays only while nothing is waited for: an instance
 *   that was slow is tried again with one call, not with a burst.
 * - An attempt that was overtaken, by a success of one begun later at the same instance, was slow for reasons of its own:
 *   its wait does not count, and its end does not raise the latency.
 * - One whose breaker waits for a probe costs nothing: it is the breaker that spaces them.
 * - One never tried costs nothing, so it is tried at once. Until it is measured it counts as slow as the slowest known
 *   of its peers (30 ms if none), and its calls in flight squared: a newcomer is tried with few calls.
 *
 * Outcomes that blame nobody ('ignored': other 4xx, cancelled) teach it nothing, so an instance that answers 404 to
 * everything looks idle; a `classify` that calls that a failure helps.
 *
 * Sources: Finagle `PeakEwma.scala`; go-kratos `selector/node/ewma` (success ratio, waiting attempts); the rest ours.
 *
 * @throws {InvalidOptionError} for a `tauMs` out of range.
 */
export function adaptiveLoad(options: AdaptiveLoadOptions = {}): Learner & Required<Load> {
  checkKeys('adaptiveLoad', options, ['tauMs']);
  const tauMs = checkMs('adaptiveLoad.tauMs', options.tauMs ?? 1_500);
  const load: Tuned & Learner & Required<Load> = { name: 'adaptive', tauMs, of, seed, observe };
  return load;
}

// The same functions for every load: a pick inlines what it calls only while that is one and the same.

interface Tuned {
  readonly tauMs: number;
}

function of(this: Tuned, state: InstanceRecord, nowMs: number): number {
  const { measured, pending } = state;
  if (measured === 0 && state.attempts === 0) return 0;
  const queue = (pending + 1) * (measured === 0 ? pending + 1 : 1);
  const cost = (latency(state, nowMs, this.tauMs) * queue) / state.capacity;
  if (state.successRatio === 1) return cost;
  if (awaitsProbe(state, nowMs)) return 0;
  const ratio = Math.max(successRatioAt(state, nowMs), LEAST_RATIO);
  return cost / (ratio * ratio);
}

/** One attempt is to tell its breaker whether it is well again: what was learned before cannot. */
function awaitsProbe({ breaker }: InstanceRecord, nowMs: number): boolean {
  if (breaker.kind === 'closed') return false;
  // After a probe that came to nothing, as when its caller gave up, no time is set: those calls are not to be its next.
  return nowMs >= (breaker.kind === 'open' ? breaker.untilMs : (breaker.probeUntilMs ?? Infinity));
}

function seed(this: Tuned, peers: readonly InstanceRecord[], nowMs: number): number {
  const known = peers.filter(({ measured }) => measured > 0);
  const most = (ms: number, peer: InstanceRecord): number =>
    Math.max(ms, latency(peer, nowMs, this.tauMs));
  return known.reduce(most, 0) || SEED_MS;
}

function observe(
  this: Tuned,
  state: InstanceRecord,
  elapsedMs: number,
  outcome: Outcome,
  nowMs: number,
  overtaken: boolean,
): number {
  if (elapsedMs >= state.ewmaMs) {
    if (overtaken) return state.ewmaMs;
    return outcome === 'success' ? elapsedMs : raised(state, elapsedMs, nowMs, this.tauMs);
  }
  if (outcome !== 'success') return state.ewmaMs;
  // A seed is no measurement, and what was measured in an outage is none of what is well again.
  if (state.measured === 0 || state.breaker.kind === 'half-open') return elapsedMs;
  const w = decay(nowMs - state.ewmaAtMs, this.tauMs);
  return state.ewmaMs * w + elapsedMs * (1 - w);
}

/** The latency after a failure that took longer than it. One that has none that was measured is as slow as that. */
function raised(state: InstanceRecord, elapsedMs: number, nowMs: number, tauMs: number): number {
  if (state.measured === 0) return elapsedMs;
  const ageMs = nowMs - elapsedMs - state.ewmaAtMs;
  if (ageMs < 0 && state.failuresInARow > 0) return state.ewmaMs; // what made both fail has raised it once
  const asItBegan = state.ewmaMs * decay(ageMs, tauMs);
  const mostMs = Math.max(asItBegan, LEAST_RAISED_MS) * MOST_BY_FAILURE;
  return Math.max(state.ewmaMs, Math.min(elapsedMs, mostMs));
}

// Of two numbers `Math.max`, no variable that is first one and then the other: V8 would box that, at every pick.
function latency(state: InstanceRecord, nowMs: number, tauMs: number): number {
  const { ewmaMs } = state;
  const waitedMs = nowMs - state.waitingSinceMs;
  if (waitedMs >= 0 && waitedMs < LONGEST_WAIT_MS) return Math.max(ewmaMs, waitedMs, LEAST_MS);
  return Math.max(ewmaMs * decay(nowMs - state.ewmaAtMs, tauMs), LEAST_MS);
}

function decay(ms: number, tauMs: number): number {
  return Math.exp(-Math.max(0, ms) / tauMs);
}
