import { BelievedList, type BelievedListOptions, type SetStatus } from './believed-list.js';
import type { DiscoveryStatus } from './discovery-status.js';
import type { ErrorCode } from './errors.js';
import type { Events } from './events.js';
import { SlowStart } from './health/slow-start.js';
import { InstanceState, type StateDeps } from './instance-state.js';
import { RemovedStates } from './removed-states.js';
import { saysTheSame } from './same-instance.js';
import type { InstanceList } from './shrink-guard.js';
import type { Candidate, Env, Instance } from './types.js';
import { type Patience, Waiters } from './waiters.js';

export interface InstanceSetOptions extends BelievedListOptions {
  readonly slowStartMs: number;
}

/** What it means, by the source's last word, that there is nothing to pick: an error's code, and its text. */
export const NOTHING_TO_PICK = {
  waiting: ['ERR_FAIRLEAD_NOT_READY', 'the source has not answered yet'],
  'not-found': ['ERR_FAIRLEAD_SERVICE_NOT_FOUND', 'the source knows no such service'],
  listed: ['ERR_FAIRLEAD_NO_INSTANCES', 'no instance takes calls'],
} as const satisfies Record<SetStatus, readonly [ErrorCode, string]>;

/** A member of the set: a candidate whose state is the set's own. */
export interface Member extends Candidate {
  readonly state: InstanceState;
}

/** What a list has changed. */
interface Difference {
  /** Ids. */
  readonly added: string[];
  readonly removed: string[];
  readonly updated: string[];
  /** Those that took calls, and take none any more. */
  readonly stopped: InstanceState[];
}

/** The source is not asked for fresh data more often than this. */
const WAKE_EVERY_MS = 1_000;

/** Our live view of one service: the list believed, and a record per instance that outlives any list. */
export class InstanceSet {
  #version = 0;
  #structure = 0;
  #wokenAtMs = -Infinity;
  /** In order of first appearance: a source that reorders its list changes nothing. */
  readonly #members = new Map<string, InstanceState>();
  /** The same as a list, made when first asked for. */
  #listed: readonly InstanceState[] | undefined;
  /** What the members are in line with. */
  #applied: InstanceList | undefined;
  readonly #removed: RemovedStates;
  /** Told after every snapshot, and of what health checks find. */
  readonly #waiters: Waiters;
  /** Told the members after the list has changed. */
  onMembers: ((states: readonly InstanceState[]) => void) | undefined;
  /** Told when what may be picked can have changed otherwise. */
  onNews: (() => void) | undefined;
  readonly slowStart: SlowStart;
  readonly #source: BelievedList;

