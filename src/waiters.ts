import type { Clock, Timer } from './types.js';

/** What is waited for, and when that is given up. */
export interface Patience {
  /** What is waited for; asked after every change. */
  readonly until: () => boolean;
  readonly deadlineMs: number;
  /** Makes the rejection at the deadline. */
  readonly error: () => Error;
  readonly signal?: AbortSignal | undefined;
}

/** Those who wait for something that comes in parts, in the order they came. O(1) to come and to leave. */
export class Waiters {
  readonly #inTime = new Set<Waiter>();
  /** Of those, who was found to be late. */
  readonly #late = new Set<Waiter>();
  #closedBy: Error | undefined;

  constructor(private readonly clock: Clock) {}

  /** How many wait. */
  get size(): number {
    return this.#inTime.size + this.#late.size;
  }

  /** Resolves once there is what `patience` waits for; keeps the process alive until then. */
  when(patience: Patience): Promise<void> {
    if (this.#closedBy === undefined && patience.until()) return Promise.resolve();
    return this.wait(patience);
  }

  /** The same for what is known not to be there yet. */
  wait(patience: Patience): Promise<void> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    const waiter = new Waiter(patience, this.clock, (over) => {
      this.#inTime.delete(over);
      this.#late.delete(over);
    });
    if (!waiter.isOver) this.#inTime.add(waiter);
    return waiter.end;
  }

  /** There are news: each looks whether they are what it waits for. */
  tell(): void {
    this.tellWhile(() => true);
  }

  /**
   * There is something to be had: they look for it in turn, while `isLeft`. First those who have at least half of their
   * time left, then the others; among either, the longest here first. For where more comes than can be served, a queue
   * in plain order serves each when it is nearly too late for it: all the work is done for callers that give up.
   */
  tellWhile(isLeft: () => boolean): void {
    if (this.size === 0) return;
    const nowMs = this.clock.now();
    for (const waiter of this.#inTime) {
      if (!isLeft()) return;
      if (nowMs < waiter.lateFromMs) waiter.look(nowMs);
      else {
        this.#inTime.delete(waiter);
        this.#late.add(waiter);
      }
    }
    for (const waiter of this.#late) {
      if (!isLeft()) return;
      waiter.look(nowMs);
    }
  }

  /** Rejects all who wait, and all who come. */
  close(reason: Error): void {
    this.#closedBy = reason;
    for (const waiter of [...this.#inTime, ...this.#late]) waiter.giveUp(reason);
  }
}

/** One who waits, until it has what it waits for or gives up. */
class Waiter {
  readonly end: Promise<void>;
  /** From then on less than half of its time is left. */
  readonly lateFromMs: number;
  readonly #timer: Timer;
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;
  #isLooking = false;
  #reason: { readonly reason: unknown } | undefined;
  isOver = false;

  /** @param onOver told before `end` settles. */
  constructor(
    private readonly patience: Patience,
    clock: Clock,
    private readonly onOver: (waiter: Waiter) => void,
  ) {
    const { deadlineMs, signal, error } = patience;
    const leftMs = deadlineMs - clock.now();
    this.lateFromMs = deadlineMs - leftMs / 2;
    this.end = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = clock.setTimer(leftMs, () => {
      this.giveUp(error());
    });
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Looks whether there is what it waits for. */
  look(nowMs: number): void {
    const { until, deadlineMs, error, signal } = this.patience;
    if (this.#isLooking) return; // what it looks at has made news of its own
    // Timers are late where the process is busy, and others hear of the same signal first.
    if (signal?.aborted === true) this.giveUp(signal.reason);
    else if (nowMs >= deadlineMs) this.giveUp(error());
    else {
      this.#isLooking = true;
      try {
        if (until()) this.#leave(this.#resolve);
      } catch (thrown) {
        this.#reason ??= { reason: thrown }; // not the fault of whoever brings the news
      }
      this.#isLooking = false;
      if (this.#reason !== undefined) this.giveUp(this.#reason.reason);
    }
  }

  giveUp(reason: unknown): void {
    // What it gets while it looks nobody else would give back: that comes first.
    if (this.#isLooking) this.#reason ??= { reason };
    else {
      this.#leave(() => {
        this.#reject(reason);
      });
    }
  }

  readonly #onAbort = (): void => {
    this.giveUp(this.patience.signal?.reason);
  };

  #leave(settle: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#timer.cancel();
    this.patience.signal?.removeEventListener('abort', this.#onAbort);
    this.onOver(this);
    settle();
  }
}
