import type { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import { type Breaker, type BreakerPermit, UNCOUNTED } from '../instance-state.js';
import type { BreakerState, Env, Outcome } from '../types.js';

export interface BreakerSettings {
  /** Opens when at least this share of the window's attempts failed, 0 to 1. */
  readonly errorThresholdRatio: number;
  /** Attempts the window must hold before the ratio counts. */
  readonly minAttempts: number;
  /** Opens after this many failures in a row. */
  readonly consecutiveFailures: number;
  /** Length of the sliding window, in ms. */
  readonly windowMs: number;
  /** First open time in ms; it doubles with each opening in a row, up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

/** What a breaker tells, and asks. */
export interface BreakerHooks {
  /** @param outMs how long it has got no calls, but for probes, in ms, when it is closed now. */
  onChange(state: BreakerState, outMs: number, before: BreakerState): void;
  /** May it open, as far as its peers are concerned? Asked only while it is closed. */
  mayOpen(): boolean;
  /** It would have opened, and may not; not told again before the window's length has passed without that. */
  onHeld(): void;
}

/** Buckets of the sliding window. */
const BUCKETS = 10;

/**
 * The fuse of one instance, on opossum's sliding window and threshold.
 *
 * Opossum is told of an attempt when it has *ended*, not wrapped around it: a success is noted in its window, for a
 * failure it fires an action that fails at once. So attempts in flight do not dilute its error rate, ignored outcomes need not
 * be told as successes, a result from before the opening can be withheld, and nothing here waits on a promise.
 * How long it stays open, and the one probe that may end it, are decided here on the injected clock: opossum is
 * put back to closed as soon as it has spoken, so it never holds a timer.
 */
export class OpossumBreaker implements Breaker {
  #state: BreakerState = { kind: 'closed' };
  /** Of the permits that count: those given out since the last change of state. */
  #epoch = 0;
  #consecutive = 0;
  /** How often its open time has doubled: with each opening in a row, without a whole quiet window between them. */
  #doublings = 0;
  /** When this outage began, however often it has opened again since. */
  #outSinceMs = 0;
  #closedAtMs = -Infinity;
  #openedAtMs = -Infinity;
  /** When it was last called although it was not closed: in panic. */
  #usedAtMs = -Infinity;
  /** When the instance asked to be called again, as far as it did. */
  #retryAtMs = -Infinity;
  #heldUntilMs = -Infinity;
  #bucketStartMs: number;
  #rotate: () => void = () => undefined;
  /** The current one of opossum's; to ask for its window is to have that copied. */
  #bucket: Bucket;
  readonly #opossum: CircuitBreaker<[]>;

  constructor(
    private readonly settings: BreakerSettings,
    private readonly env: Env,
    private readonly hooks: BreakerHooks,
  ) {
    this.#bucketStartMs = env.clock.now();
    this.#opossum = new CircuitBreaker(fail, {
      timeout: false,
      // Opossum opens strictly above its threshold, we at it.
      errorThresholdPercentage: settings.errorThresholdRatio * 100 - 1e-9,
      volumeThreshold: settings.minAttempts,
      rollingCountTimeout: settings.windowMs,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotationOnDemand(),
    });
    this.#bucket = this.#newBucket();
  }

  get state(): BreakerState {
    return this.#state;
  }

  get heldUntilMs(): number {
    return this.#heldUntilMs;
  }

  admit(nowMs: number): BreakerPermit {
    const state = this.#state;
    if (state.kind === 'closed') return this.#epoch;
    const probeFromMs = state.kind === 'open' ? state.untilMs : (state.probeUntilMs ?? nowMs);
    if (nowMs < probeFromMs) {
      this.#usedAtMs = nowMs;
      return UNCOUNTED;
    }
    // A probe before this one that never ended decides nothing any more.
    return this.#become({ kind: 'half-open', probeUntilMs: nowMs + this.settings.maxOpenMs });
  }

  record(
    permit: BreakerPermit,
    outcome: Outcome,
    nowMs: number,
    retryAfterMs?: number,
    answered = false,
  ): void {
    if (permit !== this.#epoch) return;
    const success = outcome === 'success';
    const counts = outcome !== 'ignored';
    if (counts && !success && retryAfterMs !== undefined) this.#retryAtMs = nowMs + retryAfterMs;
    if (this.#state.kind === 'closed') {
      if (counts) this.#count(success, nowMs, answered);
    } else if (success) this.#close(nowMs);
    else if (counts) this.#open(nowMs);
    else this.#become({ kind: 'half-open', probeUntilMs: undefined });
  }

  trip(nowMs: number): void {
    if (this.#state.kind === 'closed') this.#openIfAllowed(nowMs);
  }

  shutdown(): void {
    this.#epoch = NaN; // equal to no permit: late outcomes change nothing
    this.#opossum.shutdown();
  }

  #count(success: boolean, nowMs: number, answered: boolean): void {
    this.#rotateTo(nowMs);
    if (answered) this.#takeBackSuccess();
    this.#consecutive = success ? 0 : this.#consecutive + 1;
    const isOver = success ? this.#noteSuccess() : this.#tellFailure();
    if (isOver || this.#consecutive >= this.settings.consecutiveFailures) {
      this.#openIfAllowed(nowMs);
    }
  }

  /**
   * Tells opossum of a failure. @returns true when the error ratio is now over its threshold. To judge that it sums up all
   * figures of its window, which takes several times as long as the rest of a call: it is asked where it can come to that.
   */
  #tellFailure(): boolean {
    if (!this.#mayBeOver()) return this.#noteFailure();
    this.#opossum.fire().catch(ignoreOwnRejection);
    const isOver = this.#opossum.opened;
    this.#opossum.close(); // keeps its window, and frees its timer
    return isOver;
  }

  /** Whether one failure more can bring the window to the threshold. */
  #mayBeOver(): boolean {
    let [fires, failures] = [1, 1];
    for (const bucket of this.#opossum.status.window) {
      fires += bucket.fires;
      failures += bucket.failures;
    }
    const { minAttempts, errorThresholdRatio } = this.settings;
    return fires >= minAttempts && failures >= errorThresholdRatio * fires * (1 - 1e-9);
  }

  /** All that opossum does about a failure that does not open it. */
  #noteFailure(): false {
    this.#bucket.failures++;
    this.#bucket.fires++;
    return false;
  }

  /** All that opossum does about a success while it is closed; to `fire` one costs as much as the rest of a call. */
  #noteSuccess(): false {
    this.#bucket.successes++;
    this.#bucket.fires++;
    return false;
  }

  #openIfAllowed(nowMs: number): void {
    if (this.hooks.mayOpen()) {
      this.#open(nowMs);
      return;
    }
    const isNew = nowMs >= this.#heldUntilMs;
    this.#heldUntilMs = nowMs + this.settings.windowMs;
    if (isNew) this.hooks.onHeld();
  }

  #open(nowMs: number): void {
    const wasClosed = this.#state.kind === 'closed';
    if (wasClosed) this.#outSinceMs = nowMs;
    if (wasClosed && nowMs - this.#closedAtMs >= this.settings.windowMs) this.#doublings = 0;
    // It pays to wait longer for an instance that is rested meanwhile. In panic it is called all the same, for most of
    // its peers fail too; once they are well again, it is to be found well as soon as they.
    else if (this.#usedAtMs < this.#openedAtMs) this.#doublings++;
    const untilMs = nowMs + this.#openMs(this.#retryAtMs - nowMs);
    this.#openedAtMs = nowMs;
    this.#heldUntilMs = -Infinity;
    this.#become({ kind: 'open', untilMs });
  }

  /**
   * Equal jitter: half fixed, half random, so that clients do not probe in step. The instance may ask for a longer
   * fixed part (Retry-After), within `maxOpenMs`: what asks for a day would else be gone for a day.
   */
  #openMs(askedMs: number): number {
    const { openMs, maxOpenMs } = this.settings;
    const halfMs = Math.min(maxOpenMs, openMs * 2 ** this.#doublings) / 2;
    const randomMs = this.env.rng.next() * halfMs;
    if (askedMs > maxOpenMs) return maxOpenMs - randomMs;
    return Math.min(maxOpenMs, Math.max(halfMs, askedMs) + randomMs);
  }

  #close(nowMs: number): void {
    this.#closedAtMs = nowMs;
    this.#consecutive = 0;
    this.#retryAtMs = -Infinity;
    this.#dropOldest(BUCKETS); // the failures that opened it are history
    this.#bucketStartMs = nowMs;
    // Nor has it cooled, in panic.
    this.#become({ kind: 'closed' }, nowMs - Math.max(this.#outSinceMs, this.#usedAtMs));
  }

  /** @returns the epoch that begins with this state; a hook may have ended it already. */
  #become(state: BreakerState, outMs = 0): BreakerPermit {
    const epoch = ++this.#epoch;
    const before = this.#state;
    this.#state = state;
    this.hooks.onChange(state, outMs, before);
    return epoch;
  }

  /** Moves the window on by the buckets that have passed. Done on traffic, so an idle breaker costs nothing. */
  #rotateTo(nowMs: number): void {
    const bucketMs = this.settings.windowMs / BUCKETS;
    const passed = Math.floor((nowMs - this.#bucketStartMs) / bucketMs);
    if (passed <= 0) return;
    this.#dropOldest(Math.min(passed, BUCKETS));
    this.#bucketStartMs += passed * bucketMs;
  }

  /** An attempt is one in the window, though it was told twice; one of longer ago than a bucket counts as two. */
  #takeBackSuccess(): void {
    const bucket = this.#bucket;
    if (bucket.successes === 0) return;
    bucket.successes--;
    bucket.fires--;
  }

  #dropOldest(buckets: number): void {
    for (let i = 0; i < buckets; i++) this.#rotate();
    this.#bucket = this.#newBucket();
  }

  /** Opossum notes how long each attempt took, with percentiles off too: 8 bytes each, for as long as the window. */
  #newBucket(): Bucket {
    const [bucket] = this.#opossum.status.window as [Bucket, ...Bucket[]];
    bucket.latencyTimes = NO_DURATIONS;
    return bucket;
  }

  /** What opossum takes for the emitter of its bucket rotation; it only ever adds and removes one listener. */
  #rotationOnDemand(): EventEmitter {
    const controller = {
      on: (_event: string, rotate: () => void) => {
        this.#rotate = rotate;
      },
      removeListener: () => {
        this.#rotate = () => undefined;
      },
      listenerCount: () => 0,
    };
    return controller as unknown as EventEmitter;
  }
}

type Bucket = CircuitBreaker['status']['window'][number];

/** Takes what is pushed to it and keeps nothing. */
const NO_DURATIONS = Object.assign([], { push: () => 0 });
const FAILED = new Error('attempt failed');

/** The action every breaker fires: an attempt that has ended, and failed. */
function fail(): Promise<never> {
  throw FAILED;
}

function ignoreOwnRejection(): void {
  // Opossum hands FAILED back to its caller; the real error went to ours.
}