  constructor(
    private readonly options: InstanceSetOptions,
    private readonly env: Env,
    private readonly events: Events,
    private readonly stateDeps: StateDeps,
  ) {
    this.slowStart = new SlowStart(options.slowStartMs);
    this.#waiters = new Waiters(env.clock);
    this.#removed = new RemovedStates(env.clock);
    this.#source = new BelievedList(options, env, events, (list, startsAnew) => {
      const isChanged = this.#apply(list, startsAnew);
      this.tellWaiters();
      return isChanged;
    });
  }

  /** Grows whenever what may be picked can have changed. */
  get version(): number {
    return this.#version;
  }

  /** Grows whenever more than breakers can have changed: the list, or what stages read of health, roles, zones. */
  get structure(): number {
    return this.#structure;
  }

  /** What the source last said, or an earlier run of it. */
  get status(): SetStatus {
    return this.#source.status;
  }

  /** Why there is nothing newer than the last list, for errors to name as their cause. */
  get trouble(): unknown {
    return this.#source.trouble;
  }

  /** The same in words, to be added to a message; empty when there is none. */
  get troubleText(): string {
    return this.#source.troubleText;
  }

  /** What is known of the source. */
  describeSource(): DiscoveryStatus {
    return this.#source.describe(this.size);
  }

  get size(): number {
    return this.#members.size;
  }

  /** True once there is something to go by. */
  readonly isAnswered = (): boolean => this.status !== 'waiting';

  /** True while this is the record of a listed instance. */
  has(state: InstanceState): boolean {
    return this.#members.get(state.instance.id) === state;
  }

  members(): readonly InstanceState[] {
    return (this.#listed ??= [...this.#members.values()]);
  }

  /** Instances that left the list with attempts still in flight. */
  leaving(): readonly InstanceState[] {
    return this.#removed.leaving();
  }

  /** Something a stage reads has changed (a role, a zone): cached candidate lists are out of date. */
  invalidate(): void {
    this.#structure++;
    this.#version++;
    this.tellWaiters();
  }

  /** A breaker has changed. There may be many of those: a big set need not be looked through for each at once. */
  noteBreaker(): void {
    this.#version++;
    this.onNews?.();
  }

  /** Something was found out that {@link whenListed} may be waiting for. */
  tellWaiters(): void {
    this.#waiters.tell();
    this.onNews?.();
  }

  /** The last attempt in flight at an instance has ended. */
  noteIdle(state: InstanceState): void {
    if (state.takesCalls) return;
    const { id, url } = state.instance;
    this.events.emit('instance.drained', { service: this.options.service, instanceId: id, url });
  }

  /** Asks the source for fresh data, at most once a second. */
  wantFresh(nowMs: number): void {
    if (nowMs - this.#wokenAtMs < WAKE_EVERY_MS) return;
    this.#wokenAtMs = nowMs;
    this.#source.wake();
  }

  /** Resolves once there is what `patience` waits for; keeps the process alive until then. */
  whenListed(patience: Patience): Promise<void> {
    return this.#waiters.when(patience);
  }

  /** Stops watching. Members stay usable, so that calls in flight can end. Resolves when the list is saved, too. */
  close(reason: Error): Promise<void> {
    const saved = this.#source.close(reason);
    this.#waiters.close(reason);
    return saved;
  }

  /** Frees every breaker. May not be used afterwards. */
  shutdown(): void {
    for (const state of this.#members.values()) state.shutdown();
    this.#removed.shutdown();
  }

  /**
   * Brings the members in line with the list, by difference: what has not changed is not touched.
   *
   * @returns whether anything has.
   */
  #apply(list: InstanceList, startsAnew: boolean): boolean {
    const { added, removed, updated, stopped } = this.#differ(list, startsAnew);
    this.#removed.forgetOld();
    if (added.length + updated.length + removed.length === 0) return false;
    this.#listed = undefined;
    this.#structure++;
    this.#version++;
    for (const state of stopped) this.slowStart.forget(state);
    const { service } = this.options;
    this.events.emit('instances.changed', { service, size: this.size, added, removed, updated });
    this.onMembers?.(this.members());
    // Last: whoever listens sees the set as it is now.
    for (const state of stopped) if (state.pending === 0) this.noteIdle(state);
    return true;
  }

  #differ(list: InstanceList, startsAnew: boolean): Difference {
    const difference: Difference = { added: [], removed: [], updated: [], stopped: [] };
    if (list === this.#applied) return difference;
    this.#applied = list;
    const { added, removed, updated, stopped } = difference;
    for (const state of this.members()) {
      const { id, weight } = state.instance;
      if (list.has(id)) continue;
      removed.push(id);
      if (weight > 0) stopped.push(state);
      this.#remove(state);
    }
    const joinsOthers = !startsAnew && this.#hasTakers();
    for (const [id, instance] of list) {
      const before = this.#members.get(id);
      if (before !== undefined && saysTheSame(instance, before.instance)) continue;
      (before === undefined ? added : updated).push(id);
      const tookCalls = before !== undefined && before.instance.weight > 0;
      const state = this.#stateFor(instance, before);
      if (tookCalls && (state !== before || instance.weight === 0)) stopped.push(before);
      state.instance = instance;
      state.takesCalls = instance.weight > 0;
      this.#members.set(id, state);
      const isNew = state !== before || !tookCalls;
      if (instance.weight > 0 && isNew && joinsOthers) {
        this.slowStart.begin(state, this.env.clock.now());
      }
    }
    return difference;
  }

  /** The record of the process at that address, if there was one. */
  #stateFor(instance: Instance, before: InstanceState | undefined): InstanceState {
    if (before?.instance.url === instance.url) return before;
    if (before !== undefined) this.#remove(before);
    return this.#removed.recall(instance) ?? new InstanceState(instance, this.stateDeps);
  }

  /** Those that join others start slowly. A first list, or one that replaces all, has to carry everything at once. */
  #hasTakers(): boolean {
    for (const { instance } of this.#members.values()) if (instance.weight > 0) return true;
    return false;
  }

  #remove(state: InstanceState): void {
    this.#members.delete(state.instance.id);
    state.takesCalls = false;
    this.#removed.remember(state);
  }
}
