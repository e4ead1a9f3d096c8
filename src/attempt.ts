import { type AttemptEnd, type EndListener, final, FINAL } from './attempt-end.js';
import type { AttemptContext } from './attempt-context.js';
import type { AbortTarget, Caller, Settling } from './caller.js';
import { runWithin } from './deadline-scope.js';
import { setLimit } from './env.js';
import { isFairleadError } from './errors.js';
import type { Lease } from './lease.js';
import type { Limit } from './resilience/deadline.js';
import type {
  AttemptEnding,
  AttemptKind,
  Clock,
  Instance,
  Outcome,
  Settled,
  Timer,
  Verdict,
} from './types.js';
import { isOutcome } from './validate.js';

/** What one attempt of a call is. */
export interface AttemptPlan {
  readonly lease: Lease;
  /** Its number within its call, from 1. */
  readonly number: number;
  readonly kind: AttemptKind;
  readonly limit: Limit;
}

/** The call that an attempt is made for. */
export interface AttemptOwner {
  readonly clock: Clock;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** Calls made within the attempt inherit its limit as a deadline. */
  readonly inheritDeadline: boolean;
  /** Runs `fn` in the async context that the call was made in. */
  runInAsyncScope<This, Args extends unknown[]>(
    fn: (this: This, ...args: Args) => void,
    self: This,
    ...args: Args
  ): void;
  /** What it means that the attempt has settled so. May throw what the application's own judgement throws. */
  judge(settled: Settled, instance: Instance): AttemptEnd;
  /** The attempt has reached its limit, and is to be cut. */
  timeOut(attempt: Attempt): void;
  /** The attempt has ended, its lease too. */
  note(attempt: Attempt, end: AttemptEnd, nowMs: number): void;
  /** Frees what came too late. */
  discard(settled: Settled): void;
}

/**
 * One attempt under way: what its function is given, its limit, and its lease, which ends with it. One object, for each
 * call makes one. Its signal is made when first read: reading one costs more than all the rest of a call.
 */
export class Attempt implements AttemptContext, Settling {
  readonly instance: Instance;
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly #kind: AttemptKind;
  readonly #lease: Lease;
  /** The limit is all that the call has left. */
  readonly #isLast: boolean;
  readonly #owner: AttemptOwner;
  readonly #listener: EndListener;
  #timer: Timer;
  #isOver = false;
  /** It has succeeded, and lives on until {@link release}. */
  #isOpen = false;
  /** What was given to `hold`. */
  #held: Promise<Outcome> | undefined;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  /** Most have one. */
  #target: AbortTarget | undefined;
  #otherTargets: AbortTarget[] | undefined;

