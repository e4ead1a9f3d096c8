import type { Instance, LoadReport, Outcome } from './types.js';

/** What the function of a call is given, once per attempt. */
export interface AttemptContext {
  readonly instance: Instance;
  /** Number of this attempt within its call, from 1. */
  readonly attempt: number;
  /** Time this attempt has, in ms, as it begins: to be handed on to the instance, say. */
  readonly timeoutMs: number;
  /** Aborts when the attempt or the call times out, or the caller cancels. Costs nothing until it is read. */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` with the reason when `signal` would abort; at once where it has. For what is told of it by a
   * callback: making a signal costs more than all the rest of a call.
   */
  onAbort(listener: (reason: unknown) => void): void;
  /**
   * Keeps the attempt in flight after the function has returned, for a body that is still streaming: until
   * `until` settles, with the outcome it resolves to (`failure` when it rejects). The call itself is over: no
   * time limit and no retry apply any more, but the caller's signal still aborts `signal`. The attempt's latency is
   * the time until the function returned.
   */
  hold(until: Promise<Outcome>): void;
  /** Hands on what the instance says of its own load, as `report` of a lease does. */
  report(report: LoadReport): void;
}

export type CallFunction<T> = (context: AttemptContext) => Promise<T> | T;
