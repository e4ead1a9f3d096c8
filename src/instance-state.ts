import { Lease, type LeaseOwner } from './lease.js';
import { successRatioAfter, successRatioAt } from './success-ratio.js';
import type {
  BreakerState,
  Candidate,
  Clock,
  Health,
  Instance,
  InstanceRecord,
  Load,
  LoadReport,
  Outcome,
  ReceivedReport,
} from './types.js';
import {
  addWaiting,
  removeWaiting,
  removeWaitingBefore,
  type Waiting,
  type WaitingList,
} from './waiting-list.js';

/** The fuse of one instance, as the record drives it. Implemented in health/breaker.ts. */
export interface Breaker {
  readonly state: BreakerState;
  /** Until when it is in doubt: it would have opened, and might not. -Infinity if that never was so. */
  readonly heldUntilMs: number;
  /** Admits an attempt; the permit says whether its outcome will count. */
  admit(nowMs: number): BreakerPermit;
  /**
   * Tells how an admitted attempt ended. Late permits change nothing. `retryAfterMs`: the pause the instance asked for.
   * `answered`: it was told as a success before, and has failed after all.
   *
   * @returns true when that has closed it.
   */
  record(
    permit: BreakerPermit,
    outcome: Outcome,
    nowMs: number,
    retryAfterMs?: number,
    answered?: boolean,
  ): boolean;
  /** Opens it for a reason of somebody else's (outlier detection), if it is closed. */
  trip(nowMs: number): void;
  /** Releases its timers. May not be used afterwards. */
  shutdown(): void;
}

/** The breaker's epoch when the attempt began; {@link UNCOUNTED} for attempts let through in panic. */
export type BreakerPermit = number;
export const UNCOUNTED: BreakerPermit = -1;

/** Compares the outcomes of one instance with those of its peers. Implemented in health/outlier-detection.ts. */
export interface OutlierWatch {
  /**
   * Counts an outcome that blames or praises the instance. `answered`: it was told as a success before, and has failed
   * after all.
   *
   * @returns true when the instance now stands out as bad.
   */
  record(success: boolean, nowMs: number, answered?: boolean): boolean;
}

/** A load that keeps the latency estimate. */
export type Learner = Load & Required<Pick<Load, 'observe'>>;

/** Told of every attempt that begins and ends. Implemented in instance-limits.ts. */
export interface InFlightWatch {
  /** One more is in flight: `state.pending` counts it. */
  began(state: InstanceState): void;
  /** One of those in flight was answered after `elapsedMs`, and stays in flight. */
  answered(state: InstanceState, elapsedMs: number, nowMs: number): void;
  /** One less is in flight. `elapsedMs` is `undefined` for one that was answered before. */
  ended(state: InstanceState, elapsedMs: number | undefined, outcome: Outcome, nowMs: number): void;
}

/** Attempts in flight at all instances of one set together. */
export interface Traffic {
  inFlight: number;
}

/** What the states of one instance set share. */
export interface StateDeps {
  readonly traffic: Traffic;
  readonly clock: Clock;
  /** Keeps the latency estimate. */
  readonly learner: Learner;
  /** Makes the breaker of an instance, on its first attempt; absent when breakers are off. */
  readonly createBreaker: ((state: InstanceState) => Breaker) | undefined;
  /** Makes the outlier watch of an instance, on its first attempt; absent when outlier detection is off. */
  readonly createWatch?: ((state: InstanceState) => OutlierWatch) | undefined;
  /** Told when the last attempt in flight at an instance has ended. */
  readonly onIdle?: ((state: InstanceState) => void) | undefined;
  /** Watches how many are in flight; absent when nothing bounds them. */
  readonly inFlight?: InFlightWatch | undefined;
}

const CLOSED: BreakerState = { kind: 'closed' };

/**
 * The mutable record of one instance. It outlives snapshots: only the instance set creates or drops one. It is a candidate
 * by itself: a pair of instance and record would be one more object to find in memory, for each that a pick looks at.
 */
export class InstanceState implements InstanceRecord, Candidate, LeaseOwner, WaitingList {
  // What every pick reads comes first, then what an attempt does, so that each shares lines of the processor's cache.
  pending = 0;
  capacity = 0; // first, so that V8 takes it for a number, and asks no more at each pick
  #ramp = 1;
  #instance: Instance;
  measured = 0;
  ewmaMs = 0;
  ewmaAtMs = 0;
  /** Kept as a field, for it is read at every pick: the way to the oldest lease costs three cache misses. */
  waitingSinceMs = Infinity;
  successRatio = 1;
  attempts = 0;
  readonly #deps: StateDeps;
  #breaker: Breaker | undefined;
  #watch: OutlierWatch | undefined;
  /** The ends of the list of attempts that wait for their answer. */
  #oldest: Waiting | undefined;
  #newest: Waiting | undefined;
  failuresInARow = 0;
  /** It is listed, and not draining. Kept by the set: to look it up with each attempt costs as much as a pick. */
  takesCalls = false;
  health: Health = 'unknown';
  role: string | undefined;
  report: ReceivedReport | undefined;

  constructor(instance: Instance, deps: StateDeps) {
    this.#instance = instance;
    this.capacity = instance.weight;
    this.#deps = deps;
  }

  get state(): this {
    return this;
  }

  get oldest(): Waiting | undefined {
    return this.#oldest;
  }

  set oldest(waiting: Waiting | undefined) {
    this.#oldest = waiting;
  }

  get newest(): Waiting | undefined {
    return this.#newest;
  }

