import type { BreakerState, Clock, Instance, InstanceRecord, Load, Outcome } from './types.js';
import { checkOutcome } from './validate.js';

/** The fuse of one instance, as the record drives it. Implemented in health/breaker.ts. */
export interface Breaker {
  readonly state: BreakerState;
  /** Admits an attempt; the permit says whether its outcome will count. */
  admit(nowMs: number): BreakerPermit;
  /** Tells how an admitted attempt ended. Late permits change nothing. */
  record(permit: BreakerPermit, outcome: Outcome, nowMs: number): void;
  /** Releases its timers. May not be used afterwards. */
  shutdown(): void;
}

/** The breaker's epoch when the attempt began; {@link UNCOUNTED} for attempts let through in panic. */
export type BreakerPermit = number;
export const UNCOUNTED: BreakerPermit = -1;

/** What the states of one instance set share. */
export interface StateDeps {
  readonly clock: Clock;
  /** Keeps the latency estimate. */
  readonly learner: Required<Load>;
  /** Makes the breaker of an instance, on its first attempt; absent when breakers are off. */
  readonly createBreaker: ((state: InstanceState) => Breaker) | undefined;
}

const CLOSED: BreakerState = { kind: 'closed' };

/** Outcomes over which `successRatio` averages. */
const SUCCESS_SPAN = 10;

/** The mutable record of one instance. It outlives snapshots: only the instance set creates or drops one. */
export class InstanceState implements InstanceRecord {
  instance: Instance;
  pending = 0;
  attempts = 0;
  ewmaMs = 0;
  ewmaAtMs = 0;
  measured = 0;
  successRatio = 1;
  readonly #deps: StateDeps;
  #breaker: Breaker | undefined;

  constructor(instance: Instance, deps: StateDeps) {
    this.instance = instance;
    this.#deps = deps;
  }

  get breaker(): BreakerState {
    return this.#breaker?.state ?? CLOSED;
  }

  /** Begins an attempt. Its lease must be ended exactly once; more often is harmless. */
  begin(nowMs: number): Lease {
    this.pending++;
    this.attempts++;
    this.#breaker ??= this.#deps.createBreaker?.(this);
    return new Lease(this, nowMs, this.#breaker?.admit(nowMs) ?? UNCOUNTED);
  }

  /** Takes back what a lease began. Called by the lease, once. */
  settle(lease: Lease, outcome: Outcome): void {
    const nowMs = this.#deps.clock.now();
    this.pending--;
    if (outcome !== 'ignored') {
      this.ewmaMs = this.#deps.learner.observe(this, nowMs - lease.startedAtMs, outcome, nowMs);
      this.ewmaAtMs = nowMs;
      this.measured++;
      this.successRatio += ((outcome === 'success' ? 1 : 0) - this.successRatio) / SUCCESS_SPAN;
    }
    this.#breaker?.record(lease.permit, outcome, nowMs);
  }

  shutdown(): void {
    this.#breaker?.shutdown();
    this.#breaker = undefined;
  }
}

/** An attempt in flight, for whoever sends it. The holder calls {@link Lease.end} when it is over. */
export class Lease {
  readonly instance: Instance;
  /** Clock reading when the attempt began. */
  readonly startedAtMs: number;
  /** @internal */
  readonly permit: BreakerPermit;
  readonly #state: InstanceState;
  #ended = false;

  /** @internal */
  constructor(state: InstanceState, startedAtMs: number, permit: BreakerPermit) {
    this.#state = state;
    this.instance = state.instance;
    this.startedAtMs = startedAtMs;
    this.permit = permit;
  }

  /**
   * Says how the attempt ended. The first call counts; later ones do nothing.
   *
   * @throws {InvalidOptionError} for what is no outcome; the lease is then still to be ended.
   */
  end(outcome: Outcome): void {
    checkOutcome('outcome', outcome);
    if (this.#ended) return;
    this.#ended = true;
    this.#state.settle(this, outcome);
  }
}
