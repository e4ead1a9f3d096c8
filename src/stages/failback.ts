import { nextStepMs, rampAt } from '../ramp.js';
import type { ResolvedPriority } from '../topology-options.js';
import type { StageContext } from '../types.js';
import { ROUNDING, sum } from './levels.js';

/** Shares below are none. */
const LEAST_SHARE = 1e-12;

/** What a level is to have. */
export interface Aim {
  readonly priority: number;
  /** Share of the calls for this level and those before it together, 0 to 1. Never less than that of those before. */
  readonly goal: number;
  /** Share that this level can carry by itself, 0 to 1. */
  readonly most: number;
}

/**
 * The way back of calls to levels that got better. It goes by cumulative shares, those of a level and all before it: they
 * fall when calls fail over, which is followed at once, and rise when calls come back. A rise waits for `holdDownMs` and
 * is then made over `rampMs`, each rise by itself; a fall takes away what rose last, and that waits anew when it comes again.
 */
export class Failback {
  readonly #settings: Timing;
  /** By priority, ascending. Empty until there was a level: the first ones begin with what they are to have. */
  #climbs: readonly Climb[] = [];

  constructor(settings: Timing) {
    this.#settings = settings;
  }

  /** One level has all calls. */
  settle(priority: number): void {
    const [only, another] = this.#climbs;
    if (only?.priority === priority && another === undefined) return;
    this.#climbs = [new Climb(priority, 1)];
  }

  /**
   * @param aims of all levels, the preferred first; the last goal is 1.
   * @returns the share of each level now. Asks for the next change by itself.
   */
  follow(aims: readonly Aim[], context: Pick<StageContext, 'nowMs' | 'expireAt'>): number[] {
    const { nowMs } = context;
    const before = this.#climbs;
    const climbs = aims.map(({ priority, goal }) => {
      // A new level starts from what those before it had: nothing, where it is the first.
      const known = before.findLast((climb) => climb.priority <= priority);
      if (known?.priority === priority) return known;
      return new Climb(priority, before.length === 0 ? goal : (known?.share ?? 0));
    });
    aims.forEach(({ goal }, i) => climbs[i]?.aim(goal, nowMs, this.#settings));
    this.#climbs = climbs;
    keepOrder(climbs, aims);
    for (const climb of climbs) climb.wish(nowMs, this.#settings, context);
    return climbs.map(({ share }, i) => {
      const own = share - (climbs[i - 1]?.share ?? 0);
      return own > LEAST_SHARE ? own : 0; // what rounding leaves would pass for calls
    });
  }
}

type Timing = Pick<ResolvedPriority, 'holdDownMs' | 'rampMs'>;

/**
 * Puts right what levels that rise each by themselves may get wrong. A cumulative share is never less than the one
 * before it, and the last is all. And nothing is held back for a level at the cost of one that can no longer carry it:
 * what is more than that one can carry, and more than it is to have, comes back at once.
 */
function keepOrder(climbs: readonly Climb[], aims: readonly Aim[]): void {
  let least = 0;
  for (const climb of climbs) {
    climb.lift(least);
    least = climb.share;
  }
  least = 1;
  for (const [i, climb] of [...climbs.entries()].reverse()) {
    climb.lift(least);
    const own = (aims[i]?.goal ?? 1) - (aims[i - 1]?.goal ?? 0);
    least = climb.share - Math.max(own, aims[i]?.most ?? 0);
  }
}

/** The cumulative share of one level. */
class Climb {
  #share: number;
  #goal: number;
  /** Where `#rises` begin: all of them together lead from here to the goal. */
  #base: number;
  /** The oldest first. */
  #rises: readonly { readonly by: number; readonly fromMs: number }[] = [];

  constructor(
    readonly priority: number,
    share: number,
  ) {
    this.#share = share;
    this.#goal = share;
    this.#base = share;
  }

  get share(): number {
    return this.#share;
  }

  aim(goal: number, nowMs: number, { holdDownMs, rampMs }: Timing): void {
    this.#grow(nowMs, rampMs);
    this.#share = Math.min(this.#share, goal);
    if (goal < this.#goal - ROUNDING) this.#fall(goal);
    if (goal > this.#goal + ROUNDING) {
      this.#rises = [...this.#rises, { by: goal - this.#goal, fromMs: nowMs + holdDownMs }];
      this.#goal = goal;
      this.#grow(nowMs, rampMs);
    }
  }

  /** What is lost is taken from the newest rises: what has been steady for longer goes on. */
  #fall(goal: number): void {
    let lost = this.#goal - goal;
    const rises = [...this.#rises];
    for (let newest = rises.pop(); newest !== undefined; newest = rises.pop()) {
      if (newest.by > lost + ROUNDING) {
        rises.push({ ...newest, by: newest.by - lost });
        break;
      }
      lost -= newest.by;
    }
    this.#rises = rises;
    this.#goal = goal;
    this.#base = goal - sum(rises.map(({ by }) => by));
    if (this.#share >= goal - ROUNDING) this.#rises = [];
  }

  /** Raises the share at once. The rises go on, and show when they pass it. */
  lift(share: number): void {
    if (share > this.#share + ROUNDING) this.#share = share;
    if (this.#share >= this.#goal) this.#rises = [];
  }

  /** Asks for the next change. */
  wish(nowMs: number, { rampMs }: Timing, context: Pick<StageContext, 'expireAt'>): void {
    const held = this.#rises.find(({ fromMs }) => fromMs > nowMs);
    if (held !== undefined) context.expireAt(held.fromMs);
    // The steps of the oldest bring the younger ones up to date too: many at a time cost no more than one.
    const oldest = this.#rises[0];
    if (oldest === undefined || oldest === held) return;
    const stepAtMs = nextStepMs(oldest.fromMs, rampMs, nowMs);
    if (stepAtMs !== undefined) context.expireAt(stepAtMs);
  }

  #grow(nowMs: number, rampMs: number): void {
    let share = this.#base;
    this.#rises = this.#rises.filter(({ by, fromMs }) => {
      const ramp = nowMs < fromMs ? 0 : rampAt(nowMs - fromMs, rampMs);
      share += by * ramp;
      if (ramp === 1) this.#base += by;
      return ramp < 1;
    });
    if (this.#rises.length > 0) {
      this.#share = Math.max(this.#share, share);
    } else {
      this.#share = this.#goal;
      this.#base = this.#goal;
    }
  }
}
