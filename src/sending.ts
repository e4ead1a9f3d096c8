import { Attempt } from './attempt.js';
import type { Caller, Settling } from './caller.js';
import { setLimit } from './env.js';
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
  /** Runs `fn` in the async context that the call was made in. */
  runInAsyncScope<This, Args extends unknown[]>(
    fn: (this: This, ...args: Args) => void,
    self: This,
    ...args: Args
  ): void;
  /** What the end of the attempt means. May throw what the application's own judgement throws. */
  judge(settled: Settled, lease: Lease): Judgement;
  /** The attempt has reached its limit, and is to be cut. */
  timeOut(sending: Sending): void;
  /** The attempt has ended, its lease too. */
  note(sending: Sending, end: AttemptEnd, nowMs: number): void;
  /** Frees what came too late. */
  discard(settled: Settled): void;
}

/** Ended by us or by the caller: blames nobody and ends the call. */
const FINAL: Verdict = { outcome: 'ignored', retry: 'never' };

/** An end that blames nobody and is the last word. */
export function final(error: unknown, ended: AttemptEnding): AttemptEnd {
  return { settled: { ok: false, error }, verdict: FINAL, ended, isDeliberate: false };
}

/** Who waits for the end of an attempt. */
export interface EndListener {
  /** Told after the attempt's owner. May not throw. */
  ended(end: AttemptEnd): void;
}

/** One attempt on its way: its limit, and the lease, which ends with it. */
export class Sending implements Settling {
  readonly #attempt: Attempt;
  #timer: Timer;
  #isOver = false;
  /** It has succeeded, and lives on until {@link release}. */
  #isOpen = false;

  constructor(
    readonly plan: SendingPlan,
    private readonly owner: SendingOwner,
    private readonly listener: EndListener,
  ) {
    const { lease, number, limit } = plan;
    this.#attempt = new Attempt(lease, number, limit.ms);
    const onLimit = (): void => {
      owner.runInAsyncScope(this.#atLimit, this);
    };
    this.#timer = setLimit(owner.clock, limit.ms, onLimit, lease.startedAtMs);
  }

  #atLimit(): void {
    const { owner } = this;
    const { lease, limit } = this.plan;
    const timeOut = (): void => {
      owner.timeOut(this);
    };
    if (!isLate(lease.startedAtMs + limit.ms, owner.clock)) timeOut();
    else this.#timer = owner.clock.setTimer(0, timeOut);
  }

  /** Has it sent. Once only. */
  run(caller: Caller): void {
    try {
      caller.send(this.#attempt, this);
    } catch (error) {
      this.settle({ ok: false, error });
    }
  }

  /** Ends it before its function does; what the function makes of its signal is too late. */
  cut(error: unknown, ended: AttemptEnding, verdict: Verdict = FINAL): void {
    if (this.#isOver) return;
    if (ended === 'lost') this.plan.lease.outrun();
    this.#finish({ settled: { ok: false, error }, verdict, ended, isDeliberate: false });
    this.#attempt.abort(error);
  }

  settle(settled: Settled, isOpen = false): void {
    this.owner.runInAsyncScope(this.#settle, this, settled, isOpen);
  }

  #settle(settled: Settled, isOpen: boolean): void {
    if (this.#isOver) {
      this.owner.discard(settled);
      return;
    }
    if (this.#isOwnLimit(settled)) {
      this.owner.timeOut(this);
      return;
    }
    this.#isOpen = isOpen;
    const ended = settled.ok ? 'returned' : 'threw';
    let end: AttemptEnd;
    try {
      const { verdict, isDeliberate } = this.owner.judge(settled, this.plan.lease);
      end = { settled, verdict, ended, isDeliberate };
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
    const nowMs = this.owner.clock.now();
    try {
      if (outcome !== 'success') {
        this.#isOpen = false;
        lease.endAt(nowMs, outcome, retryAfterMs);
      } else if (this.#isOpen) lease.answeredAt(nowMs);
      else if (this.#attempt.held === undefined) lease.endAt(nowMs, outcome);
      else this.#holdOpen(this.#attempt.held);
      this.owner.note(this, end, nowMs);
    } catch (error) {
      // A load of the application's own threw. That must not leave the call unsettled.
      end = final(error, end.ended);
    }
    this.listener.ended(end);
  }

  release(outcome: Outcome): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.plan.lease.endAt(undefined, outcome);
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
