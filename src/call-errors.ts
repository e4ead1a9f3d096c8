import type { CallRecords } from './call-records.js';
import { type ErrorCode, FairleadError } from './errors.js';
import type { Events } from './events.js';
import type { InstanceSet } from './instance-set.js';
import type { ResolvedOptions } from './options.js';
import type { Deadline } from './resilience/deadline.js';
import type { Selection } from './selection.js';

/** What the errors of a call are made of. */
export interface ErrorSources {
  readonly options: ResolvedOptions;
  readonly set: InstanceSet;
  readonly selection: Selection;
  readonly events: Events;
}

/** The errors a call of ours can end with, in words. */
export class CallErrors {
  constructor(
    private readonly sources: ErrorSources,
    private readonly deadline: Deadline,
    private readonly records: CallRecords,
  ) {}

  attemptTimeout(instanceId: string, limitMs: number): FairleadError {
    return this.#error(
      'ERR_FAIRLEAD_ATTEMPT_TIMEOUT',
      `instance ${instanceId} gave no answer within attemptTimeoutMs ${String(Math.round(limitMs))}`,
    );
  }

  pastDeadline(attempts: number): FairleadError {
    const { timeoutMs, isInherited } = this.deadline;
    const limit = isInherited
      ? `the ${String(Math.max(0, Math.round(timeoutMs)))} ms that the call around it left`
      : `timeoutMs ${String(timeoutMs)}`;
    return this.#error(
      'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
      `no answer within ${limit}, in ${String(attempts)} attempt(s)`,
    );
  }

  noInstances(): FairleadError {
    return this.#error(...this.sources.selection.nothing());
  }

  notReady(): FairleadError {
    const { set, selection } = this.sources;
    return this.#error(
      'ERR_FAIRLEAD_NOT_READY',
      set.isAnswered()
        ? `${selection.nothing()[1]}, as far as was found out within the deadline`
        : 'no list of instances within the deadline',
    );
  }

  /** Tells of it as an event, too. */
  queueFull(): FairleadError {
    const { service, maxConcurrency } = this.sources.options;
    const queued = maxConcurrency?.queueSize ?? 0;
    this.sources.events.emit('call.rejected', { service, queued });
    return this.#error(
      'ERR_FAIRLEAD_CONCURRENCY_LIMIT',
      `as much is under way as maxConcurrency allows, and ${String(queued)} call(s) wait already`,
    );
  }

  #error(code: ErrorCode, what: string): FairleadError {
    const { options, set } = this.sources;
    return new FairleadError(code, `Service "${options.service}": ${what}${set.troubleText}.`, {
      cause: this.records.lastError ?? set.trouble,
      attempts: this.records.attempts,
    });
  }
}
