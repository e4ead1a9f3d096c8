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
  #doubt: { readonly untilMs: number; readonly timer: Timer } | undefined;

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
    const before = countTaking(current);
    const after = countTaking(reported);
    const collapsed = before > 0 && (after === 0 || after < before / 2);
    const confirmed = this.#doubt !== undefined && this.clock.now() >= this.#doubt.untilMs;
    if (!collapsed || confirmed || this.graceMs === 0) {
      this.close();
      return reported;
    }
    if (this.#doubt === undefined) {
      this.#doubt = this.#startDoubt();
      this.handlers.onHeld(before, after);
    }
    return new Map([...current, ...reported]);
  }

  close(): void {
    this.#doubt?.timer.cancel();
    this.#doubt = undefined;
  }

  #startDoubt(): { readonly untilMs: number; readonly timer: Timer } {
    const timer = this.clock.setTimer(this.graceMs, () => {
      this.handlers.confirm();
    });
    timer.unref();
    return { untilMs: this.clock.now() + this.graceMs, timer };
  }
}

/** Instances that take calls: a list in which all are draining is as good as empty. */
export function countTaking(list: InstanceList): number {
  let count = 0;
  for (const { weight } of list.values()) if (weight > 0) count++;
  return count;
}
