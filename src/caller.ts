/** Who makes a call, in callbacks: where a promise for each step would cost more than the call. */
import type { AttemptContext } from './attempt-context.js';
import type { Outcome, Settled } from './types.js';

/** What is to end with an attempt. */
export interface AbortTarget {
  /** The attempt's signal would abort, with this reason. */
  abort(reason: unknown): void;
  /** True where nothing has been sent so far, and nothing will be after {@link abort}. */
  readonly isUnsent?: boolean;
}

/** What a sender says of an attempt. */
export interface Settling {
  /** Tells `target` when the attempt's signal would abort; at once where it has. */
  abortsTo(target: AbortTarget): void;
  /**
   * It was answered, or has failed. Once only. May be called in another async context than the call's, such as that of a
   * socket.
   *
   * @param isOpen what was answered goes on, until {@link release}; the latency is the time until now.
   */
  settle(settled: Settled, isOpen?: boolean): void;
  /** What was left open is over. Does nothing where it was no success: that has ended. */
  release(outcome: Outcome): void;
}

/** It sends each attempt, and is told what came of the call. */
export interface Caller {
  /** Begins an attempt, and says by `settling` how it has settled; or throws what it failed with. */
  send(attempt: AttemptContext, settling: Settling): void;
  /** The call is over. What it throws becomes uncaught. */
  end(settled: Settled): void;
}
