import { Attempt, type CallFunction } from './attempt.js';
import { isFairleadError } from './errors.js';
import type { Lease } from './lease.js';
import type { Limit } from './resilience/deadline.js';
import type {
  AttemptEnding,
  AttemptKind,
  Clock,
  Outcome,
  Settled,
  Timer,
  Verdict,
} from './types.js';
import { isOutcome } from './validate.js';

/** How an attempt ended, and what follows from it. */
export interface AttemptEnd {
  readonly settled: Settled;
  readonly verdict: Verdict;
  readonly ended: AttemptEnding;
  /** The application's own `classify` has said what it means. */
  readonly isDeliberate: boolean;
}

export type Judgement = Pick<AttemptEnd, 'verdict' | 'isDeliberate'>;

/** What one attempt of a call is. */
export interface SendingPlan {
  readonly lease: Lease;
  /** Its number within its call, from 1. */
  readonly number: number;
  readonly kind: AttemptKind;
  readonly limit: Limit;
}

/** The call that an attempt is made for. */
export interface SendingOwner {
  readonly clock: Clock;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** What the end of the attempt means. May throw what the application's own judgement throws. */
  judge(settled: Settled, lease: Lease): Judgement;
  /** The attempt has reached its limit, and is to be cut. */
  timeOut(sending: Sending): void;
  /** The attempt has ended, its lease too. */
  note(sending: Sending, end: AttemptEnd): void;
  /** Frees what came too late. */
  discard(settled: Settled): void;
}

/** Ended by us or by the caller: blames nobody and ends the call. */
const FINAL: Verdict = { outcome: 'ignored', retry: 'never' };

/** An end that blames nobody and is the last word. */
export function final(error: unknown, ended: AttemptEnding): AttemptEnd {
  return { settled: { ok: false, error }, verdict: FINAL, ended, isDeliberate: false };
}

/** One attempt on its way: its function, its limit, and the lease, which ends with it. */
export class Sending {
  /** Never rejects. */
  readonly end: Promise<AttemptEnd>;
  readonly #attempt: Attempt;
  #timer: Timer;
  #resolve!: (end: AttemptEnd) => void;
  #isOver = false;

  constructor(
    readonly plan: SendingPlan,
    private readonly owner: SendingOwner,
  ) {
    const { lease, number, limit } = plan;
    this.#attempt = new Attempt(lease, number, limit.ms);
    this.end = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = owner.clock.setTimer(limit.ms, () => {
      this.#onLimit(lease.startedAtMs + limit.ms);
    });
  }

  #onLimit(dueMs: number): void {
    const { clock } = this.owner;
    if (!isLate(dueMs, clock)) this.owner.timeOut(this);
    else {
      this.#timer = clock.setTimer(0, () => {
        this.owner.timeOut(this);
      });
    }
  }

  /** Calls the function. Once only. */
  run(fn: CallFunction<unknown>): this {
    try {
      Promise.resolve(fn(this.#attempt)).then(
        (value) => {
          this.#settle({ ok: true, value });
        },
        (error: unknown) => {
          this.#settle({ ok: false, error });
        },
      );
    } catch (error) {
      this.#settle({ ok: false, error });
    }
    return this;
  }

  /** Ends it before its function does; what the function makes of its signal is too late. */
  cut(error: unknown, ended: AttemptEnding, verdict: Verdict = FINAL): void {
    if (this.#isOver) return;
    if (ended === 'lost') this.plan.lease.outrun();
    this.#finish({ settled: { ok: false, error }, verdict, ended, isDeliberate: false });
    this.#attempt.abort(error);
  }

  #settle(settled: Settled): void {
    if (this.#isOver) {
      this.owner.discard(settled);
      return;
    }
    if (this.#isOwnLimit(settled)) {
      this.owner.timeOut(this);
      return;
    }
    const ended = settled.ok ? 'returned' : 'threw';
    let end: AttemptEnd;
    try {
      end = { settled, ...this.owner.judge(settled, this.plan.lease), ended };
    } catch (error) {
      end = final(error, ended); // a broken `classify` is the application's fault
    }
    this.#finish(end);
  }

  /**
   * A call made within this one inherits its limit as a deadline, and may be the first to notice: whose timer is first
   * must not matter.
   */
  #isOwnLimit(settled: Settled): boolean {
    if (settled.ok || !isPastDeadline(settled.error)) return false;
    const { lease, limit } = this.plan;
    return this.owner.clock.now() - lease.startedAtMs >= limit.ms - LATE_MS;
  }

  #finish(end: AttemptEnd): void {
    this.#isOver = true;
    this.#timer.cancel();
    const { lease } = this.plan;
    const { outcome, retryAfterMs } = end.verdict;
    try {
      if (outcome === 'success' && this.#attempt.held !== undefined) {
        this.#holdOpen(this.#attempt.held);
      } else lease.end(outcome, retryAfterMs);
      this.owner.note(this, end);
      this.#resolve(end);
    } catch (error) {
      // A load of the application's own threw. That must not leave the call unsettled.
      this.#resolve(final(error, end.ended));
    }
  }

  /** The function has returned, its body still streams: the instance stays busy and the caller can still cancel. */
  #holdOpen(held: Promise<Outcome>): void {
    const { signal } = this.owner;
    const { lease } = this.plan;
    const onAbort = (): void => {
      this.#attempt.abort(signal?.reason);
    };
    const finish = (outcome: Outcome): void => {
      signal?.removeEventListener('abort', onAbort);
      lease.end(signal?.aborted === true ? 'ignored' : outcome);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    held.then(
      (outcome) => {
        finish(isOutcome(outcome) ? outcome : 'failure');
      },
      () => {
        finish('failure');
      },
    );
    lease.answered(); // last: a load of the application's own may throw at it
  }
}

/** So much a timer may be early or late, in ms. */
const LATE_MS = 2;

/**
 * True for a timer that a busy process has held up. What it waits for may have come meanwhile: timers run before sockets
 * are read. It ought to wait for another turn.
 */
export function isLate(dueMs: number, clock: Clock): boolean {
  return clock.now() - dueMs > LATE_MS;
}

/** As it is, or as the wrapped HTTP clients pass it on. */
function isPastDeadline(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some(
    (each) => isFairleadError(each) && each.code === 'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
  );
}
