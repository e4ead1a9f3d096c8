/** Bins grow by 5 %: what is told is never less than the quantile, and at most 5 % more. */
const GROWTH = 1.05;
const LOG_GROWTH = Math.log(GROWTH);
/** Upper end of the first bin, in ms. No timer is finer. */
const LEAST_MS = 0.1;
/** The last one ends at 26 minutes. */
const BINS = 340;

/** The window moves on in slices: six of ten seconds. */
const SLICES = 6;
const SLICE_MS = 10_000;

/** Samples to be expected beyond the quantile: their number is then right to within a factor of two, mostly. */
const SAMPLES_BEYOND = 5;
const LEAST_SAMPLES = 20;

/** Ten times 1 - 0.9 is a little less than 1. */
const ROUNDING = 1e-9;

/**
 * A quantile of the latencies of the last minute, or of the last samples that are enough to tell it, whichever is
 * longer: the estimate of a quiet client is an old one rather than none, and so is the first one after a pause.
 *
 * A log-scaled histogram (as HDR Histogram, but for its fixed relative width) of 10 KB in all, kept whole and in slices
 * that can be taken off it. The quantile's bin is kept up to date with each sample: O(1), and nothing to do for a query.
 * Node's own histogram takes twice as long to record, 25 KB a slice, and must be merged for each query.
 */
export class LatencyQuantile {
  readonly #ratio: number;
  readonly #minSamples: number;
  readonly #slices = Array.from({ length: SLICES }, () => new Uint32Array(BINS));
  readonly #all = new Uint32Array(BINS);
  #samples = 0;
  #turn = 0;
  #sliceSamples = 0;
  #sliceSinceMs = -Infinity;
  /** The bin in which the quantile is, and how many samples are in those above it. */
  #bin = 0;
  #above = 0;

  /** @param ratio which quantile, >= 0 and < 1. */
  constructor(ratio: number) {
    this.#ratio = ratio;
    this.#minSamples = Math.max(LEAST_SAMPLES, Math.round(SAMPLES_BEYOND / (1 - ratio)));
  }

  /** In ms; `undefined` until there were samples enough: 100 for a ratio of 0.95, 500 for 0.99. */
  get ms(): number | undefined {
    return this.#samples < this.#minSamples ? undefined : LEAST_MS * GROWTH ** this.#bin;
  }

  record(latencyMs: number, nowMs: number): void {
    const isFull = this.#sliceSamples >= this.#minSamples / (SLICES - 1);
    if (isFull && nowMs - this.#sliceSinceMs >= SLICE_MS) this.#nextSlice(nowMs);
    if (this.#samples === 0) this.#sliceSinceMs = nowMs;
    const bin = binOf(latencyMs);
    add(this.#slices[this.#turn], bin, 1);
    add(this.#all, bin, 1);
    this.#sliceSamples++;
    this.#samples++;
    if (bin > this.#bin) this.#above++;
    this.#seek();
  }

  /** Forgets the oldest slice, and begins anew with it. */
  #nextSlice(nowMs: number): void {
    this.#turn = (this.#turn + 1) % SLICES;
    this.#sliceSamples = 0;
    this.#sliceSinceMs = nowMs;
    this.#slices[this.#turn]?.forEach((count, bin) => {
      add(this.#all, bin, -count);
      this.#samples -= count;
      if (bin > this.#bin) this.#above -= count;
    });
    this.#slices[this.#turn]?.fill(0);
  }

  /** Moves to the lowest bin with no more samples above it than may be. */
  #seek(): void {
    const most = this.#samples * (1 - this.#ratio) + ROUNDING;
    while (this.#above > most) this.#above -= this.#all[++this.#bin] ?? 0;
    for (;;) {
      const here = this.#all[this.#bin] ?? 0;
      if (this.#bin === 0 || this.#above + here > most) return;
      this.#above += here;
      this.#bin--;
    }
  }
}

function binOf(latencyMs: number): number {
  if (latencyMs <= LEAST_MS) return 0;
  return Math.min(BINS - 1, Math.ceil(Math.log(latencyMs / LEAST_MS) / LOG_GROWTH));
}

function add(counts: Uint32Array | undefined, bin: number, count: number): void {
  if (counts !== undefined) counts[bin] = (counts[bin] ?? 0) + count;
}
