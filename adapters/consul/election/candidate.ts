import { abortable, type WaitOptions } from '../../../src/abortable.js';
import { backgroundClock } from '../../../src/env.js';
import type { Clock } from '../../../src/types.js';
import { checkFunction } from '../../../src/validate.js';
import { openAgent } from '../agent.js';
import type { AgentError } from '../agent-error.js';
import {
  ElectionEmitter,
  type ElectionEventName,
  type ElectionListener,
} from './election-events.js';
import { Faults } from './faults.js';
import { aborted, type Leadership, type LeaderTask, leadWith } from './lead.js';
import { doneWithin, holdingProcess, twice } from './leaving.js';
import { LockFollower } from './lock-follower.js';
import { pauseMsAfter } from './lock-pace.js';
import { LockRequests } from './lock-requests.js';
import { LockSession } from './lock-session.js';
import type { ElectionSettings } from './options.js';
import type { ElectionStatus } from './status.js';
import { Terms } from './terms.js';

/** One for the parked read, one for renewals, which must never wait behind it, one for all else. */
const SOCKETS = 3;
/** Who resigns lets others go first for so long. */
const STAND_BACK_MS = 5_000;
const MAX_PAUSE_MS = 30_000;
/** Whoever leaves waits no longer for its tasks, however long the lead is certain. */
const MAX_TASK_WAIT_MS = 30_000;

/**
 * Takes part in an election until closed. Two loops share a session, and get a new one when it is lost: one renews it,
 * the other follows the key.
 */
