import { readCaveat, readCaveats, readSnapshot } from './discovery.js';
import type { DiscoveryStatus } from './discovery-status.js';
import { backgroundClock, wallClockOf } from './env.js';
import type { Events } from './events.js';
import { type RestoredList, SavedList } from './saved-list.js';
import type { ResolvedSavedList } from './saved-list-options.js';
import { countTaking, type InstanceList, ShrinkGuard } from './shrink-guard.js';
import { SourceTracker } from './source-tracker.js';
import type {
  DiscoveryAdapter,
  DiscoveryFault,
  Env,
  SnapshotCaveats,
  SourceStanding,
  Timer,
} from './types.js';
import { WatchLoop } from './watch-loop.js';

export interface BelievedListOptions {
  readonly service: string;
  readonly discovery: DiscoveryAdapter;
  readonly shrinkGraceMs: number;
  readonly savedList?: ResolvedSavedList | undefined;
}

/** What the source last said: nothing yet, no such service, or a list. */
export type SetStatus = 'waiting' | 'not-found' | 'listed';

/**
 * Puts a list to use. `startsAnew`: what was known before was nothing, or of an earlier run.
 *
 * @returns whether it differs from the one before.
 */
export type UseList = (list: InstanceList, startsAnew: boolean) => boolean;

const NOBODY: InstanceList = new Map();

/**
 * The list of instances as far as the source is believed: its last good one, with what is kept in doubt; or, until it
 * has given one, that of an earlier run.
 */
export class BelievedList {
  #status: SetStatus = 'waiting';
  #list: InstanceList = NOBODY;
  #listedAtMs: number | undefined;
  /** While the list, or what is kept of it, is of an earlier run. */
  #restored: RestoredList | undefined;
  /** Why there is nothing newer or better than the last snapshot. */
  #trouble: Pick<DiscoveryFault, 'message' | 'cause'> | undefined;
  #caveats: SnapshotCaveats = {};
  readonly #guard: ShrinkGuard;
  readonly #tracker: SourceTracker;
  readonly #loop: WatchLoop;
  readonly #saved: SavedList | undefined;
  /** Until the source has had its time to answer. */
  #patience: Timer | undefined;
  /** What becomes of the list of an earlier run: the source has time, it is being read, it is used or never will be. */
  #coldStart: 'waiting' | 'reading' | 'over' = 'waiting';

