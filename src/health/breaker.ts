import type { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import { type Breaker, type BreakerPermit, UNCOUNTED } from '../instance-state.js';
import type { BreakerState, Env, Outcome } from '../types.js';
import { OutcomeWindow, STEPS } from './outcome-window.js';

export interface BreakerSettings {
  /** Opens when at least this share of the window's attempts failed, 0 to 1. */
  readonly errorThresholdRatio: number;
  /** Attempts the window must hold before the ratio counts. */
  readonly minAttempts: number;
  /** Opens after this many failures in a row. */
  readonly consecutiveFailures: number;
  /** Length of the sliding window, in ms. */
  readonly windowMs: number;
  /** First open time in ms; half as long again with each opening in a row, up to `maxOpenMs`. */
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

/**
 * Of the open time, from one opening to the next in a row. Less than twice: an instance that was bad for some seconds is to be
 * tried again before it has been out half as long again.
 */
const GROWTH = 1.5;

/** What is remembered of the times when it was not closed. */
interface Past {
  /** How often its open time has grown: with each opening in a row, without a whole quiet window between them. */
  growths: number;
  /** When this outage began, however often it has opened again since. */
  outSinceMs: number;
  closedAtMs: number;
  openedAtMs: number;
  /** When it was last called although it was not closed: in panic. */
  usedAtMs: number;
  /** When the instance asked to be called again, as far as it did. */
  retryAtMs: number;
  heldUntilMs: number;
}

/** Of most instances there is nothing to remember: they share this, and what they all begin with. */
const NO_PAST: Readonly<Past> = {
  growths: 0,
  outSinceMs: 0,
  closedAtMs: -Infinity,
  openedAtMs: -Infinity,
  usedAtMs: -Infinity,
  retryAtMs: -Infinity,
  heldUntilMs: -Infinity,
};
const CLOSED: BreakerState = { kind: 'closed' };

/** Equal to no permit. */
const SHUT_DOWN: BreakerPermit = UNCOUNTED - 1;

/**
 * The fuse of one instance, on opossum's threshold.
 *
 * Opossum is told of attempts when they have *ended*, not wrapped around them: it is shown what the sliding window holds,
 * which is counted here, and fires an action that fails at once. So attempts in flight do not dilute its error rate,
 * ignored outcomes need not be told as successes, a result from before the opening can be withheld, and nothing here
 * waits on a promise. It is asked only when a failure may be the one too many, and made when first asked: it takes 5 KB,
 * lies in 30 places, and sums up all that it holds for each failure.
 *
 * How long it stays open, and the one probe that may end it, are decided here on the injected clock: opossum is
 * put back to closed as soon as it has spoken, so it never holds a timer.
 */
export class OpossumBreaker extends OutcomeWindow implements Breaker {
  // What a success reads comes first, so that it lies together.
  #state: BreakerState = CLOSED;
  /** Of the permits that count: those given out since the last change of state. */
  #epoch = 0;
  readonly #settings: BreakerSettings;
  #consecutive = 0;
  #past: Readonly<Past> = NO_PAST;
  #opossum: CircuitBreaker<[]> | undefined;

  constructor(
    settings: BreakerSettings,
    private readonly env: Env,
    private readonly hooks: BreakerHooks,
  ) {
    super();
    this.#settings = settings;
  }

  get state(): BreakerState {
    return this.#state;
  }

  get heldUntilMs(): number {
    return this.#past.heldUntilMs;
  }

  admit(nowMs: number): BreakerPermit {
    const state = this.#state;
    if (state.kind === 'closed') return this.#epoch;
    const probeFromMs = state.kind === 'open' ? state.untilMs : (state.probeUntilMs ?? nowMs);
    if (nowMs < probeFromMs) {
      this.#ownPast().usedAtMs = nowMs;
      return UNCOUNTED;
    }
    // A probe before this one that never ended decides nothing any more.
    return this.#become({ kind: 'half-open', probeUntilMs: nowMs + this.#settings.maxOpenMs });
  }

  record(
    permit: BreakerPermit,
    outcome: Outcome,
    nowMs: number,
    retryAfterMs?: number,
    answered = false,
  ): boolean {
    if (permit !== this.#epoch) return false;
    const success = outcome === 'success';
    const counts = outcome !== 'ignored';
    if (counts && !success && retryAfterMs !== undefined) {
      this.#ownPast().retryAtMs = nowMs + retryAfterMs;
    }
    const closes = success && this.#state.kind !== 'closed';
    if (closes) this.#close(nowMs);
    else if (this.#state.kind === 'closed') {
      if (counts) this.#count(success, nowMs, answered);
    } else if (counts) this.#open(nowMs);
    else this.#become({ kind: 'half-open', probeUntilMs: undefined });
    return closes;
  }

  trip(nowMs: number): void {
    if (this.#state.kind === 'closed') this.#openIfAllowed(nowMs);
  }

  shutdown(): void {
    this.#epoch = SHUT_DOWN; // late outcomes change nothing
    this.#opossum?.shutdown();
  }

  /** @param answered a success of this step turns out to be a failure: one attempt. Of longer ago it counts as two. */
  #count(success: boolean, nowMs: number, answered: boolean): void {
    this.moveTo(Math.floor((nowMs / this.#settings.windowMs) * STEPS));
    this.add(success, answered && this.hasSuccess);
    this.#consecutive = success ? 0 : this.#consecutive + 1;
    if (success) return;
    if (this.#isOver() || this.#consecutive >= this.#settings.consecutiveFailures) {
      this.#openIfAllowed(nowMs);
    }
  }

  /** Whether the error ratio is over its threshold, by opossum's word. Asked right after a failure. */
  #isOver(): boolean {
    const { attempts, failures } = this;
    const { minAttempts, errorThresholdRatio } = this.#settings;
    const mayBe = attempts >= minAttempts && failures >= errorThresholdRatio * attempts - 1e-6;
    if (!mayBe) return false;
    const opossum = (this.#opossum ??= this.#createOpossum());
    const [counts] = opossum.status.window;
    // The last failure is the one that it is to see for itself.
    Object.assign(counts ?? {}, { fires: attempts - 1, failures: failures - 1 });
    opossum.fire().catch(ignoreOwnRejection);
    const isOver = opossum.opened;
    opossum.close(); // frees its timer
    return isOver;
  }

  #createOpossum(): CircuitBreaker<[]> {
    const opossum = new CircuitBreaker(fail, {
      timeout: false,
      // Opossum opens strictly above its threshold, we at it.
      errorThresholdPercentage: this.#settings.errorThresholdRatio * 100 - 1e-9,
      volumeThreshold: this.#settings.minAttempts,
      rollingCountTimeout: this.#settings.windowMs,
      rollingCountBuckets: 1,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: NEVER as unknown as EventEmitter,
    });
    const [counts] = opossum.status.window;
    // It notes how long each attempt took, with percentiles off too.
    if (counts !== undefined) counts.latencyTimes = NO_DURATIONS;
    return opossum;
  }

  #openIfAllowed(nowMs: number): void {
    if (this.hooks.mayOpen()) {
      this.#open(nowMs);
      return;
    }
    const isNew = nowMs >= this.#past.heldUntilMs;
    this.#ownPast().heldUntilMs = nowMs + this.#settings.windowMs;
    if (isNew) this.hooks.onHeld();
  }

  #open(nowMs: number): void {
    const past = this.#ownPast();
    const wasClosed = this.#state.kind === 'closed';
    if (wasClosed) past.outSinceMs = nowMs;
    if (wasClosed && nowMs - past.closedAtMs >= this.#settings.windowMs) past.growths = 0;
    // It pays to wait longer for an instance that is rested meanwhile. In panic it is called all the same, for most of
    // its peers fail too; once they are well again, it is to be found well as soon as they.
    else if (past.usedAtMs < past.openedAtMs) past.growths++;
    const untilMs = nowMs + this.#openMs(past.retryAtMs - nowMs);
    past.openedAtMs = nowMs;
    past.heldUntilMs = -Infinity;
    this.#become({ kind: 'open', untilMs });
  }

  /**
   * Equal jitter: half fixed, half random, so that clients do not probe in step. The instance may ask for a longer
   * fixed part (Retry-After), within `maxOpenMs`: what asks for a day would else be gone for a day.
   */
  #openMs(askedMs: number): number {
    const { openMs, maxOpenMs } = this.#settings;
    const halfMs = Math.min(maxOpenMs, openMs * GROWTH ** this.#past.growths) / 2;
    const randomMs = this.env.rng.next() * halfMs;
    if (askedMs > maxOpenMs) return maxOpenMs - randomMs;
    return Math.min(maxOpenMs, Math.max(halfMs, askedMs) + randomMs);
  }

  #close(nowMs: number): void {
    const past = this.#ownPast();
    past.closedAtMs = nowMs;
    past.retryAtMs = -Infinity;
    this.#consecutive = 0;
    this.takeOut(this); // the failures that opened it are history
    // Nor has it cooled, in panic.
    this.#become({ kind: 'closed' }, nowMs - Math.max(past.outSinceMs, past.usedAtMs));
  }

  /** To be written to. */
  #ownPast(): Past {
    const past = this.#past === NO_PAST ? { ...NO_PAST } : this.#past;
    this.#past = past;
    return past;
  }

  /** @returns the epoch that begins with this state; a hook may have ended it already. */
  #become(state: BreakerState, outMs = 0): BreakerPermit {
    const epoch = ++this.#epoch;
    const before = this.#state;
    this.#state = state;
    this.hooks.onChange(state, outMs, before);
    return epoch;
  }
}

/** What opossum takes for the emitter that turns its window: there is nothing to turn. */
const NEVER = { on: () => undefined, removeListener: () => undefined, listenerCount: () => 0 };

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