export class Candidate {
  readonly #settings: ElectionSettings;
  readonly #clock: Clock;
  readonly #requests: LockRequests;
  readonly #events = new ElectionEmitter();
  readonly #faults: Faults;
  readonly #terms: Terms;
  readonly #follower: LockFollower;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** Tasks of `lead` under way. */
  readonly #work = new Set<Promise<void>>();
  #session: LockSession | undefined;
  #resigning: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(settings: ElectionSettings) {
    const { env, key, lockDelayMs } = settings;
    this.#settings = settings;
    this.#clock = backgroundClock(env.clock);
    const agent = openAgent(settings.agent, this.#clock, SOCKETS);
    this.#requests = new LockRequests(agent, settings);
    this.#faults = new Faults(agent.label, key, this.#clock, this.#events);
    this.#terms = new Terms(key, this.#clock, this.#events);
    this.#follower = new LockFollower({
      requests: this.#requests,
      clock: this.#clock,
      rng: env.rng,
      terms: this.#terms,
      faults: this.#faults,
      lockDelayMs,
      pauseMs: (error, failures) => this.#pauseMs(error, failures),
      mayLead: () => this.#mayLead(),
      isBusy: () => this.#work.size > 0,
      dropped: (session) => {
        this.#drop(session);
      },
    });
    this.#running = this.#run();
  }

  get isLeader(): boolean {
    return this.#terms.current !== undefined;
  }

  get fencingToken(): number | undefined {
    return this.#terms.current?.fencingToken;
  }

  get leader(): string | undefined {
    return this.#follower.leader;
  }

  status(): ElectionStatus {
    const session = this.#session;
    return {
      key: this.#settings.key,
      role: this.#closing !== undefined ? 'closed' : this.isLeader ? 'leader' : 'standby',
      fencingToken: this.fencingToken,
      leader: this.leader,
      sessionAgeMs: session && this.#clock.now() - session.openedAtMs,
      validForMs: session?.validForMs,
      lastFault: this.#faults.last,
    };
  }

  on<Name extends ElectionEventName>(name: Name, listener: ElectionListener<Name>): () => void {
    return this.#events.on(name, listener);
  }

  whenLeader(options?: WaitOptions): Promise<Leadership> {
    return this.#holdingProcess(() => this.#terms.whenCurrent(options));
  }

  async lead(task: LeaderTask): Promise<void> {
    checkFunction('task', task);
    const led = leadWith(task, {
      whenLeader: () => this.#terms.whenCurrent(),
      close: () => this.close(),
      track: (run) => {
        this.#track(run);
      },
      failedAfter: (error) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#faults.tell(`a task failed after its lead was over: ${why}`, error);
      },
    });
    // Not once it is closed: a task that does not end is nothing to wait for.
    await this.#holdingProcess(() => Promise.race([led, aborted(this.#stop.signal)]));
    await led;
  }

  async resign({ signal }: WaitOptions = {}): Promise<void> {
    const session = this.#session;
    if (this.#resigning === undefined && this.#terms.isOpen && session !== undefined) {
      this.#resigning = this.#holdingProcess(() => this.#handOver(session));
    }
    await abortable(this.#resigning ?? Promise.resolve(), signal);
  }

  close({ signal }: WaitOptions = {}): Promise<void> {
    this.#closing ??= this.#holdingProcess(() => this.#leave());
    return abortable(this.#closing, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #holdingProcess<T>(task: () => Promise<T>): Promise<T> {
    return holdingProcess(this.#settings.env.clock, task);
  }

  #track(run: Promise<void>): void {
    const done = (): void => {
      this.#work.delete(work);
      // It may have kept this candidate from the next lead.
      if (this.#work.size === 0 && !this.#terms.isOpen) this.#follower.wake();
    };
    const work = run.then(done, done);
    this.#work.add(work);
  }

  #mayLead(): boolean {
    return this.#resigning === undefined && this.#closing === undefined;
  }

  async #handOver(session: LockSession): Promise<void> {
    const waitMs = taskWaitMs(session);
    this.#terms.end('resigned');
    await doneWithin(waitMs, this.#work, this.#clock);
    // Not after the release: by the time that it is answered another may have led, and have gone.
    this.#follower.standBack(STAND_BACK_MS);
    // Others must not wait for longer than the session lives unrenewed.
    if (!(await this.#released(session))) session.end();
    this.#resigning = undefined;
  }

  async #leave(): Promise<void> {
    const waitMs = taskWaitMs(this.#session);
    this.#terms.close();
    await doneWithin(waitMs, this.#work, this.#clock);
    await this.#resigning;

    this.#stop.abort();
    this.#session?.end();
    await this.#running;
    const session = this.#session;
    if (session !== undefined) {
      session.end(); // it may have been made meanwhile
      // Released first: a session that holds the lock as it ends leaves a lock-delay behind.
      if (session.mayHold) await this.#released(session);
      await this.#succeeded('the session was not destroyed', () =>
        this.#requests.destroySession(session.id),
      );
    }
    this.#requests.close();
    this.#events.removeAll();
  }

  #released(session: LockSession): Promise<boolean> {
    return this.#succeeded('the lock was not released', async () => {
      await this.#requests.release(session.id, session.flags);
      session.mayHold = false;
    });
  }

  async #succeeded(otherwise: string, task: () => Promise<void>): Promise<boolean> {
    try {
      // Once more at once: a connection kept alive may have been closed as it was used.
      await twice(task);
      return true;
    } catch (error) {
      const why = (error as AgentError).message;
      this.#faults.tell(`${otherwise}: ${why}; it is left to expire.`, error);
      return false;
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped()) {
      const last = this.#session;
      this.#session = await this.#openSession();
      if (last?.mayHold === true) {
        // It would keep others from the lead until it expires; if that cannot be helped, they shall be the first to have it.
        const { sessionTtlMs, lockDelayMs } = this.#settings;
        const freedMs = (await this.#released(last)) ? 0 : sessionTtlMs + lockDelayMs;
        this.#follower.standBack(freedMs + STAND_BACK_MS);
      }
      if (this.#session === undefined || this.#isStopped()) return;
      await Promise.all([this.#session.keep(), this.#follower.follow(this.#session)]);
    }
  }

  async #openSession(): Promise<LockSession | undefined> {
    const { sessionTtlMs: ttlMs, env } = this.#settings;
    const [requests, clock, faults] = [this.#requests, this.#clock, this.#faults];
    for (let failures = 1; !this.#isStopped(); failures++) {
      const sentAtMs = clock.now();
      try {
        const id = await requests.createSession();
        const session: LockSession = new LockSession(id, sentAtMs, {
          requests,
          clock,
          rng: env.rng,
          ttlMs,
          host: {
            lapsed: () => {
              this.#terms.end('expired');
            },
            recovered: () => {
              this.#follower.wake();
            },
            unfit: (why) => {
              this.#giveUp(session, why);
            },
            gone: () => {
              this.#drop(session);
            },
            failed: (error, pauseMs) => {
              faults.failed('the session was not renewed', error, pauseMs);
            },
          },
        });
        return session;
      } catch (thrown) {
        const error = thrown as AgentError;
        const pauseMs = this.#pauseMs(error, failures);
        faults.failed('no session was made', error, pauseMs);
        await clock.sleep(pauseMs, this.#stop.signal).catch(() => undefined);
      }
    }
    return undefined;
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Whoever holds the lock and does not lead must not keep others from it. */
  #giveUp(session: LockSession, why: string): void {
    if (!this.#mayLead()) return; // it is about to be released
    this.#faults.tell(`the lock is given up, for ${why}: Consul does not answer as it should.`);
    session.end();
  }

  #drop(session: LockSession): void {
    this.#terms.end('session-lost');
    session.mayHold = false;
    session.end();
  }

  #pauseMs(error: AgentError, failures: number): number {
    const { agent, sessionTtlMs, env } = this.#settings;
    return pauseMsAfter(error, failures, env.rng, {
      maxMs: Math.min(MAX_PAUSE_MS, sessionTtlMs / 3),
      asksForToken: agent.token !== undefined && typeof agent.token !== 'string',
    });
  }
}

function taskWaitMs(session: LockSession | undefined): number {
  return Math.min(session?.validForMs ?? 0, MAX_TASK_WAIT_MS);
}
