import type { Turn } from './bulkhead.js';
import type { InFlightWatch, InstanceState } from './instance-state.js';
import type { ConcurrencyLimit } from './resilience/concurrency-limit.js';
import type { Clock, Outcome } from './types.js';
import { Waiters } from './waiters.js';

/** Bounds the attempts in flight at each instance of a set. */
export class InstanceLimits implements InFlightWatch {
  readonly #limits = new WeakMap<InstanceState, ConcurrencyLimit>();
  /** The records of the listed instances. Those that have left may share their ids with others. */
  #members: ReadonlySet<InstanceState> = new Set();
  readonly #full = new Set<string>();
  /** How many of those in flight were answered, and stay. */
  readonly #staying = new WeakMap<InstanceState, number>();
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
    this.#note(state);
  }

  answered(state: InstanceState, elapsedMs: number, nowMs: number): void {
    const inFlight = state.pending;
    const staying = this.#stayingAt(state) + 1;
    this.#staying.set(state, staying);
    this.#limitOf(state).record({ nowMs, elapsedMs, inFlight, outcome: 'success', staying });
    this.#giveRoom(state);
  }

  ended(
    state: InstanceState,
    elapsedMs: number | undefined,
    outcome: Outcome,
    nowMs: number,
  ): void {
    const staying = this.#stayingAt(state);
    if (elapsedMs === undefined) this.#staying.set(state, staying - 1);
    else if (outcome !== 'ignored') {
      const inFlight = state.pending + 1;
      this.#limitOf(state).record({ nowMs, elapsedMs, inFlight, outcome, staying });
    }
    this.#giveRoom(state);
  }

  /** The list has changed: these are its members now. */
  watch(states: readonly InstanceState[]): void {
    this.#members = new Set(states);
    this.#full.clear();
    for (const state of states) this.#note(state);
    this.tellWaiters();
  }

  /** What may be picked has changed otherwise: a breaker, a health check. */
  tellWaiters(): void {
    this.#waiters.tell();
  }

  /**
   * Resolves once `take` succeeds, which is asked whenever there may be room for it. Call it when it has just failed.
   *
   * @param take ought to succeed, too, when there is nothing left that is worth waiting for.
   */
  whenFree(take: () => boolean, turn: Turn): Promise<void> {
    if (this.#waiters.size >= this.queueSize) return Promise.reject(turn.onFull());
    return this.#waiters.wait({ ...turn, until: take });
  }

  /** Those who wait are turned away. */
  close(reason: Error): void {
    this.#waiters.close(reason);
  }

  #giveRoom(state: InstanceState): void {
    this.#note(state);
    if (!this.#members.has(state)) return;
    // Those ahead may have tried this one: whoever can use the room has it.
    this.#waiters.tellWhile(() => this.#hasRoom(state));
  }

  #note(state: InstanceState): void {
    if (!this.#members.has(state)) return;
    if (this.#hasRoom(state)) this.#full.delete(state.instance.id);
    else this.#full.add(state.instance.id);
  }

  #stayingAt(state: InstanceState): number {
    return this.#staying.get(state) ?? 0;
  }

  #hasRoom(state: InstanceState): boolean {
    return state.pending < this.limitOf(state);
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
