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
  /** @param outMs how long it has been open or half-open, in ms. */
  onChange(state: BreakerState, outMs: number): void;
  /** May it open, as far as its peers are concerned? Asked only while it is closed. */
  mayOpen(): boolean;
  /** It would have opened, and may not. Told once, until it has seen a success or has opened. */
  onHeld(): void;
}

/** Buckets of the sliding window. */
const BUCKETS = 10;
/** Our own clock ends an opening; opossum's timer must never (2^31 - 1 ms is the longest Node can set). */
const NEVER_MS = 2_147_483_647;
const CLOSED: BreakerState = { kind: 'closed' };

/**
 * The fuse of one instance, on opossum's sliding window and threshold.
 *
 * Opossum is told of an attempt when it has *ended*, not wrapped around it: it fires an action that settles at
 * once with the known outcome. So attempts in flight do not dilute its error rate, ignored outcomes need not
 * be told as successes, a result from before the opening can be withheld, and nothing here waits on a promise.
 * How long it stays open, and the one probe that may end it, are decided here on the injected clock.
 */
export class OpossumBreaker implements Breaker {
  #state: BreakerState = CLOSED;
  #epoch = 0;
  #consecutive = 0;
  /** Openings in a row, without a whole quiet window between them. */
  #openings = 0;
  #closedAtMs = -Infinity;
  #bucketStartMs: number;
  #rotate: () => void = () => undefined;
  readonly #opossum: CircuitBreaker<[boolean]>;

  constructor(
    private readonly settings: BreakerSettings,
    private readonly env: Env,
    private readonly hooks: BreakerHooks,
  ) {
    this.#bucketStartMs = env.clock.now();
    this.#opossum = new CircuitBreaker(settled, {
      timeout: false,
      resetTimeout: NEVER_MS,
      // Opossum opens strictly above its threshold, we at it.
      errorThresholdPercentage: settings.errorThresholdRatio * 100 - 1e-9,
      volumeThreshold: settings.minAttempts,
      rollingCountTimeout: settings.windowMs,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotationOnDemand(),
    });
  }

  get state(): BreakerState {
    return this.#state;
  }

  admit(nowMs: number): BreakerPermit {
    const state = this.#state;
    if (state.kind === 'closed') return this.#epoch;
    const probeFromMs = state.kind === 'open' ? state.untilMs : (state.probeUntilMs ?? nowMs);
    if (nowMs < probeFromMs) return UNCOUNTED;
    this.#epoch++; // a probe before this one that never ended decides nothing any more
    this.#become({ kind: 'half-open', probeUntilMs: nowMs + this.settings.maxOpenMs });
    return this.#epoch;
  }

  record(permit: BreakerPermit, outcome: Outcome, nowMs: number): void {
    if (permit !== this.#epoch) return;
    if (this.#state.kind === 'half-open') this.#endProbe(outcome, nowMs);
    else if (outcome !== 'ignored') this.#count(outcome === 'success', nowMs);
  }

  trip(nowMs: number): void {
    if (this.#state.kind === 'closed') this.#open(nowMs);
  }

  shutdown(): void {
    this.#epoch = NaN; // equal to no permit: late outcomes change nothing
    this.#opossum.shutdown();
  }

  #endProbe(outcome: Outcome, nowMs: number): void {
    if (outcome === 'success') this.#close(nowMs);
    else if (outcome === 'ignored') this.#become({ kind: 'half-open', probeUntilMs: undefined });
    else this.#open(nowMs);
  }

  #count(success: boolean, nowMs: number): void {
    this.#rotateTo(nowMs);
    this.#consecutive = success ? 0 : this.#consecutive + 1;
    const fired = this.#opossum.fire(success);
    if (!success) fired.catch(ignoreOwnRejection);
    if (this.#opossum.opened || this.#consecutive >= this.settings.consecutiveFailures) {
      this.#open(nowMs);
    }
  }

  #open(nowMs: number): void {
    const { openMs, maxOpenMs, windowMs } = this.settings;
    if (this.#state.kind === 'closed' && nowMs - this.#closedAtMs >= windowMs) this.#openings = 0;
    const fullMs = Math.min(maxOpenMs, openMs * 2 ** this.#openings);
    this.#openings++;
    this.#epoch++;
    this.#opossum.open();
    // Equal jitter: half fixed, half random, so that clients do not probe in step.
    const untilMs = nowMs + fullMs / 2 + this.env.rng.next() * (fullMs / 2);
    this.#become({ kind: 'open', untilMs });
  }

  #close(nowMs: number): void {
    this.#closedAtMs = nowMs;
    this.#consecutive = 0;
    for (let i = 0; i < BUCKETS; i++) this.#rotate(); // the failures that opened it are history
    this.#bucketStartMs = nowMs;
    this.#opossum.close();
    this.#become(CLOSED);
  }

  #become(state: BreakerState): void {
    this.#state = state;
    this.hooks.onChange(state, 0);
  }

  /** Moves the window on by the buckets that have passed. Done on traffic, so an idle breaker costs nothing. */
  #rotateTo(nowMs: number): void {
    const bucketMs = this.settings.windowMs / BUCKETS;
    const passed = Math.floor((nowMs - this.#bucketStartMs) / bucketMs);
    for (let i = 0; i < Math.min(passed, BUCKETS); i++) this.#rotate();
    this.#bucketStartMs += passed * bucketMs;
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

const FAILED = new Error('attempt failed');
/** Settles while `then` runs, so that opossum's counts are right when `fire` returns. */
const SUCCEEDED = {
  then(onFulfilled: () => void) {
    onFulfilled();
    return { catch: () => undefined };
  },
};

/** The action every breaker fires: the outcome of an attempt that has ended. */
function settled(success: boolean): Promise<never> {
  if (success) return SUCCEEDED as unknown as Promise<never>;
  throw FAILED;
}

function ignoreOwnRejection(): void {
  // Opossum hands FAILED back to its caller; the real error went to ours.
}
