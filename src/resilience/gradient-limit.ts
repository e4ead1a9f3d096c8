import type { ResolvedAdaptiveLimit } from '../resilience-options.js';
import type { Rng } from '../types.js';
import { type LimitSample, SampleWindow, type WindowSummary } from './sample-window.js';

/** A window takes so many samples, and twice the latency but from 0.1 to 1 s. */
const SAMPLES = 10;
const SHORTEST_MS = 100;
const LONGEST_MS = 1_000;
/** How much of the way to its new value the limit goes at a time. */
const SMOOTHING = 0.2;
/** The limit is never meant to shrink by more at a time, whatever the latency. */
const LEAST_GRADIENT = 0.5;
/** What attempts that were turned away or timed out take from the limit at a time, at most. */
const MOST_DROPPED = 0.1;
/** Over so long the usual latency is averaged. */
const USUAL_OVER_MS = 300_000;
/** While the limit is in force, it is halved for a moment so often, give or take a quarter: the first times sooner. */
const PROBE_FIRST_MS = 2_000;
const PROBE_EVERY_MS = 30_000;
/** A probe takes more samples, for a single window decides; fewer if it would last too long. */
const PROBE_SAMPLES = 30;
const PROBE_LASTS_MS = 3_000;
/** Then it is given up: there is too little going on. */
const PROBE_ENDS_MS = 30_000;
/** What half the limit must bring the latency down to, to have been a queue: between no change and half of it. */
const FALL_BY_HALF = Math.SQRT1_2;
/** Less than that is as good as half: there may be a queue even now. */
const FULL_FALL = 0.6;
/** The same for a third of the limit. */
const FALL_BY_THIRD = Math.sqrt(1 / 3);
/** What is left of the limit that was, after each window in which all is well. */
const FORGOTTEN = 0.9;

/** Half the limit, for as long as it takes to see what latency comes of it. */
interface Probe {
  readonly limit: number;
  /** What the latency was at the whole of it. */
  readonly latencyMs: number;
  readonly startedAtMs: number;
  /** Whether what was in flight is down to the limit. */
  isDrained: boolean;
}

/**
 * Finds the limit at which latency begins to grow. Once per window of samples
 *
 *     gradient = max(0.5, min(1, tolerance * usual / latency))
 *     limit   += 0.2 * (limit * gradient + sqrt(limit) - limit)
 *
 * where `usual` is the long-term mean; the root leaves room to grow, and for a short queue. It stays as it is while less
 * than half of it is in use; and it shrinks by the share of attempts that were turned away or timed out, by a tenth at
 * most. Source: Netflix, concurrency-limits, `Gradient2Limit` and `WindowedLimit`.
 *
 * A mean that goes on learning while the limit is in force takes the limit's own queue for usual, and the limit drifts
 * off (issues #134 and #137 there). So here only two things teach it that latencies have grown: windows in which the
 * limit was not reached; and probes, as in Envoy's adaptive concurrency filter and in BBR: every 30 s in force the
 * limit is halved for a moment. If that makes latency fall, there was a queue, and the limit falls as far. If not, that
 * is what calls usually take. A limit down to a third with latency as high as ever had no queue to fight: the service
 * has become slower, and that is usual now.
 */
export class GradientLimit {
  #estimate: number;
  readonly #window = new SampleWindow();
  #isOpen = false;
  /** Latency of the last window. */
  #latencyMs = 0;
  /** What calls take when there is no queue; NaN until that was measured, in so many windows. */
  #usualMs = NaN;
  #lessons = 0;
  #probe: Probe | undefined;
  #probeAtMs = -Infinity;
  #probeGapMs = PROBE_FIRST_MS;
  /** The limit before it began to shrink, and the largest latency since. */
  #top = { limit: 0, latencyMs: 0 };

  constructor(
    private readonly options: ResolvedAdaptiveLimit,
    private readonly rng: Rng,
  ) {
    this.#estimate = options.initial;
  }

  /** A whole number; changes in {@link GradientLimit.record} alone. */
  get limit(): number {
    return this.#probe?.limit ?? Math.floor(this.#estimate);
  }

  record(sample: LimitSample): void {
    const { nowMs, elapsedMs } = sample;
    if (!this.#isOpen) {
      // The first to end are the quickest: a mean of those alone would be far too low.
      this.#isOpen = true;
      this.#window.open(nowMs + 2 * elapsedMs);
    }
    const probe = this.#probe;
    if (probe !== undefined && !this.#isUnderWay(probe, sample)) return;
    this.#window.add(sample, this.#usualMs);
    if (probe === undefined) {
      if (this.#window.samples >= SAMPLES && this.#window.ageMs(nowMs) >= this.#lengthMs()) {
        this.#adjust(this.#close(nowMs), nowMs, sample.staying ?? 0);
      }
    } else if (this.#isAnswered(nowMs))
      this.#conclude(probe, this.#close(nowMs), nowMs, sample.staying ?? 0);
  }

  #lengthMs(): number {
    return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, 2 * this.#latencyMs));
  }

  #close(nowMs: number): WindowSummary {
    const summary = this.#window.summary(nowMs);
    this.#window.open(nowMs);
    if (!Number.isNaN(summary.latencyMs)) this.#latencyMs = summary.latencyMs;
    return summary;
  }

