import type { AttemptContext, CallFunction } from './attempt-context.js';
import type { Caller, Settling } from './caller.js';
import type { Settled } from './types.js';

/** The caller of `client.call`: a function that returns a promise, and a promise for what comes of it. */
export class PromisedCaller<T> implements Caller {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(private readonly fn: CallFunction<T>) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Never throws. */
  send(attempt: AttemptContext, settling: Settling): void {
    let returned: Promise<T> | T;
    try {
      returned = this.fn(attempt);
    } catch (error) {
      settling.settle({ ok: false, error });
      return;
    }
    Promise.resolve(returned).then(
      (value) => {
        settling.settle({ ok: true, value });
      },
      (error: unknown) => {
        settling.settle({ ok: false, error });
      },
    );
  }

  end(settled: Settled): void {
    if (settled.ok) this.#resolve(settled.value as T);
    else this.#reject(settled.error);
  }
}