  set newest(waiting: Waiting | undefined) {
    this.#newest = waiting;
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** The same process as its source describes it now. */
  set instance(instance: Instance) {
    this.#instance = instance;
    this.capacity = instance.weight * this.#ramp;
  }

  get ramp(): number {
    return this.#ramp;
  }

  set ramp(ramp: number) {
    this.#ramp = ramp;
    this.capacity = this.#instance.weight * ramp;
  }

  get breaker(): BreakerState {
    return this.#breaker?.state ?? CLOSED;
  }

  get heldUntilMs(): number {
    return this.#breaker?.heldUntilMs ?? -Infinity;
  }

  /** Sets the estimate to start with. What was measured is worth more: then nothing happens. */
  seed(ewmaMs: number, nowMs: number): void {
    if (this.measured > 0) return;
    this.ewmaMs = ewmaMs;
    this.ewmaAtMs = nowMs;
  }

  /** Begins an attempt. Its lease must be ended exactly once; more often is harmless. */
  begin(nowMs: number): Lease {
    this.pending++;
    this.attempts++;
    this.#deps.traffic.inFlight++;
    this.#deps.inFlight?.began(this); // before the breaker, whose change may bring those here who wait for room
    this.#breaker ??= this.#deps.createBreaker?.(this);
    this.#watch ??= this.#deps.createWatch?.(this);
    const lease = new Lease(this, nowMs, this.#breaker?.admit(nowMs) ?? UNCOUNTED);
    addWaiting(this, lease);
    this.noteOldest();
    return lease;
  }

  /** The lease has had its answer: its latency is known, though it stays in flight. */
  answered(lease: Lease, nowMs: number = this.#deps.clock.now()): void {
    this.learn(lease, 'success', nowMs);
    this.successRatio = successRatioAt(this, nowMs);
    this.ewmaAtMs = nowMs;
    this.judge(lease, 'success', nowMs); // now, for it may live on for hours
    this.#deps.inFlight?.answered(this, nowMs - lease.startedAtMs, nowMs);
  }

  /** The lease is given up for another attempt that was done first: its answer would have taken this long at least. */
  outrun({ startedAtMs }: Lease): void {
    const nowMs = this.#deps.clock.now();
    const elapsedMs = nowMs - startedAtMs;
    if (elapsedMs <= this.ewmaMs) return;
    this.successRatio = successRatioAt(this, nowMs);
    this.ewmaMs = elapsedMs;
    this.ewmaAtMs = nowMs;
  }

  receive(report: LoadReport): void {
    const { qps, utilization, errorsPerSecond = 0 } = report;
    if (qps === 0 || utilization === 0) return; // a quiet second: it says nothing, and what was said before stands
    this.report = { qps, utilization, errorsPerSecond, atMs: this.#deps.clock.now() };
  }

  /** Takes back what a lease began. Called by the lease, once. */
  settle(
    lease: Lease,
    outcome: Outcome,
    retryAfterMs: number | undefined,
    nowMs: number = this.#deps.clock.now(),
  ): void {
    const wasLast = --this.pending === 0;
    this.#deps.traffic.inFlight--;
    try {
      if (outcome === 'ignored') {
        removeWaiting(this, lease);
        this.noteOldest();
      } else {
        if (!lease.hasAnswered) this.learn(lease, outcome, nowMs);
        this.successRatio = successRatioAfter(this, outcome === 'success', nowMs);
        this.failuresInARow = outcome === 'success' ? 0 : this.failuresInARow + 1;
        this.ewmaAtMs = nowMs;
      }
    } finally {
      // A load of the application's own may throw: its room is free, and its breaker knows, all the same.
      if (!lease.hasAnswered || outcome !== 'success') {
        this.judge(lease, outcome, nowMs, retryAfterMs);
      }
      const elapsedMs = lease.hasAnswered ? undefined : nowMs - lease.startedAtMs;
      this.#deps.inFlight?.ended(this, elapsedMs, outcome, nowMs);
      if (wasLast && this.pending === 0) this.#deps.onIdle?.(this);
    }
  }

  /** Tells the breaker, and whoever compares. */
  private judge(lease: Lease, outcome: Outcome, nowMs: number, retryAfterMs?: number): void {
    const failedAfterAll = lease.hasAnswered && outcome !== 'success';
    const closed = this.#breaker?.record(
      lease.permit,
      outcome,
      nowMs,
      retryAfterMs,
      failedAfterAll,
    );
    if (closed === true) this.beginAnew();
    if (outcome === 'ignored') return;
    const standsOut = this.#watch?.record(outcome === 'success', nowMs, failedAfterAll);
    if (standsOut === true) this.#breaker?.trip(nowMs);
  }

  /** Its probe has ended an outage: what failed then is history, here as with the breaker. */
  private beginAnew(): void {
    this.successRatio = 1;
    this.failuresInARow = 0;
  }

  /** Learns from the latency of one attempt, which waits no longer. */
  private learn(lease: Lease, outcome: Outcome, nowMs: number): void {
    const overtaken = !lease.waits;
    removeWaiting(this, lease);
    // Those that began before one that has succeeded wait for something of their own, not for the instance.
    if (outcome === 'success') removeWaitingBefore(this, lease.startedAtMs);
    this.noteOldest();
    const elapsedMs = nowMs - lease.startedAtMs;
    this.ewmaMs = this.#deps.learner.observe(this, elapsedMs, outcome, nowMs, overtaken);
    this.measured++;
  }

  private noteOldest(): void {
    this.waitingSinceMs = this.#oldest?.startedAtMs ?? Infinity;
  }

  shutdown(): void {
    this.#breaker?.shutdown();
    this.#breaker = undefined;
  }
}