  #adjust(window: WindowSummary, nowMs: number, staying: number): void {
    const { latencyMs, inFlight, droppedRatio } = window;
    const { min, max } = this.options;
    const isInForce = inFlight >= this.limit;
    if (!Number.isNaN(latencyMs)) this.#learnFrom(window, isInForce);
    let next = this.#estimate;
    if (inFlight >= next / 2) {
      next += SMOOTHING * (next * this.#gradient(latencyMs) + Math.sqrt(next) - next);
      this.#noteTop(next, latencyMs);
    }
    next *= 1 - Math.min(MOST_DROPPED, droppedRatio);
    this.#estimate = Math.min(max, Math.max(min, next));
    if (isInForce && nowMs >= this.#probeAtMs) {
      this.#probeAtMs = nowMs + this.#probeGapMs * (0.75 + 0.5 * this.rng.next());
      this.#probeGapMs = Math.min(PROBE_EVERY_MS, 2 * this.#probeGapMs);
      this.#halve(latencyMs, nowMs, staying);
    }
  }

  #gradient(latencyMs: number): number {
    const gradient = (this.options.tolerance * this.#usualMs) / latencyMs;
    return Number.isNaN(gradient) ? 1 : Math.max(LEAST_GRADIENT, Math.min(1, gradient));
  }

  #learnFrom({ latencyMs, lastedMs }: WindowSummary, isInForce: boolean): void {
    const share = 1 - Math.exp(-lastedMs / USUAL_OVER_MS);
    if (!isInForce) this.#learn(latencyMs, share);
    else if (latencyMs < this.#usualMs) this.#usualMs += (latencyMs - this.#usualMs) * share;
    // As in the source: after a long time of overload the mean would take as long to come down.
    if (this.#usualMs > 2 * latencyMs) this.#usualMs *= 0.9;
  }

  /** A plain mean at first, which then forgets. */
  #learn(latencyMs: number, share: number): void {
    this.#lessons++;
    if (this.#lessons === 1) this.#usualMs = latencyMs;
    else this.#usualMs += (latencyMs - this.#usualMs) * Math.max(share, 1 / this.#lessons);
  }

  /** Sees whether a limit that shrinks and shrinks does any good; if not, that latency is usual now. */
  #noteTop(limit: number, latencyMs: number): void {
    if (Number.isNaN(latencyMs)) return;
    const top = this.#top;
    if (latencyMs <= this.options.tolerance * this.#usualMs) top.limit *= FORGOTTEN; // one good window is chance
    if (limit >= top.limit) {
      this.#top = { limit, latencyMs };
      return;
    }
    top.latencyMs = Math.max(top.latencyMs, latencyMs);
    if (limit > top.limit / 3) return;
    if (latencyMs > top.latencyMs * FALL_BY_THIRD) {
      this.#usualMs = latencyMs;
      this.#lessons = 1;
    }
    this.#top = { limit, latencyMs };
  }

  #halve(latencyMs: number, nowMs: number, staying: number): void {
    const limit = Math.floor(this.#estimate / 2);
    // Where that many stay, nothing would begin, so nothing would end the probe.
    if (limit < this.options.min || staying >= limit || Number.isNaN(latencyMs)) return;
    this.#probe = { limit, latencyMs, startedAtMs: nowMs, isDrained: false };
  }

  /** False while a probe waits for what is in flight, and when it is given up. */
  #isUnderWay(probe: Probe, { nowMs, inFlight, staying = 0 }: LimitSample): boolean {
    const ageMs = nowMs - probe.startedAtMs;
    // What is in flight may be there to stay: streams, sessions.
    const isStuck =
      staying >= probe.limit || (!probe.isDrained && ageMs > LONGEST_MS + 4 * probe.latencyMs);
    if (isStuck || ageMs > PROBE_ENDS_MS) {
      this.#probe = undefined;
      this.#window.open(nowMs);
      return false;
    }
    if (!probe.isDrained && inFlight <= probe.limit) {
      probe.isDrained = true;
      this.#window.open(nowMs + probe.latencyMs); // what began before has seen the queue
    }
    return probe.isDrained;
  }

  #isAnswered(nowMs: number): boolean {
    const { samples } = this.#window;
    return (
      samples >= PROBE_SAMPLES ||
      (samples >= SAMPLES && this.#window.ageMs(nowMs) >= PROBE_LASTS_MS)
    );
  }

  #conclude(
    { limit, latencyMs: beforeMs }: Probe,
    window: WindowSummary,
    nowMs: number,
    staying: number,
  ): void {
    const { latencyMs } = window;
    this.#probe = undefined;
    if (Number.isNaN(latencyMs)) return;
    const ratio = latencyMs / beforeMs;
    if (ratio < FALL_BY_HALF) {
      // By Little's law so many of those in flight were served, and the others waited.
      this.#estimate = Math.max(limit, this.#estimate * ratio);
      if (!(latencyMs > this.#usualMs)) this.#usualMs = latencyMs;
      if (ratio < FULL_FALL) this.#halve(latencyMs, nowMs, staying);
    } else this.#learn(latencyMs, latencyMs < this.#usualMs ? 0.5 : 0.1);
  }
}
