import type { Turn } from './bulkhead.js';
import type { InstanceLimits } from './instance-limits.js';
import type { Traffic } from './instance-state.js';
import type { Lease } from './lease.js';
import type { PickRequest, Selection } from './selection.js';
import type { Env, Instance, Timer } from './types.js';

/** What a route goes by, of what a call needs of its client. */
export interface RouteDeps {
  readonly selection: Selection;
  readonly traffic: Traffic;
  readonly env: Pick<Env, 'clock'>;
  /** Where the attempts in flight per instance are bounded. */
  readonly guards: { readonly limits: InstanceLimits | undefined };
}

/** So often at most does a call that waits for room look by the clock, in ms. */
const LOOK_EVERY_MS = 100;

const NOTHING_TRIED: ReadonlySet<string> = new Set();
const NO_PAUSES: ReadonlyMap<string, number> = new Map();

/** Where one call has been, and where it goes next. */
export class CallRoute implements PickRequest {
  nowMs: number;
  excluded: ReadonlySet<string> = NOTHING_TRIED;
  triedZones: ReadonlySet<string> = NOTHING_TRIED;
  retry = false;
  failures = 0;
  readonly passing = false;
  /** Instances it has tried at all; `excluded` begins anew once those are all there are. */
  #tried: ReadonlySet<string> = NOTHING_TRIED;
  /** When those that asked for a pause may be called again. */
  #due: ReadonlyMap<string, number> = NO_PAUSES;

  constructor(
    private readonly deps: RouteDeps,
    readonly hashKey: string | undefined,
  ) {
    this.nowMs = deps.env.clock.now();
  }

  get inFlight(): number {
    return this.deps.traffic.inFlight;
  }

  /** Begins an attempt at an instance not tried, or at any once all were; `undefined` when none can take it. */
  next(nowMs: number): Lease | undefined {
    this.nowMs = nowMs;
    const { selection } = this.deps;
    const lease = this.#nextToCome() ?? selection.pick(this);
    if (lease !== undefined || this.excluded.size === 0) return lease;
    if (selection.isCrowded(this.excluded, this.nowMs)) return undefined; // one not tried is worth waiting for
    // All were tried: better the same again than none, if it can be one that has not asked to be left alone.
    this.excluded = new Set([...this.#due.keys()].filter((id) => this.#dueMs(id) > nowMs));
    const again = selection.pick(this);
    if (again !== undefined || this.excluded.size === 0) return again;
    if (selection.isCrowded(this.excluded, nowMs)) return undefined; // nor has that one asked for a pause
    this.excluded = NOTHING_TRIED;
    return selection.pick(this);
  }

  /** The same once one has room; `undefined` when it is not for want of room that there is none. */
  async nextWithRoom(turn: Turn): Promise<Lease | undefined> {
    const { guards, selection, env } = this.deps;
    const { limits } = guards;
    const isCrowded = (): boolean => selection.isCrowded(this.excluded, this.nowMs);
    if (limits === undefined || !isCrowded()) return undefined;
    const { clock } = env;
    let lease: Lease | undefined;
    const take = (): boolean => {
      lease = this.next(clock.now());
      return lease !== undefined || !isCrowded();
    };
    // Nobody tells of an open time that is over: it is time alone that makes such an instance one to be tried.
    let timer: Timer | undefined;
    const lookLater = (): void => {
      const nowMs = clock.now();
      const inMs = Math.max(this.#changesAtMs(nowMs) - nowMs, LOOK_EVERY_MS);
      if (nowMs + inMs >= turn.deadlineMs) return;
      timer = clock.setTimer(inMs, () => {
        lookLater();
        limits.tellWaiters();
      });
    };
    try {
      lookLater();
      await limits.whenFree(take, turn);
    } finally {
      timer?.cancel();
    }
    return lease;
  }

  /** Begins an attempt beside the one at `id`; `undefined` when no other instance with a share of the calls can take it. */
  beside(id: string): Lease | undefined {
    return this.deps.selection.pick({
      nowMs: this.deps.env.clock.now(),
      excluded: new Set([...this.excluded, id]),
      hashKey: this.hashKey,
      inFlight: this.inFlight,
      retry: true,
      passing: true,
      activeOnly: true,
    });
  }

  /**
   * An attempt there has not come to what the call can end with.
   *
   * @param dueMs until when it asked to be left alone, if it did.
   */
  leave({ id, locality: { zone } }: Instance, dueMs: number | undefined): void {
    this.retry = true;
    this.failures++;
    if (dueMs !== undefined) this.#due = new Map(this.#due).set(id, dueMs);
    this.excluded = new Set([...this.excluded, id]);
    this.#tried = new Set([...this.#tried, id]);
    if (zone !== undefined) this.triedZones = new Set([...this.triedZones, zone]);
  }

  /** From when there is one to go to that has not asked for a pause, or whose pause is over; -Infinity if now. */
  dueMs(nowMs: number): number {
    const { selection } = this.deps;
    // By those that can be picked: who has left the list, or is out, does not make the others' pauses any shorter.
    const later = [...this.#due].filter(([, dueMs]) => dueMs > nowMs).sort(([, a], [, b]) => a - b);
    const waiting = new Set(later.map(([id]) => id));
    if (selection.hasUntried(waiting, nowMs)) return -Infinity;
    for (const [id, dueMs] of later) {
      waiting.delete(id);
      if (selection.hasUntried(waiting, nowMs)) return dueMs;
    }
    return -Infinity;
  }

  #changesAtMs(nowMs: number): number {
    try {
      return this.deps.selection.changesAtMs(nowMs);
    } catch {
      return Infinity; // a stage or policy of the application's own threw: whoever picks next will be told
    }
  }

  #dueMs(id: string): number {
    return this.#due.get(id) ?? -Infinity;
  }

  /** True while there is one to go to that was never tried. */
  hasNew(nowMs: number): boolean {
    return this.deps.selection.hasUntried(this.#tried, nowMs);
  }

  /** True while there is one to go to that is not tried, in this round, and is not `other`. */
  hasUntried(nowMs: number, other?: Instance): boolean {
    return this.deps.selection.hasUntried(this.excluded, nowMs, other);
  }

  /** At one that has come since all others were tried. */
  #nextToCome(): Lease | undefined {
    const round = this.excluded;
    if (this.#tried.size === round.size) return undefined;
    this.excluded = this.#tried;
    const lease = this.deps.selection.pick(this);
    this.excluded = round;
    return lease;
  }
}
