import type { Clock, Timer } from '../types.js';
import type { DrainSettings } from './status-options.js';

/** Requests and upgraded connections that are open, and the wait for their end. */
export class OpenWork {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) for (const check of this.#waiting) check();
  }

  /**
   * Resolves when nothing is open and `minMs` are over since `sinceMs`, or after `timeoutMs`. Its timers keep the process
   * alive, for somebody waits.
   */
  idle({ minMs, timeoutMs, signal }: DrainSettings, sinceMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timers: Timer[] = [];
      const stop = (): void => {
        for (const timer of timers) timer.cancel();
        this.#waiting.delete(check);
        signal?.removeEventListener('abort', onAbort);
      };
      const finish = (): void => {
        stop();
        resolve();
      };
      const leftMs = sinceMs + minMs - this.#clock.now();
      let isOver = leftMs <= 0;
      const check = (): void => {
        if (this.#count === 0 && isOver) finish();
      };
      const onAbort = (): void => {
        stop();
        reject(signal?.reason as Error);
      };
      if (!isOver) {
        const onOver = (): void => {
          isOver = true; // whatever the clock says: timers may be early
          check();
        };
        timers.push(this.#clock.setTimer(leftMs, onOver));
      }
      timers.push(this.#clock.setTimer(timeoutMs, finish));
      this.#waiting.add(check);
      signal?.addEventListener('abort', onAbort, { once: true });
      check();
    });
  }
}
