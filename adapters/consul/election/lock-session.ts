import type { Clock, Rng, Timer } from '../../../src/types.js';
import type { AgentError } from '../agent-error.js';
import { pauseAfter } from '../pace.js';
import { seconds } from './faults.js';
import type { LockRequests } from './lock-requests.js';

export interface SessionHost {
  /** The session is not known to be alive any more, for no renewal succeeded in time. */
  lapsed(): void;
  /** It was renewed after it had lapsed, or after a failure: what waits for Consul on another socket may wait in vain. */
  recovered(): void;
  /** Consul does not know the session. */
  gone(): void;
  /** It holds the lock, or may, and is no good for it: others must have it. */
  unfit(why: string): void;
  /** A renewal failed; the next try is after `pauseMs`. */
  failed(error: AgentError, pauseMs: number): void;
}

export interface SessionDeps {
  readonly requests: LockRequests;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly ttlMs: number;
  readonly host: SessionHost;
}

const RENEWAL_MAX_MS = 10_000;
/** Who lapses twice within so many times to live leaves the lock to others: it would lead half of the time. */
const FLAPPING_TTLS = 10;

/**
 * A session of Consul, renewed each third of its time to live. Consul keeps it at least for that time after a renewal
 * has reached it; here it is valid for two thirds, counted from before the renewal was sent, so that it has ended here
 * before it can end there.
 */
export class LockSession {
  readonly openedAtMs: number;
  /** An acquire was sent for it: it may hold the lock. */
  mayHold = false;
  /** Flags that its lock was acquired with. */
  flags = 0;
  readonly #deps: SessionDeps;
  readonly #ended = new AbortController();
  #renewedAtMs: number;
  #lapse: Timer | undefined;
  #isLapsed = false;
  #lapsedAtMs = -Infinity;
  #idle: Timer | undefined;

  /** @param sentAtMs clock reading before the session was asked for. */
  constructor(
    readonly id: string,
    sentAtMs: number,
    deps: SessionDeps,
  ) {
    this.#deps = deps;
    this.openedAtMs = sentAtMs;
    this.#renewedAtMs = sentAtMs;
    this.#arm();
  }

  /** Aborts when the session is over. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  isOver(): boolean {
    return this.signal.aborted;
  }

  /** For how long it is certain to be alive. By the clock: a timer may be late, as in a process that was stopped. */
  get validForMs(): number {
    if (this.isOver()) return 0;
    return Math.max(0, this.#renewedAtMs + this.#validityMs - this.#deps.clock.now());
  }

  isValid(): boolean {
    return this.validForMs > 0;
  }

  /** Renews until the session is over. */
  async keep(): Promise<void> {
    const { clock, requests, ttlMs, host } = this.#deps;
    // Leaves time for two more tries before the session lapses.
    const tryMs = Math.min(RENEWAL_MAX_MS, ttlMs / 6);
    let failures = 0;
    let pauseMs = this.#renewedAtMs + ttlMs / 3 - clock.now();
    while (!this.isOver()) {
      try {
        await clock.sleep(pauseMs, this.signal);
        const sentAtMs = clock.now();
        if ((await requests.renewSession(this.id, tryMs, this.signal)) === 'gone') {
          host.gone();
          return;
        }
        this.#renewed(sentAtMs, failures > 0);
        failures = 0;
        pauseMs = sentAtMs + ttlMs / 3 - clock.now();
      } catch (error) {
        if (this.isOver()) return;
        failures++;
        // Even what only a change of configuration can mend: a minute later it would be too late.
        pauseMs = Math.min(tryMs, pauseAfter(error as AgentError, failures, this.#deps.rng).ms);
        host.failed(error as AgentError, pauseMs);
      }
    }
  }

  /** Its lock may be held from now on, and nobody leads by it. */
  beginIdle(): void {
    if (this.isOver()) return;
    const { clock, host } = this.#deps;
    this.#idle ??= clock.setTimer(this.#validityMs, () => {
      this.#idle = undefined;
      host.unfit(`it was held for ${seconds(this.#validityMs)} without leading`);
    });
  }

  /** Its candidate leads, or another has the lock. */
  endIdle(): void {
    this.#idle?.cancel();
    this.#idle = undefined;
  }

  end(): void {
    this.#lapse?.cancel();
    this.endIdle();
    this.#ended.abort();
  }

  get #validityMs(): number {
    return (this.#deps.ttlMs * 2) / 3;
  }

  #lapsed(): void {
    if (this.#isLapsed) return;
    this.#isLapsed = true;
    const { clock, host, ttlMs } = this.#deps;
    const lastMs = this.#lapsedAtMs;
    this.#lapsedAtMs = clock.now();
    host.lapsed();
    if (!this.mayHold) return;
    const flappingMs = FLAPPING_TTLS * ttlMs;
    if (this.#lapsedAtMs - lastMs > flappingMs) this.beginIdle();
    else host.unfit(`no renewal came in time twice within ${seconds(flappingMs)}`);
  }

  #renewed(sentAtMs: number, hadFailed: boolean): void {
    const { host } = this.#deps;
    const hadLapsed = !this.isValid();
    if (hadLapsed) {
      // Before it counts again: who led has lost the lead, and must hear of it.
      this.#lapsed();
      if (this.isOver()) return;
      // Another chance to lead.
      this.endIdle();
      if (this.mayHold) this.beginIdle();
    }
    this.#isLapsed = false;
    this.#renewedAtMs = sentAtMs;
    this.#arm();
    if (hadLapsed || hadFailed) host.recovered();
  }

  #arm(): void {
    this.#lapse?.cancel();
    this.#lapse = this.#deps.clock.setTimer(this.validForMs, () => {
      // Timers round, and may fire a little early.
      if (this.isValid()) this.#arm();
      else this.#lapsed();
    });
  }
}
