import type { Clock, Rng } from '../../../src/types.js';
import type { AgentError } from '../agent-error.js';
import { nextIndex } from '../reply.js';
import { type Faults, seconds } from './faults.js';
import { type KeyRead, type KeyState, toFlags, tokenOf } from './key-state.js';
import { LockHistory } from './lock-history.js';
import { LOOK_NOW, LookBudget, lookSoon, type NextLook, parked } from './lock-pace.js';
import type { LockRequests } from './lock-requests.js';
import type { LockSession } from './lock-session.js';
import type { Terms } from './terms.js';

export interface FollowerDeps {
  readonly requests: LockRequests;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly terms: Terms;
  readonly faults: Faults;
  readonly lockDelayMs: number;
  readonly pauseMs: (error: AgentError, failures: number) => number;
  /** False while the candidate resigns or closes. */
  readonly mayLead: () => boolean;
  /** True while a task of an earlier lead has not ended. */
  readonly isBusy: () => boolean;
  /** Consul does not know the session any more. */
  readonly dropped: (session: LockSession) => void;
}

/** Follows the key, acquires its lock whenever it is free, and notices when it is lost. */
export class LockFollower {
  readonly #deps: FollowerDeps;
  readonly #history = new LockHistory();
  readonly #budget = new LookBudget();
  /** Aborts what is waited for. */
  #turn = new AbortController();
  #leader: string | undefined;
  #standBackUntilMs = -Infinity;
  /** A leader that Consul has forgotten may believe to lead until then. */
  #holdOffUntilMs = -Infinity;

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
  }

  /** What the key says of whoever leads. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /** Looks at the key at once. */
  wake(): void {
    this.#turn.abort();
  }

  /** Lets others go first, until one leads or the time has passed. */
  standBack(ms: number): void {
    this.#standBackUntilMs = Math.max(this.#standBackUntilMs, this.#deps.clock.now() + ms);
  }

  /** Reads the key and does what is to be done, until the session is over. */
  async follow(session: LockSession): Promise<void> {
    const { clock, faults, requests } = this.#deps;
    session.signal.addEventListener('abort', () => {
      this.wake();
    });
    let next = LOOK_NOW;
    let index = 0;
    let failures = 0;
    while (!session.signal.aborted) {
      this.#turn = new AbortController();
      const { signal } = this.#turn;
      try {
        if (next.index === 0 && next.waitMs > 0) await clock.sleep(next.waitMs, signal);
        const read = await requests.readKey(next.index > 0 ? next : undefined, signal);
        this.#note(read, session);
        next = await this.#act(read, session);
        failures = 0;
        if (nextIndex(index, next.index) < next.index) next = LOOK_NOW;
        index = next.index;
        const restMs = this.#budget.take(clock.now());
        if (restMs > 0) await clock.sleep(restMs, signal);
      } catch (thrown) {
        if (!signal.aborted) {
          const error = thrown as AgentError;
          next = { index: 0, waitMs: this.#deps.pauseMs(error, ++failures) };
          // Not sooner with another session either.
          if (error.kind === 'permanent') this.standBack(next.waitMs);
          faults.failed('the key could not be followed', error, next.waitMs);
        }
      }
      if (signal.aborted) next = LOOK_NOW;
    }
    this.#leader = undefined;
  }

  #note(read: KeyRead, session: LockSession): void {
    const { clock, faults, lockDelayMs } = this.#deps;
    const { state } = read;
    this.#leader = state?.session === undefined ? undefined : state.value;
    if (!this.#history.note(read, session.id)) return;
    this.#holdOffUntilMs = clock.now() + lockDelayMs;
    faults.tell(
      'the key was deleted, or Consul lost its state; not to lead beside an old leader, ' +
        `this candidate stands back for ${seconds(lockDelayMs)}.`,
    );
  }

  async #act({ state, index }: KeyRead, session: LockSession): Promise<NextLook> {
    const { clock, isBusy, mayLead, rng, terms } = this.#deps;
    const holder = state?.session;
    const isOurs = holder === session.id;
    if (terms.isOpen) {
      if (isOurs && session.isValid()) return parked(index, rng);
      terms.end('lock-lost');
    }
    if (isOurs) session.beginIdle();
    else session.endIdle();
    if (holder !== undefined && !isOurs) {
      this.#standBackUntilMs = -Infinity;
      return parked(index, rng);
    }
    if (!mayLead() || !session.isValid()) return lookSoon(index, rng);
    if (isBusy()) {
      await this.#giveWay(isOurs, session);
      return lookSoon(index, rng);
    }
    const notYetMs = Math.max(this.#standBackUntilMs, this.#holdOffUntilMs) - clock.now();
    if (notYetMs > 0) return lookSoon(index, rng, notYetMs);
    const won = await this.#acquire(state, session);
    return won === undefined ? lookSoon(index, rng) : parked(won.index, rng);
  }

  /** Who still works for an earlier lead cannot for this one: another may. */
  async #giveWay(isOurs: boolean, session: LockSession): Promise<void> {
    const { faults, requests } = this.#deps;
    faults.tell('a task of an earlier lead has not ended: this candidate cannot lead before.');
    if (!isOurs) return;
    await requests.release(session.id, session.flags);
    session.mayHold = false;
    session.endIdle();
  }

  /** @returns the key as it was when the candidate was elected; `undefined` if it was not. */
  async #acquire(state: KeyState | undefined, session: LockSession): Promise<KeyRead | undefined> {
    const { dropped, faults, mayLead, requests, terms } = this.#deps;
    const floor = this.#history.highestToken;
    let { offset, mark } = state ?? { offset: 0, mark: 0 };
    // The first time its token may be found to be too low, the second time it is not.
    for (let time = 1; time <= 2; time++) {
      mark = mark === 0 ? 1 : 0;
      session.flags = toFlags({ offset, mark });
      session.mayHold = true;
      session.beginIdle();
      const acquired = await requests.acquire(session.id, session.flags).catch((error: unknown) => {
        if ((error as AgentError).kind === 'permanent') session.endIdle(); // it was not done
        throw error;
      });
      if (acquired === 'gone') dropped(session);
      if (acquired !== true) {
        session.endIdle();
        return undefined;
      }

      const read = await requests.readKeyConsistently();
      this.#note(read, session);
      // While Consul was asked the session may have lapsed, and the candidate have begun to leave.
      const isOurs = read.state?.session === session.id && session.isValid() && mayLead();
      if (read.state === undefined || !isOurs) return undefined;
      const token = tokenOf(read.state);
      if (token > floor) {
        session.endIdle();
        terms.begin(token, session);
        return read;
      }
      offset = floor - read.state.modifyIndex;
      faults.tell(
        `Consul counts anew from ${String(read.state.modifyIndex)}: it lost its state. ` +
          `Fencing tokens go on from ${String(floor)}.`,
      );
    }
    return undefined;
  }
}
