import type { ResolvedHedge } from '../resilience-options.js';
import { LatencyQuantile } from './latency-quantile.js';

/** Hedges that can be saved up. When a whole service turns slow, a burst of hedges is the last thing it needs. */
const MOST_SAVED = 10;

/** Twenty times 0.05 may be a little less than 1. */
const ROUNDING = 1e-9;

/**
 * When a second attempt is sent beside a first one that is slow, and how many may be. One for all calls of a client.
 *
 * The cap is a token bucket that calls fill, not time: never are there more hedges than `maxRatio` of all calls so far,
 * nor more than `maxRatio` of the calls of any stretch and ten. A budget over a window of time, as that of retries, would
 * save up hundreds where calls are many, and where they are few never allow one.
 */
export class Hedger {
  readonly #delayMs: number | undefined;
  readonly #maxRatio: number;
  readonly #latency: LatencyQuantile | undefined;
  #saved = 0;

  constructor({ delayMs, quantileRatio, maxRatio }: ResolvedHedge) {
    this.#delayMs = delayMs;
    this.#maxRatio = maxRatio;
    this.#latency = delayMs === undefined ? new LatencyQuantile(quantileRatio) : undefined;
  }

  /** A call that may be hedged has begun. */
  noteCall(): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + this.#maxRatio);
  }

  /**
   * The first attempt of such a call was answered after `elapsedMs`, or was cut then, being as old as the delay.
   *
   * What was cut would have taken longer, nobody knows how much. Left out, it would take the slowest away from what is
   * measured: the delay would shrink, more would be hedged and left out, and so on. Counted with the time it had, it is
   * where it belongs, beyond the delay. The delay thus settles where the right share of attempts is done before it,
   * whatever becomes of the others.
   */
  observe(elapsedMs: number, nowMs: number): void {
    this.#latency?.record(elapsedMs, nowMs);
  }

  /** Age at which a first attempt is hedged, in whole ms where it is measured; `undefined` while too little is known. */
  delayMs(): number | undefined {
    if (this.#latency === undefined) return this.#delayMs;
    const { ms } = this.#latency;
    // Timers drop fractions: of a quantile of 1.9 ms they would make 1, and hedge many more than are meant.
    return ms === undefined ? undefined : Math.ceil(ms);
  }

  /** True while the cap leaves room for a hedge. */
  hasRoom(): boolean {
    return this.#saved >= 1 - ROUNDING;
  }

  /** A hedge is sent. */
  noteHedge(): void {
    this.#saved -= 1;
  }
}
