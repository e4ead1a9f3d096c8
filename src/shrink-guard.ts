import type { Clock, Instance, Timer } from './types.js';

type InstanceList = ReadonlyMap<string, Instance>;

export interface ShrinkGuardHandlers {
  /** A list came that is not believed yet. Called once per doubt. */
  onHeld(kept: number, reported: number): void;
  /** The grace is over: the source should be read a second time. */
  confirm(): void;
}

/**
 * Doubts a list that empties, or shrinks by more than half. A source that lost most of its instances is more
 * often ill than right (a registry that restarts, an ACL that hides), so what vanished is kept until a second
 * read, after the grace, says the same. What a doubted list adds or changes is believed at once.
 */
export class ShrinkGuard {
  #doubt: Doubt | undefined;

  constructor(
    private readonly graceMs: number,
    private readonly clock: Clock,
    private readonly handlers: ShrinkGuardHandlers,
  ) {}

  /** True while a list is doubted. */
  get holding(): boolean {
    return this.#doubt !== undefined;
  }

  /** The list to use, now that the source has reported one. */
  believe(current: InstanceList, reported: InstanceList): InstanceList {
    const known = this.#confirmed(current);
    const before = countTaking(known);
    const after = countTaking(reported);
    const collapsed = before > 0 && (after === 0 || after < before / 2);
    if (!collapsed || this.graceMs === 0) {
      this.close();
      return reported;
    }
    if (this.#doubt === undefined) {
      this.#doubt = this.#startDoubt(reported);
      this.handlers.onHeld(before, after);
    }
    this.#doubt.reported = reported;
    return union(known, reported);
  }

  /** The current list without what two reads, a grace apart, have both left out. */
  #confirmed(current: InstanceList): InstanceList {
    if (this.#doubt?.due !== true) return current;
    const { reported } = this.#doubt;
    this.close();
    return new Map([...reported].filter(([id]) => current.has(id)));
  }

  close(): void {
    this.#doubt?.timer.cancel();
    this.#doubt = undefined;
  }

  #startDoubt(reported: InstanceList): Doubt {
    const timer = this.clock.setTimer(this.graceMs, () => {
      doubt.due = true;
      this.handlers.confirm();
    });
    timer.unref();
    const doubt: Doubt = { reported, due: false, timer };
    return doubt;
  }
}

interface Doubt {
  /** What the source said last. */
  reported: InstanceList;
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
