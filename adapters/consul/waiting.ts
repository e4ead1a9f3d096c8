import type { WatchContext } from '../../src/types.js';
import type { Pause } from './pace.js';

/**
 * What a watch waits in, a parked query or a pause, and what ends it before its time. Whoever has news pokes; whoever
 * waits then looks for itself whether its wait is over.
 */
export class Waiting {
  #look: (() => void) | undefined;

  constructor(private readonly context: Pick<WatchContext, 'clock' | 'signal'>) {}

  readonly poke = (): void => {
    this.#look?.();
  };

  /** Runs `end` at the first poke at which `isOver`. One wait at a time. */
  until(isOver: () => boolean, end: () => void): void {
    const look = (): void => {
      if (isOver()) end();
    };
    this.#look = look;
  }

  forget(): void {
    this.#look = undefined;
  }

  /** Waits `ms`, or until `isOver`, but not less than `atLeastMs`. Rejects on abort. */
  async rest({ ms, atLeastMs }: Pause, isOver: () => boolean): Promise<void> {
    const { clock, signal } = this.context;
    if (atLeastMs > 0) await clock.sleep(atLeastMs, signal);
    if (ms > atLeastMs && !isOver()) await this.#sleep(ms - atLeastMs, isOver);
  }

  #sleep(ms: number, isOver: () => boolean): Promise<void> {
    const { clock, signal } = this.context;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        timer.cancel();
        this.forget();
        signal.removeEventListener('abort', onAbort);
      };
      const end = (): void => {
        finish();
        resolve();
      };
      const onAbort = (): void => {
        finish();
        reject(signal.reason as Error);
      };
      const timer = clock.setTimer(ms, end);
      this.until(isOver, end);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }
}
