import { readSnapshot } from './discovery.js';
import type { ErrorCode } from './errors.js';
import type { Events } from './events.js';
import { SlowStart } from './health/slow-start.js';
import { InstanceState, type StateDeps } from './instance-state.js';
import { RemovedStates } from './removed-states.js';
import { ShrinkGuard } from './shrink-guard.js';
import type { Candidate, DiscoveryAdapter, DiscoveryFault, Env, Instance } from './types.js';
import { type Patience, Waiters } from './waiters.js';
import { WatchLoop } from './watch-loop.js';

export interface InstanceSetOptions {
  readonly service: string;
  readonly discovery: DiscoveryAdapter;
  readonly shrinkGraceMs: number;
  readonly slowStartMs: number;
}

/** What the source last said: nothing yet, no such service, or a list. */
export type SetStatus = 'waiting' | 'not-found' | 'listed';

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

/** The source is not asked for fresh data more often than this. */
const WAKE_EVERY_MS = 1_000;

/** Our live view of one service: the last good list, and a record per instance that outlives any list. */
export class InstanceSet {
  #status: SetStatus = 'waiting';
  #version = 0;
  #structure = 0;
  #lastSnapshotAtMs: number | undefined;
  #lastFault: DiscoveryFault | undefined;
  /** The last fault, unless a snapshot came after it. */
  #standingFault: DiscoveryFault | undefined;
  #wokenAtMs = -Infinity;
  #list: ReadonlyMap<string, Instance> = new Map();
  /** In order of first appearance: a source that reorders its list changes nothing. */
  readonly #members = new Map<string, Member>();
  readonly #removed: RemovedStates;
  /** Told after every snapshot, and of what health checks find. */
  readonly #waiters: Waiters;
  /** Told the members after the list has changed. */
  onMembers: ((states: readonly InstanceState[]) => void) | undefined;
  /** Told when what may be picked can have changed otherwise. */
  onNews: (() => void) | undefined;
  readonly slowStart: SlowStart;
  readonly #guard: ShrinkGuard;
  readonly #loop: WatchLoop;

