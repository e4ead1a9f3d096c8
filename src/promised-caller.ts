import type { AttemptContext, CallFunction } from './attempt-context.js';
import type { Caller, Settling } from './caller.js';
import type { Settled } from './types.js';

/** The caller of `client.call`: a function that returns a promise, and a promise for what comes of it. */
export class PromisedCaller<T> implements Caller {
  constructor(
    private readonly fn: CallFunction<T>,
    private readonly resolve: (value: T) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  send(attempt: AttemptContext, settling: Settling): void {
    Promise.resolve(this.fn(attempt)).then(
      (value) => {
        settling.settle({ ok: true, value });
      },
      (error: unknown) => {
        settling.settle({ ok: false, error });
      },
    );
  }

  end(settled: Settled): void {
    if (settled.ok) this.resolve(settled.value as T);
    else this.reject(settled.error);
  }
}
