import type { Attempt } from './attempt.js';
import type { AttemptEnd } from './attempt-end.js';
import { describeSettled } from './describe-settled.js';
import {
  type CallStory,
  FairleadError,
  isFairleadError,
  tellBudgetExhausted,
  tellStory,
} from './errors.js';
import { surface } from './emitter.js';
import type { Events } from './events.js';
import type { AttemptRecord } from './types.js';

function byNumber(a: AttemptRecord, b: AttemptRecord): number {
  return a.attempt - b.attempt;
}

/** What one call has to tell of its attempts. */
export class CallRecords implements CallStory {
  /** Grows: an error made before the last attempt has ended tells of that, too. */
  readonly attempts: AttemptRecord[] = [];
  budgetExhausted = false;
  /** What the last attempt that failed failed with. */
  lastError: unknown;

  constructor(
    private readonly events: Events,
    private readonly service: string,
    private readonly onAttempt: ((attempt: AttemptRecord) => void) | undefined,
  ) {}

  add(
    { attempt, kind, lease }: Attempt,
    { settled, verdict, ended }: AttemptEnd,
    nowMs: number,
  ): void {
    const { outcome } = verdict;
    const isSuccess = outcome === 'success';
    const isHeard = this.onAttempt !== undefined || this.events.hears('attempt.ended');
    if (isSuccess && verdict.retry === 'never' && !isHeard) return;
    if (!isSuccess && !settled.ok) this.lastError = settled.error;
    const record: AttemptRecord = {
      attempt,
      kind,
      instanceId: lease.instance.id,
      durationMs: nowMs - lease.startedAtMs,
      outcome,
      ended,
      error: describeSettled(settled),
    };
    this.attempts.push(record);
    // A hedge may end before the attempt that it was sent beside.
    if (kind === 'first' && attempt < this.attempts.length) this.attempts.sort(byNumber);
    if (!isHeard) return;
    this.events.emit('attempt.ended', { service: this.service, ...record });
    try {
      this.onAttempt?.(record);
    } catch (error) {
      surface(error);
    }
  }

  /** The budget has refused a retry after so many attempts. */
  noteRefused(attempts: number): void {
    this.budgetExhausted = true;
    this.events.emit('retry.refused', { service: this.service, attempts });
  }

  /** The error as the caller gets it: their own, with the call's story in `fairlead`. */
  tell(error: unknown, isReason: boolean): unknown {
    if (isReason) return error;
    if (error instanceof FairleadError) {
      // Not that of a call made within this one: it has a story of its own.
      if (this.budgetExhausted && error.attempts === this.attempts) tellBudgetExhausted(error);
    } else if (error instanceof Error && Object.isExtensible(error) && !isFairleadError(error)) {
      tellStory(error, this);
    }
    return error;
  }
}