  constructor(
    private readonly options: BelievedListOptions,
    private readonly env: Env,
    private readonly events: Events,
    private readonly use: UseList,
  ) {
    const { service, discovery, shrinkGraceMs, savedList } = options;
    const owner = { service, adapter: discovery.name };
    this.#tracker = new SourceTracker(owner, env.clock, events);
    this.#guard = new ShrinkGuard(shrinkGraceMs, env.clock, {
      onHeld: (held) => {
        events.emit('instances.held', { service, ...held });
      },
      confirm: () => {
        this.#loop.restart();
      },
    });
    this.#loop = new WatchLoop(discovery, service, env, {
      onSnapshot: (snapshot) => {
        this.#receive(readSnapshot(snapshot, this.#onFault, this.#list), readCaveats(snapshot));
      },
      onFault: this.#onFault,
      onConfirm: (standing) => {
        this.#confirm(standing);
      },
    });
    if (savedList !== undefined) {
      this.#saved = new SavedList(owner, savedList, env, (fault) => {
        events.emit('discovery.fault', { service, adapter: 'saved-list', ...fault });
      });
      this.#patience = backgroundClock(env.clock).setTimer(savedList.afterMs, () => {
        void this.#restore();
      });
    }
    this.#loop.start();
  }

  get status(): SetStatus {
    return this.#status;
  }

  /** Why there is nothing newer than the last snapshot, or nothing better, for errors to name as their cause. */
  get trouble(): unknown {
    return this.#trouble?.cause ?? this.#trouble?.message;
  }

  /** The same in words, to be added to a message; empty when there is none. */
  get troubleText(): string {
    return this.#trouble === undefined ? '' : ` (${this.#trouble.message})`;
  }

  describe(size: number): DiscoveryStatus {
    const { heldFor } = this.#guard;
    return {
      ...this.#tracker.describe(),
      ageMs: this.#ageMs(),
      restored: this.#restored !== undefined,
      size,
      holding: heldFor !== undefined,
      heldFor,
      incomplete: this.#caveats.incomplete,
    };
  }

  /** Fresh data is wanted. */
  wake(): void {
    this.#loop.wake();
  }

  /** Stops watching. Resolves when the list is saved, too. */
  close(reason: Error): Promise<void> {
    this.#endPatience('over');
    this.#loop.close(reason);
    this.#guard.close();
    return this.#saved?.close() ?? Promise.resolve();
  }

  readonly #onFault = (fault: DiscoveryFault): void => {
    this.#trouble = fault;
    this.#tracker.failed(fault);
    this.#restoreIfFailed();
  };

  #receive(read: InstanceList | 'not-found', caveats: SnapshotCaveats): void {
    const reported = read === 'not-found' ? NOBODY : read;
    const { stale, incomplete } = caveats;
    const startsAnew = this.#listedAtMs === undefined || this.#restored !== undefined;
    this.#endPatience('over');
    this.#listedAtMs = this.env.clock.now();
    this.#caveats = caveats;
    this.#trouble = inTrouble(stale ?? incomplete);
    this.#list = this.#believe(reported, incomplete);
    if (!this.#isHolding()) this.#restored = undefined;
    this.#status = read === 'not-found' && this.#list.size === 0 ? 'not-found' : 'listed';
    const tell = this.#tracker.heard(stale);
    const isChanged = this.use(this.#list, startsAnew);
    this.#save(isChanged);
    tell();
  }

  /** What an earlier run has left is not worth a doubt: a list that somebody can be picked from takes its place. */
  #believe(reported: InstanceList, incomplete: string | undefined): InstanceList {
    const replaces =
      this.#restored !== undefined && incomplete === undefined && countTaking(reported) > 0;
    if (!replaces) return this.#guard.believe(this.#list, reported, incomplete);
    this.#guard.close();
    return reported;
  }

  #confirm(standing: SourceStanding): void {
    const stale = readCaveat(standing.stale);
    this.#tracker.note(standing.details);
    // Without a list there is nothing that could still hold.
    if (this.#listedAtMs === undefined && stale === undefined) return;
    this.#trouble = inTrouble(stale ?? this.#caveats.incomplete);
    this.#caveats = { ...this.#caveats, stale };
    const tell = this.#tracker.heard(stale);
    if (this.#listedAtMs !== undefined) this.#save(false);
    tell();
    this.#restoreIfFailed();
  }

  #save(isChanged: boolean): void {
    if (this.#saved === undefined || this.#restored !== undefined) return;
    const { stale, incomplete } = this.#caveats;
    if (this.#list.size > 0) {
      if (isChanged) this.#saved.save(this.#list);
      else if (stale === undefined && !this.#isHolding()) this.#saved.confirm(this.#list);
    } else if (stale === undefined && incomplete === undefined) {
      this.#saved.remove();
    }
  }

  #restoreIfFailed(): void {
    if (!this.#tracker.isWaiting) void this.#restore();
  }

  /** Starts with the list of an earlier run, if there is one, and unless the source answers meanwhile. */
  async #restore(): Promise<void> {
    if (this.#saved === undefined || this.#coldStart !== 'waiting') return;
    this.#endPatience('reading');
    const restored = await this.#saved.read();
    if (restored === undefined || !this.#isReading()) return;
    this.#coldStart = 'over';
    this.#restored = restored;
    this.#list = restored.instances;
    this.#status = 'listed';
    const afterMs = String(this.options.savedList?.afterMs);
    const cause = `the source has not answered within ${afterMs} ms`;
    this.#trouble ??= { message: cause };
    const tell = this.#tracker.unanswered(cause);
    this.use(this.#list, true);
    tell();
    const { service } = this.options;
    const size = this.#list.size;
    this.events.emit('instances.restored', { service, size, ageMs: this.#restoredAgeMs(restored) });
  }

  #isHolding(): boolean {
    return this.#guard.heldFor !== undefined;
  }

  #isReading(): boolean {
    return this.#coldStart === 'reading';
  }

  #endPatience(next: 'reading' | 'over'): void {
    this.#coldStart = next;
    this.#patience?.cancel();
  }

  #ageMs(): number | undefined {
    if (this.#listedAtMs !== undefined) return this.env.clock.now() - this.#listedAtMs;
    return this.#restored && this.#restoredAgeMs(this.#restored);
  }

  /** Not below 0, however the clocks of two runs differ. */
  #restoredAgeMs({ savedAt }: RestoredList): number {
    return Math.max(0, wallClockOf(this.env)() - savedAt);
  }
}

function inTrouble(message: string | undefined): { readonly message: string } | undefined {
  return message === undefined ? undefined : { message };
}
