import { sleepOn } from '../../src/env.js';
import type { Clock, Timer } from '../../src/types.js';

interface Pending {
  readonly atMs: number;
  readonly fn: () => void;
}

/** A clock that runs one timer when told to, and none of the promise reactions it causes: those are the test's to count. */
export class SteppingClock implements Clock {
  #nowMs = 0;
  /** In order of setting. */
  readonly #timers = new Set<Pending>();

  now(): number {
    return this.#nowMs;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), fn };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer), unref: () => undefined };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves time on to the timer that is due first, and runs it. Throws when there is none. */
  step(): void {
    const [first, ...others] = this.#timers;
    if (first === undefined) throw new Error('no timer is pending');
    const next = others.reduce((best, timer) => (timer.atMs < best.atMs ? timer : best), first);
    this.#timers.delete(next);
    this.#nowMs = next.atMs;
    next.fn();
  }
}
