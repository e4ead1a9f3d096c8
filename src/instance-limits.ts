import type { InFlightWatch, InstanceState } from './instance-state.js';
import type { ConcurrencyLimit } from './resilience/concurrency-limit.js';
import type { Clock, Outcome } from './types.js';
import type { Turn } from './bulkhead.js';
import { Waiters } from './waiters.js';

/** Bounds the attempts in flight at each instance of a set. */
export class InstanceLimits implements InFlightWatch {
  readonly #limits = new WeakMap<InstanceState, ConcurrencyLimit>();
  readonly #full = new Set<string>();
  readonly #waiters: Waiters;

  constructor(
    private readonly createLimit: () => ConcurrencyLimit,
    private readonly queueSize: number,
    clock: Clock,
  ) {
    this.#waiters = new Waiters(clock);
  }

  /** Ids of the instances that can take no more now. */
  get full(): ReadonlySet<string> {
    return this.#full;
  }

  get queued(): number {
    return this.#waiters.size;
  }

  limitOf(state: InstanceState): number {
    return this.#limitOf(state).limit;
  }

  began(state: InstanceState): void {
    if (state.pending >= this.limitOf(state)) this.#full.add(state.instance.id);
  }

  ended(state: InstanceState, elapsedMs: number, outcome: Outcome, nowMs: number): void {
    void [elapsedMs, outcome, nowMs];
    if (state.pending >= this.limitOf(state)) return;
    this.#full.delete(state.instance.id);
    this.#waiters.tell();
  }

  /** The list has changed: these are its members now. */
  watch(states: readonly InstanceState[]): void {
    void states;
    this.#waiters.tell();
  }

  /** Waits until `take` succeeds; asked whenever an instance may have room. */
  whenFree(take: () => boolean, turn: Turn): Promise<void> {
    if (this.#waiters.size >= this.queueSize) return Promise.reject(turn.onFull());
    return this.#waiters.when({ ...turn, until: take });
  }

  /** Those who wait are turned away. */
  close(reason: Error): void {
    this.#waiters.close(reason);
  }

  #limitOf(state: InstanceState): ConcurrencyLimit {
    let limit = this.#limits.get(state);
    if (limit === undefined) {
      limit = this.createLimit();
      this.#limits.set(state, limit);
    }
    return limit;
  }
}
