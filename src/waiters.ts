import type { Clock } from './types.js';

/** What is waited for, and when that is given up. */
export interface Patience {
  /** What is waited for; asked after every change. */
  readonly until: () => boolean;
  readonly deadlineMs: number;
  /** Makes the rejection at the deadline. */
  readonly error: () => Error;
  readonly signal?: AbortSignal | undefined;
}

/** Those who wait for something of an instance set. */
export class Waiters {
  readonly #waiting = new Set<() => void>();
  #closedBy: Error | undefined;

  constructor(private readonly clock: Clock) {}

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves once there is what `patience` waits for; keeps the process alive until then. */
  when(patience: Patience): Promise<void> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    const { until, signal, error, deadlineMs } = patience;
    if (until()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.#waiting.delete(onNews);
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onNews = (): void => {
        const closedBy = this.#closedBy;
        if (closedBy !== undefined) {
          end(() => {
            reject(closedBy);
          });
        } else if (until()) end(resolve);
      };
      const onAbort = (): void => {
        end(() => {
          reject(signal?.reason as Error);
        });
      };
      const timer = this.clock.setTimer(deadlineMs - this.clock.now(), () => {
        end(() => {
          reject(error());
        });
      });
      this.#waiting.add(onNews);
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** There are news: each looks whether they are what it waits for. */
  tell(): void {
    for (const waiting of [...this.#waiting]) waiting();
  }

  /** Rejects all who wait, and all who come. */
  close(reason: Error): void {
    this.#closedBy = reason;
    this.tell();
  }
}
