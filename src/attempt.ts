import { show } from './errors.js';
import type { Lease } from './lease.js';
import type { Instance, LoadReport, Outcome, Settled } from './types.js';

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
  /** Hands on what the instance says of its own load, as {@link Lease.report} does. */
  report(report: LoadReport): void;
}

export type CallFunction<T> = (context: AttemptContext) => Promise<T> | T;

/** An attempt under way. Its signal is made when first read: reading one costs more than all the rest of a call. */
export class Attempt implements AttemptContext {
  /** What was given to `hold`. */
  held: Promise<Outcome> | undefined;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  /** Most have one. */
  #onAbort: ((reason: unknown) => void) | undefined;
  #othersOnAbort: ((reason: unknown) => void)[] | undefined;

  readonly instance: Instance;

  constructor(
    private readonly lease: Lease,
    readonly attempt: number,
    readonly timeoutMs: number,
  ) {
    this.instance = lease.instance;
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
      if (this.#aborted !== undefined) listener(this.#aborted.reason);
      else if (this.#onAbort === undefined) this.#onAbort = listener;
      else (this.#othersOnAbort ??= []).push(listener);
    };
  }

  get hold(): AttemptContext['hold'] {
    return (until) => {
      this.held = until;
      until.catch(() => undefined); // read only when the attempt succeeds
    };
  }

  get report(): AttemptContext['report'] {
    return (report) => {
      this.lease.report(report);
    };
  }

  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    this.#onAbort?.(reason);
    for (const listener of this.#othersOnAbort ?? []) listener(reason);
  }
}

/** What a record says of an attempt that was no success: a code, a status, or else the message. */
export function describeSettled(settled: Settled): string | undefined {
  try {
    return settled.ok ? describeValue(settled.value) : describeError(settled.error);
  } catch {
    return 'an error that cannot be shown'; // thrown by the caller's own getters: no reason to lose the call
  }
}

function describeValue(value: unknown): string | undefined {
  const status = (value as { status?: unknown } | null | undefined)?.status;
  return typeof status === 'number' && status >= 400 ? `HTTP ${String(status)}` : undefined;
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return show(error);
  for (const { code } of [error, error.cause ?? {}] as { code?: unknown }[]) {
    if (typeof code === 'string') return code;
  }
  return error.message;
}
