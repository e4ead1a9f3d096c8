import type { Clock } from '../../types.js';

/** Moves when a call takes its time. No timer ever fires: a picker has no end at which it could cancel one. */
export class SteppedClock implements Clock {
  #nowMs = 1_000;

  now(): number {
    return this.#nowMs;
  }

  step(ms: number): void {
    this.#nowMs += ms;
  }

  sleep(): Promise<void> {
    return new Promise(() => undefined);
  }

  setTimer(): { cancel(): void; unref(): void } {
    return { cancel: () => undefined, unref: () => undefined };
  }
}
