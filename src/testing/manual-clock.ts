import { sleepOn } from '../env.js';
import type { Clock, Timer } from '../types.js';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that moves only when told to. Timers run in order of time, then of setting. */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #timers = new Set<Pending>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** Timers not yet run or cancelled; 0 after a clean close. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const timer: Pending = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fn };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer), unref: () => undefined };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves time on by `ms`, running every timer that falls due and the promise reactions it causes. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.fn();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }

  #earliest(): Pending | undefined {
    let best: Pending | undefined;
    for (const timer of this.#timers) {
      const sooner =
        best === undefined ||
        timer.atMs < best.atMs ||
        (timer.atMs === best.atMs && timer.order < best.order);
      if (sooner) best = timer;
    }
    return best;
  }
}

/** Lets every promise reaction that is ready run: a macrotask comes after all of them. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
