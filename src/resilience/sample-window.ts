import type { Outcome } from '../types.js';

/** What a limit on concurrency learns from: an attempt that was answered, or has failed. */
export interface LimitSample {
  readonly nowMs: number;
  /** Until it was answered, or else ended. */
  readonly elapsedMs: number;
  /** In flight when it ended, itself included. */
  readonly inFlight: number;
  readonly outcome: Exclude<Outcome, 'ignored'>;
  /** Of those in flight, how many were answered and stay: streams, sessions. Default 0. */
  readonly staying?: number | undefined;
}

/** What one window of samples comes to. */
export interface WindowSummary {
  /** Since the window was opened. */
  readonly lastedMs: number;
  /** Mean latency, timeouts included; NaN when most of the samples were turned away. */
  readonly latencyMs: number;
  /** Share of the samples that say there is too much, 0 to 1. */
  readonly droppedRatio: number;
  /** Most in flight at a time. */
  readonly inFlight: number;
}

/** A slow answer counts as so many times the usual one at most: one alone must not look like a queue. */
const MOST_TIMES_USUAL = 10;

/**
 * Share of timeouts that says nothing of the load: what is slow by itself has some, however few are in flight. In a line
 * that is too long nearly all time out.
 */
const TOLERATED_TIMEOUTS = 0.2;

/** Gathers samples until they mean something: single slow calls do not. */
export class SampleWindow {
  #openedAtMs = -Infinity;
  #measured = 0;
  /** Of those. */
  #timedOut = 0;
  #turnedAway = 0;
  #sumMs = 0;
  #inFlight = 0;

  get samples(): number {
    return this.#measured + this.#turnedAway;
  }

  /** Begins anew. What comes before `atMs` is not counted. */
  open(atMs: number): void {
    this.#openedAtMs = atMs;
    this.#measured = this.#timedOut = this.#turnedAway = this.#sumMs = this.#inFlight = 0;
  }

  /** How long it has been open. */
  ageMs(nowMs: number): number {
    return nowMs - this.#openedAtMs;
  }

  /** @param usualMs the usual latency; NaN when there is none. */
  add({ nowMs, elapsedMs, inFlight, outcome }: LimitSample, usualMs: number): void {
    if (nowMs < this.#openedAtMs) return;
    this.#inFlight = Math.max(this.#inFlight, inFlight);
    if (outcome === 'overload') {
      this.#turnedAway++;
      return;
    }
    // A failure as slow as that is a timeout, or as good as one; a quick one says nothing of the load.
    const isTimeout = outcome === 'failure' && elapsedMs > 2 * usualMs;
    if (outcome === 'failure' && !isTimeout) return;
    this.#measured++;
    if (isTimeout) this.#timedOut++;
    this.#sumMs += usualMs > 0 ? Math.min(elapsedMs, MOST_TIMES_USUAL * usualMs) : elapsedMs;
  }

  summary(nowMs: number): WindowSummary {
    const { samples } = this;
    return {
      lastedMs: this.ageMs(nowMs),
      latencyMs: this.#measured * 2 < samples ? NaN : this.#sumMs / this.#measured,
      droppedRatio:
        this.#turnedAway / samples + Math.max(0, this.#timedOut / samples - TOLERATED_TIMEOUTS),
      inFlight: this.#inFlight,
    };
  }
}