  constructor(
    { lease, number, kind, limit }: AttemptPlan,
    owner: AttemptOwner,
    listener: EndListener,
  ) {
    this.instance = lease.instance;
    this.attempt = number;
    this.timeoutMs = limit.ms;
    this.#kind = kind;
    this.#lease = lease;
    this.#isLast = limit.isDeadline;
    this.#owner = owner;
    this.#listener = listener;
    const onLimit = (): void => {
      owner.runInAsyncScope(this.#atLimit, this);
    };
    this.#timer = setLimit(owner.clock, limit.ms, onLimit, lease.startedAtMs);
  }

  /** @internal */
  get lease(): Lease {
    return this.#lease;
  }

  /** @internal */
  get kind(): AttemptKind {
    return this.#kind;
  }

  /** @internal */
  get limit(): Limit {
    return { ms: this.timeoutMs, isDeadline: this.#isLast };
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  // The context is made to be destructured, but few read all of it: what is bound is bound when it is read.
  get onAbort(): AttemptContext['onAbort'] {
    return (listener) => {
      this.abortsTo({ abort: listener });
    };
  }

  get hold(): AttemptContext['hold'] {
    return (until) => {
      this.#held = until;
      until.catch(() => undefined); // read only when the attempt succeeds
    };
  }

  get report(): AttemptContext['report'] {
    return (report) => {
      this.#lease.report(report);
    };
  }

  /** @internal */
  abortsTo(target: AbortTarget): void {
    if (this.#aborted !== undefined) target.abort(this.#aborted.reason);
    else if (this.#target === undefined) this.#target = target;
    else (this.#otherTargets ??= []).push(target);
  }

  /** Whether nothing of it has been sent, and nothing will be once it is cut. @internal */
  get isUnsent(): boolean {
    if (this.#target?.isUnsent === true) return true;
    return this.#otherTargets?.some(({ isUnsent }) => isUnsent === true) ?? false;
  }

  /** Has it sent. Once only. @internal */
  run(caller: Caller): void {
    const { inheritDeadline, clock } = this.#owner;
    try {
      if (inheritDeadline) {
        runWithin(this.timeoutMs, clock, () => {
          caller.send(this, this);
        });
      } else caller.send(this, this);
    } catch (error) {
      this.settle({ ok: false, error });
    }
  }

  /** Ends it before its function does; what the function makes of its signal is too late. @internal */
  cut(error: unknown, ended: AttemptEnding, verdict: Verdict = FINAL): void {
    if (this.#isOver) return;
    if (ended === 'lost') this.#lease.outrun();
    this.#finish({ settled: { ok: false, error }, verdict, ended, isDeliberate: false });
    this.#abort(error);
  }

  /** @internal */
  settle(settled: Settled, isOpen = false): void {
    this.#owner.runInAsyncScope(this.#settle, this, settled, isOpen);
  }

  /** @internal */
  release(outcome: Outcome): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#lease.endAt(undefined, outcome);
  }

  #abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    this.#target?.abort(reason);
    for (const target of this.#otherTargets ?? []) target.abort(reason);
  }

  #atLimit(): void {
    const { clock } = this.#owner;
    const timeOut = (): void => {
      this.#owner.timeOut(this);
    };
    if (!isLate(this.#lease.startedAtMs + this.timeoutMs, clock)) timeOut();
    else this.#timer = clock.setTimer(0, timeOut);
  }

  #settle(settled: Settled, isOpen: boolean): void {
    const owner = this.#owner;
    if (this.#isOver) {
      owner.discard(settled);
      return;
    }
    if (this.#isOwnLimit(settled)) {
      owner.timeOut(this);
      return;
    }
    this.#isOpen = isOpen;
    let end: AttemptEnd;
    try {
      end = owner.judge(settled, this.instance);
    } catch (error) {
      end = final(error, settled.ok ? 'returned' : 'threw'); // a broken `classify` is the application's fault
    }
    this.#finish(end);
  }

  /**
   * A call made within this one inherits its limit as a deadline, and may be the first to notice: whose timer is first
   * must not matter.
   */
  #isOwnLimit(settled: Settled): boolean {
    if (settled.ok || !isPastDeadline(settled.error)) return false;
    return this.#owner.clock.now() - this.#lease.startedAtMs >= this.timeoutMs - LATE_MS;
  }

  #finish(end: AttemptEnd): void {
    this.#isOver = true;
    this.#timer.cancel();
    const lease = this.#lease;
    const { outcome, retryAfterMs } = end.verdict;
    const nowMs = this.#owner.clock.now();
    let told = end;
    try {
      if (outcome !== 'success') {
        this.#isOpen = false;
        lease.endAt(nowMs, outcome, retryAfterMs);
      } else if (this.#isOpen) lease.answeredAt(nowMs);
      else if (this.#held === undefined) lease.endAt(nowMs, outcome);
      else this.#holdOpen(this.#held);
      this.#owner.note(this, end, nowMs);
    } catch (error) {
      // A load of the application's own threw. That must not leave the call unsettled.
      told = final(error, end.ended);
    }
    this.#listener.ended(told);
  }

  /** The function has returned, its body still streams: the instance stays busy and the caller can still cancel. */
  #holdOpen(held: Promise<Outcome>): void {
    const { signal } = this.#owner;
    const lease = this.#lease;
    const onAbort = (): void => {
      this.#abort(signal?.reason);
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
