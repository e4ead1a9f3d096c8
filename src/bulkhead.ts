import type { InFlightWatch, InstanceState } from './instance-state.js';
import type { ConcurrencyLimit } from './resilience/concurrency-limit.js';
import type { LimitSample } from './resilience/sample-window.js';
import type { Clock, Outcome } from './types.js';
import { type Patience, Waiters } from './waiters.js';

/** How a call waits for its turn. */
export type Turn = Omit<Patience, 'until'> & {
  /** Makes the rejection when as many wait as may. */
  readonly onFull: () => Error;
};

/** Lets in so many calls at a time; the others wait in line, within their deadlines. */
export class Bulkhead implements InFlightWatch {
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

  /**
   * @returns `undefined` when it is in at once; else it resolves once it is, and rejects when it never will be. Whoever is
   * in must leave.
   */
  enter(turn: Turn): Promise<void> | undefined {
    if (this.#take()) return undefined; // nobody waits while there is room
    if (this.#waiters.size >= this.queueSize) return Promise.reject(turn.onFull());
    return this.#waiters.wait({ ...turn, until: this.#take });
  }

  leave(): void {
    this.#inside--;
    this.#letIn();
  }

  began(): void {
    // Calls are counted here, whatever their attempts.
  }

  /** From attempts the limit learns. */
  answered(_state: InstanceState, elapsedMs: number, nowMs: number): void {
    this.#learn(elapsedMs, 'success', nowMs);
  }

  ended(
    _state: InstanceState,
    elapsedMs: number | undefined,
    outcome: Outcome,
    nowMs: number,
  ): void {
    if (elapsedMs !== undefined && outcome !== 'ignored') this.#learn(elapsedMs, outcome, nowMs);
  }

  /** Those who wait are turned away. */
  close(reason: Error): void {
    this.#waiters.close(reason);
  }

  #learn(elapsedMs: number, outcome: LimitSample['outcome'], nowMs: number): void {
    this.limit.record({ nowMs, elapsedMs, inFlight: this.#inside, outcome });
    this.#letIn();
  }

  /** As many as there is room for: the limit may have grown. */
  #letIn(): void {
    this.#waiters.tellWhile(this.#hasRoom);
  }

  readonly #hasRoom = (): boolean => this.#inside < this.limit.limit;

  readonly #take = (): boolean => {
    if (!this.#hasRoom()) return false;
    this.#inside++;
    return true;
  };
}
