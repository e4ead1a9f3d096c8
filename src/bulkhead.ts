import type { ConcurrencyLimit } from './resilience/concurrency-limit.js';
import type { Clock } from './types.js';
import { type Patience, Waiters } from './waiters.js';

/** How a call waits for its turn. */
export type Turn = Omit<Patience, 'until'> & {
  /** Makes the rejection when as many wait as may. */
  readonly onFull: () => Error;
};

/** Lets in so many calls at a time; the others wait in line. */
export class Bulkhead {
  readonly #waiters: Waiters;
  #inside = 0;

  constructor(
    readonly limit: ConcurrencyLimit,
    private readonly queueSize: number,
    clock: Clock,
  ) {
    this.#waiters = new Waiters(clock);
  }

  get inside(): number {
    return this.#inside;
  }

  get queued(): number {
    return this.#waiters.size;
  }

  /** @returns `undefined` when it is in at once; else it resolves once it is. Whoever is in must leave. */
  enter(turn: Turn): Promise<void> | undefined {
    if (this.#waiters.size === 0 && this.#take()) return undefined;
    if (this.#waiters.size >= this.queueSize) return Promise.reject(turn.onFull());
    return this.#waiters.when({ ...turn, until: () => this.#take() });
  }

  leave(): void {
    this.#inside--;
    this.#waiters.tell();
  }

  /** Those who wait are turned away. */
  close(reason: Error): void {
    this.#waiters.close(reason);
  }

  #take(): boolean {
    if (this.#inside >= this.limit.limit) return false;
    this.#inside++;
    return true;
  }
}
