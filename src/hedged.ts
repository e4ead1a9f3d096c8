import { type Attempt, isLate } from './attempt.js';
import type { AttemptEnd } from './attempt-end.js';
import type { Hedger } from './resilience/hedger.js';
import type { Clock, Settled, Timer } from './types.js';

/** An attempt, and its end; that never rejects. */
export interface Sent {
  readonly attempt: Attempt;
  readonly end: Promise<AttemptEnd>;
}

/** What a hedge needs of its call. */
export interface HedgeHooks {
  /** Sends the hedge; `undefined` when nobody can take it. */
  readonly send: () => Sent | undefined;
  /** True when a call that ends so is not made again. */
  readonly isFinal: (end: AttemptEnd) => boolean;
  /** Frees what will not be used. */
  readonly discard: (settled: Settled) => void;
}

/**
 * The end of a first attempt, or of the one sent beside it once it is slow: whichever is answered first with what a call
 * can end with. The other one is aborted, and blamed for nothing. When neither is, the end of the last.
 */
export function hedged(
  first: Sent,
  hedger: Hedger,
  clock: Clock,
  hooks: HedgeHooks,
): Promise<AttemptEnd> {
  return new Hedged(first, hedger, clock, hooks).end;
}

class Hedged {
  /** Never rejects. */
  readonly end: Promise<AttemptEnd>;
  #resolve!: (end: AttemptEnd) => void;
  #timer: Timer | undefined;
  #hedge: Sent | undefined;
  #underWay = 1;
  #isDue = false;
  #isOver = false;
  /** Not to be retried, but no answer either: the call's end where the other attempt comes to none. */
  #unanswered: AttemptEnd | undefined;

  constructor(
    private readonly first: Sent,
    private readonly hedger: Hedger,
    private readonly clock: Clock,
    private readonly hooks: HedgeHooks,
  ) {
    hedger.noteCall();
    this.end = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const delayMs = hedger.delayMs();
    if (delayMs !== undefined) this.#hedgeAfter(delayMs);
    void first.end.then((end) => {
      this.#learn(end);
      this.#onEnd(end, this.#hedge);
    });
  }

  #hedgeAfter(ms: number): void {
    const dueMs = this.clock.now() + ms;
    this.#timer = this.clock.setTimer(ms, () => {
      this.#isDue = true;
      if (!isLate(dueMs, this.clock)) this.#sendHedge();
      else this.#timer = this.clock.setTimer(0, this.#sendHedge);
    });
  }

  readonly #sendHedge = (): void => {
    const hedge = this.hedger.hasRoom() ? this.#trySend() : undefined;
    if (hedge === undefined) {
      // Who has waited longest needs it most: asked again at twice the age, when there may be room.
      this.#hedgeAfter(this.#ageMs());
      return;
    }
    this.hedger.noteHedge();
    this.#hedge = hedge;
    this.#underWay++;
    void hedge.end.then((end) => {
      this.#onEnd(end, this.first);
    });
  };

  #trySend(): Sent | undefined {
    try {
      return this.hooks.send();
    } catch {
      return undefined; // a policy of the application's own threw: the first attempt can do without
    }
  }

  #onEnd(end: AttemptEnd, other: Sent | undefined): void {
    const isLast = --this.#underWay === 0;
    if (this.#isOver || !(isLast || this.#decides(end))) {
      if (!this.#isOver && this.hooks.isFinal(end)) this.#unanswered = end;
      else if (isSettledItself(end)) this.hooks.discard(end.settled);
      return;
    }
    this.#isOver = true;
    this.#timer?.cancel();
    if (!isLast) {
      other?.attempt.cut(
        new DOMException('Another attempt of the call was done first', 'AbortError'),
        'lost',
      );
    }
    const kept = this.#unanswered;
    const isEnd = kept === undefined || end.ended === 'cancelled' || this.#decides(end);
    const [used, unused] = isEnd ? [end, kept] : [kept, end];
    if (unused !== undefined && isSettledItself(unused)) this.hooks.discard(unused.settled);
    this.#resolve(used);
  }

  /**
   * True when the other attempt need not be waited for: a success, or an answer that no other attempt would change. Not
   * an error of this side that the other attempt has been spared: no socket was left for it, a queue was full.
   */
  #decides(end: AttemptEnd): boolean {
    return this.hooks.isFinal(end) && (end.isDeliberate || isAnswer(end));
  }

  #learn(end: AttemptEnd): void {
    const tells = isSettledItself(end) ? this.#decides(end) : this.#isDue;
    if (!tells) return;
    this.hedger.observe(this.#ageMs(), this.clock.now());
  }

  /** Time since the first attempt began. */
  #ageMs(): number {
    return this.clock.now() - this.first.attempt.lease.startedAtMs;
  }
}

/** Its function returned or threw; nobody cut it. */
function isSettledItself({ ended }: AttemptEnd): boolean {
  return ended === 'returned' || ended === 'threw';
}

/** HTTP clients that throw for a status tell of it in `response`; other errors can be judged to be a success. */
function isAnswer({ settled, verdict }: AttemptEnd): boolean {
  if (settled.ok || verdict.outcome === 'success') return true;
  const { error } = settled;
  return (
    typeof error === 'object' &&
    error !== null &&
    'response' in error &&
    error.response !== undefined
  );
}