  constructor(
    private readonly options: InstanceSetOptions,
    private readonly env: Env,
    private readonly events: Events,
    private readonly stateDeps: StateDeps,
  ) {
    const { service, discovery, shrinkGraceMs } = options;
    this.slowStart = new SlowStart(options.slowStartMs);
    this.#waiters = new Waiters(env.clock);
    this.#removed = new RemovedStates(env.clock);
    const onFault = (fault: DiscoveryFault): void => {
      this.#lastFault = fault;
      this.#standingFault = fault;
      this.events.emit('discovery.fault', { service, adapter: discovery.name, ...fault });
    };
    this.#guard = new ShrinkGuard(shrinkGraceMs, env.clock, {
      onHeld: (kept, reported) => {
        const reason = `the list shrank from ${String(kept)} to ${String(reported)}`;
        events.emit('instances.held', { service, kept, reported, graceMs: shrinkGraceMs, reason });
      },
      confirm: () => {
        this.#loop.restart();
      },
    });
    this.#loop = new WatchLoop(discovery, service, env, {
      onSnapshot: (snapshot) => {
        this.#receive(readSnapshot(snapshot, onFault));
      },
      onFault,
      onConfirm: () => undefined,
    });
    this.#loop.start();
  }

  /** Grows whenever what may be picked can have changed. */
  get version(): number {
    return this.#version;
  }

  /** Grows whenever more than breakers can have changed: the list, or what stages read of health, roles, zones. */
  get structure(): number {
    return this.#structure;
  }

  get status(): SetStatus {
    return this.#status;
  }

  get lastSnapshotAtMs(): number | undefined {
    return this.#lastSnapshotAtMs;
  }

  get lastFault(): DiscoveryFault | undefined {
    return this.#lastFault;
  }

  /** Why there is nothing newer than the last snapshot, for errors to name as their cause. */
  get trouble(): unknown {
    return this.#standingFault?.cause ?? this.#standingFault?.message;
  }

  /** The same in words, to be added to a message; empty when there is none. */
  get troubleText(): string {
    return this.#standingFault === undefined ? '' : ` (${this.#standingFault.message})`;
  }

  /** True while a list that emptied or shrank too far is doubted. */
  get holding(): boolean {
    return this.#guard.holding;
  }

  get size(): number {
    return this.#members.size;
  }

  /** True once the source has said anything. */
  readonly isAnswered = (): boolean => this.#status !== 'waiting';

  /** True while this is the record of a listed instance. */
  has(state: InstanceState): boolean {
    return this.#members.get(state.instance.id)?.state === state;
  }

  members(): readonly Member[] {
    return [...this.#members.values()];
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
    if (this.#takesCalls(state)) return;
    const { id, url } = state.instance;
    this.events.emit('instance.drained', { service: this.options.service, instanceId: id, url });
  }

  /** Asks the source for fresh data, at most once a second. */
  wantFresh(nowMs: number): void {
    if (nowMs - this.#wokenAtMs < WAKE_EVERY_MS) return;
    this.#wokenAtMs = nowMs;
    this.#loop.wake();
  }

  /** Resolves once there is what `patience` waits for; keeps the process alive until then. */
  whenListed(patience: Patience): Promise<void> {
    return this.#waiters.when(patience);
  }

  /** Stops watching. Members stay usable, so that calls in flight can end. */
  close(reason: Error): void {
    this.#loop.close(reason);
    this.#guard.close();
    this.#waiters.close(reason);
  }

  /** Frees every breaker. May not be used afterwards. */
  shutdown(): void {
    for (const { state } of this.#members.values()) state.shutdown();
    this.#removed.shutdown();
  }

  #receive(read: ReadonlyMap<string, Instance> | 'not-found'): void {
    this.#lastSnapshotAtMs = this.env.clock.now();
    this.#standingFault = undefined;
    this.#list = this.#guard.believe(this.#list, read === 'not-found' ? new Map() : read);
    this.#status = read === 'not-found' && this.#list.size === 0 ? 'not-found' : 'listed';
    this.#applyList();
    this.tellWaiters();
  }

  /** Brings the members in line with the list, by difference: what has not changed is not touched. */
  #applyList(): void {
    const before = this.members();
    const removed = [...this.#members.keys()].filter((id) => !this.#list.has(id));
    for (const id of removed) this.#remove(id);
    const joinsOthers = this.#hasTakers();
    const added: string[] = [];
    const updated: string[] = [];
    for (const [id, instance] of this.#list) {
      const member = this.#members.get(id);
      if (member !== undefined && isSame(member.instance, instance)) continue;
      (member === undefined ? added : updated).push(id);
      if (member !== undefined && member.instance.url !== instance.url) this.#remove(id);
      const known = this.#members.get(id)?.state;
      const state =
        known ?? this.#removed.recall(instance) ?? new InstanceState(instance, this.stateDeps);
      const tookCalls = known !== undefined && known.instance.weight > 0;
      state.instance = instance;
      this.#members.set(id, { instance, state });
      if (instance.weight > 0 && !tookCalls && joinsOthers) {
        this.slowStart.begin(state, this.env.clock.now());
      }
    }
    this.#removed.forgetOld();
    if (added.length + updated.length + removed.length === 0) return;
    this.#structure++;
    this.#version++;
    const stopped = this.#stopped(before);
    for (const state of stopped) this.slowStart.forget(state);
    const { service } = this.options;
    this.events.emit('instances.changed', { service, size: this.size, added, removed, updated });
    this.onMembers?.([...this.#members.values()].map(({ state }) => state));
    // Last: whoever listens sees the set as it is now.
    for (const state of stopped) if (state.pending === 0) this.noteIdle(state);
  }

  /** Those that join others start slowly. A first list, or one that replaces all, has to carry everything at once. */
  #hasTakers(): boolean {
    for (const { instance } of this.#members.values()) if (instance.weight > 0) return true;
    return false;
  }

  #remove(id: string): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    this.#members.delete(id);
    this.#removed.remember(member);
  }

  /** Those that took calls, and take none any more. */
  #stopped(before: readonly Member[]): readonly InstanceState[] {
    return before
      .filter(({ instance }) => instance.weight > 0)
      .map(({ state }) => state)
      .filter((state) => !this.#takesCalls(state));
  }

  #takesCalls(state: InstanceState): boolean {
    return state.instance.weight > 0 && this.has(state);
  }
}

/** Same in every field that matters to a pick or a caller. The id is equal already. */
function isSame(a: Instance, b: Instance): boolean {
  return (
    a.url === b.url &&
    a.weight === b.weight &&
    a.priority === b.priority &&
    a.locality.region === b.locality.region &&
    a.locality.zone === b.locality.zone &&
    a.tags.length === b.tags.length &&
    a.tags.every((tag, i) => tag === b.tags[i]) &&
    sameEntries(a.metadata, b.metadata)
  );
}

function sameEntries(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
