import type { Clock, Instance, Timer } from './types.js';

export type InstanceList = ReadonlyMap<string, Instance>;

/** A list that is not believed. */
export interface Held {
  /** Instances that took calls until now. */
  readonly kept: number;
  /** Instances that take calls by the source's word. */
  readonly reported: number;
  /** Infinity where the source says itself that its list is incomplete. */
  readonly graceMs: number;
  readonly reason: string;
}

export interface ShrinkGuardHandlers {
  /** A list came that is not believed yet. Called once per doubt. */
  onHeld(held: Held): void;
  /** The grace is over: the source should be read a second time. */
  confirm(): void;
}

/**
 * Doubts a list that empties, or shrinks by more than half. A source that lost most of its instances is more
 * often ill than right (a registry that restarts, an ACL that hides), so what vanished is kept until a second
 * read, after the grace, says the same. What a doubted list adds or changes is believed at once.
 *
 * What is missing from a list that is incomplete by its own word is kept, however little it is, until a list comes that
 * is not.
 */
export class ShrinkGuard {
  #doubt: Doubt | undefined;
  /** Why the last list is incomplete, while something is kept that it leaves out. */
  #incomplete: string | undefined;

  constructor(
    private readonly graceMs: number,
    private readonly clock: Clock,
    private readonly handlers: ShrinkGuardHandlers,
  ) {}

  /** Why instances are kept that the source no longer lists; `undefined` while none are. */
  get heldFor(): string | undefined {
    return this.#incomplete ?? this.#doubt?.reason;
  }

  /**
   * The list to use, now that the source has reported one.
   *
   * @param incomplete why instances may be missing from it that live; `undefined` when it is complete.
   */
  believe(current: InstanceList, reported: InstanceList, incomplete?: string): InstanceList {
    return this.#unlessCollapsed(current, this.#completed(current, reported, incomplete));
  }

  /** Ends every doubt. */
  close(): void {
    this.#incomplete = undefined;
    this.#endDoubt();
  }

  /** What is reported, and what an incomplete list leaves out. */
  #completed(
    current: InstanceList,
    reported: InstanceList,
    incomplete: string | undefined,
  ): InstanceList {
    const isHeld = incomplete !== undefined && [...current.keys()].some((id) => !reported.has(id));
    const isNews = this.#incomplete === undefined;
    this.#incomplete = isHeld ? incomplete : undefined;
    if (!isHeld) return reported;
    if (isNews) {
      this.handlers.onHeld({
        kept: countTaking(current),
        reported: countTaking(reported),
        graceMs: Infinity,
        reason: incomplete,
      });
    }
    return new Map([...current, ...reported]);
  }

  #unlessCollapsed(current: InstanceList, reported: InstanceList): InstanceList {
    const known = this.#confirmed(current);
    const before = countTaking(known);
    const after = countTaking(reported);
    const collapsed = before > 0 && (after === 0 || after < before / 2);
    // What comes back comes in several reads: who is not back yet is no more gone than before.
    const isComingBack =
      this.#doubt !== undefined && [...known.keys()].some((id) => !reported.has(id));
    if ((!collapsed && !isComingBack) || this.graceMs === 0) {
      this.#endDoubt();
      return reported;
    }
    if (this.#doubt === undefined) {
      const reason = `the list shrank from ${String(before)} to ${String(after)}`;
      this.#doubt = this.#startDoubt(reported, reason);
      this.handlers.onHeld({ kept: before, reported: after, graceMs: this.graceMs, reason });
    }
    this.#doubt.reported = reported;
    return union(known, reported);
  }

  /** The current list without what two reads, a grace apart, have both left out. */
  #confirmed(current: InstanceList): InstanceList {
    if (this.#doubt?.due !== true) return current;
    const { reported } = this.#doubt;
    this.#endDoubt();
    return new Map([...reported].filter(([id]) => current.has(id)));
  }

  #endDoubt(): void {
    this.#doubt?.timer.cancel();
    this.#doubt = undefined;
  }

  #startDoubt(reported: InstanceList, reason: string): Doubt {
    const timer = this.clock.setTimer(this.graceMs, () => {
      doubt.due = true;
      this.handlers.confirm();
    });
    timer.unref();
    const doubt: Doubt = { reported, reason, due: false, timer };
    return doubt;
  }
}

interface Doubt {
  /** What the source said last. */
  reported: InstanceList;
  readonly reason: string;
  /** The grace is over. Not told by the clock: a timer may fire a little before its time. */
  due: boolean;
  readonly timer: Timer;
}

/** What is known, and over it what is reported; but an instance that is doubted to be gone is not drained either. */
function union(known: InstanceList, reported: InstanceList): InstanceList {
  const list = new Map(known);
  for (const [id, instance] of reported) {
    const isDrained = instance.weight === 0 && (known.get(id)?.weight ?? 0) > 0;
    if (!isDrained) list.set(id, instance);
  }
  return list;
}

/** Instances that take calls: a list in which all are draining is as good as empty. */
export function countTaking(list: InstanceList): number {
  let count = 0;
  for (const { weight } of list.values()) if (weight > 0) count++;
  return count;
}
