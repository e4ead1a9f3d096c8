import type { Instance, LoadReport, Outcome } from './types.js';
import { checkKeys, checkNumber, checkOutcome } from './validate.js';
import type { Waiting } from './waiting-list.js';

/** The record that a lease was taken from. */
export interface LeaseOwner {
  readonly instance: Instance;
  answered(lease: Lease, nowMs: number | undefined): void;
  outrun(lease: Lease): void;
  receive(report: LoadReport): void;
  settle(
    lease: Lease,
    outcome: Outcome,
    retryAfterMs: number | undefined,
    nowMs: number | undefined,
  ): void;
}

/**
 * An attempt in flight, for whoever sends it. The holder calls {@link Lease.end} when it is over, and
 * {@link Lease.answered} before, when it lives on after the instance has answered.
 */
export class Lease {
  readonly instance: Instance;
  /** Clock reading when the attempt began. */
  readonly startedAtMs: number;
  /** @internal */
  readonly permit: number;
  /** @internal */
  hasAnswered = false;
  /** @internal */
  waits = false;
  /** @internal */
  older: Waiting | undefined;
  /** @internal */
  newer: Waiting | undefined;
  readonly #owner: LeaseOwner;
  #ended = false;

  /** @internal */
  constructor(owner: LeaseOwner, startedAtMs: number, permit: number) {
    this.#owner = owner;
    this.instance = owner.instance;
    this.startedAtMs = startedAtMs;
    this.permit = permit;
  }

  /**
   * Says that the instance has answered, for an attempt that stays in flight (a stream, a socket, a session): its
   * latency is the time until now. Without it the latency is the time until {@link Lease.end}, and a policy that goes by
   * latency takes the instance for one that does not answer.
   */
  answered(): void {
    this.answeredAt(undefined);
  }

  /** @param nowMs the clock's reading, where it is at hand. @internal */
  answeredAt(nowMs: number | undefined): void {
    if (this.#ended || this.hasAnswered) return;
    this.hasAnswered = true;
    this.#owner.answered(this, nowMs);
  }

  /**
   * Says that a hedge was done first. Blames nobody, but the estimate of the latency must not be less than the time it
   * had: else a slow instance hides behind its hedges. To be ended as `'ignored'` then. @internal
   */
  outrun(): void {
    if (!this.#ended && !this.hasAnswered) this.#owner.outrun(this);
  }

  /**
   * Hands on what the instance says of its own load, for the policy `server-weighted`. A report of 0 requests or of a
   * utilization of 0 says nothing, and leaves the one before in force.
   *
   * @throws {InvalidOptionError} naming the figure that is out of range.
   */
  report(report: LoadReport): void {
    this.#owner.receive(checkReport(report));
  }

  /**
   * Says how the attempt ended. The first call counts; later ones do nothing.
   *
   * @param retryAfterMs the pause that the instance asked for, in ms: should this open its breaker, it stays open at
   * least so long.
   * @throws {InvalidOptionError} for what is no outcome or no pause; the lease is then still to be ended.
   */
  end(outcome: Outcome, retryAfterMs?: number): void {
    checkOutcome('outcome', outcome);
    if (retryAfterMs !== undefined) checkNumber('retryAfterMs', retryAfterMs, { min: 0 });
    this.endAt(undefined, outcome, retryAfterMs);
  }

  /** What is given has been checked. @param nowMs the clock's reading, where it is at hand. @internal */
  endAt(nowMs: number | undefined, outcome: Outcome, retryAfterMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#owner.settle(this, outcome, retryAfterMs, nowMs);
  }
}

function checkReport(report: LoadReport): LoadReport {
  checkKeys('report', report, ['qps', 'utilization', 'errorsPerSecond']);
  checkNumber('report.qps', report.qps, { min: 0 });
  checkNumber('report.utilization', report.utilization, { min: 0 });
  checkNumber('report.errorsPerSecond', report.errorsPerSecond ?? 0, { min: 0 });
  return report;
}
