import type { Env } from '../../../src/types.js';
import { AgentError, toAgentError } from '../agent-error.js';
import {
  type AskHealth,
  healthAsker,
  type HealthFunction,
  type HealthReport,
  PASSING,
  worse,
} from './health-report.js';
import { nextBeatMs, type Pace, retryPauseMs } from './pace.js';
import type { Presence } from './presence.js';
import type { RequestLimits } from './service-agent.js';

export interface UpkeepSettings {
  readonly presence: Presence;
  readonly health: HealthFunction | undefined;
  /** What heartbeats say until {@link Upkeep.say} is called. */
  readonly first: HealthReport;
  readonly pace: Pace;
  /** Its timers do not keep the process alive. */
  readonly env: Env;
  readonly scrub: (text: string) => string;
  /** A fault that is new, or has lasted for another minute. */
  readonly onFault: (fault: AgentError, failures: number) => void;
}

/** The same fault is told again after this. */
const TELL_AGAIN_MS = 60_000;
/** What a stop leaves a request that is under way. */
const CUT_AFTER_MS = 500;
/** For all that a stop asks of the agent, and for each try. */
const LEAVE_WITHIN_MS = 3_000;
const LEAVE_DEADLINE_MS = 1_000;
const STOPPED = new Error('the registration is stopped');

/** Keeps a service present at its agent: heartbeats, retries, registers again. What it asks goes one at a time. */
export class Upkeep {
  /** Aborts when there are to be no more heartbeats; and when what is under way is to end. */
  readonly #quit = new AbortController();
  readonly #cut = new AbortController();
  readonly #askHealth: AskHealth | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #asked: HealthReport = PASSING;
  #said: HealthReport;
  #failures = 0;
  #confirmedMs: number | undefined;
  #fault: AgentError | undefined;
  #told: { readonly message: string; readonly atMs: number } | undefined;

  constructor(private readonly settings: UpkeepSettings) {
    this.#said = settings.first;
    this.#askHealth = settings.health === undefined ? undefined : healthAsker(settings.health);
  }

  get report(): HealthReport {
    return worse(this.#said, this.#asked);
  }

  get failures(): number {
    return this.#failures;
  }

  /** Clock reading when the agent last answered that all is as it should be. */
  get confirmedMs(): number | undefined {
    return this.#confirmedMs;
  }

  /** The last fault, since the start. */
  get fault(): AgentError | undefined {
    return this.#fault;
  }

  /**
   * The first registration, tried until it works.
   *
   * @throws {AgentError} where only another configuration helps; the signal's reason on abort.
   */
  async begin(signal: AbortSignal): Promise<void> {
    const { env, pace } = this.settings;
    for (;;) {
      try {
        await this.#beat(signal, { deadlineMs: pace.firstDeadlineMs, signal });
        return;
      } catch (error) {
        signal.throwIfAborted();
        const fault = this.#failed(error);
        if (fault.kind === 'permanent') throw fault;
        await env.clock.sleep(retryPauseMs(fault, this.#failures, pace, env.rng), signal);
      }
    }
  }

  /** Heartbeats from now on, until {@link end}. */
  async keep(): Promise<void> {
    const { env, pace } = this.settings;
    const quit = this.#quit.signal;
    let pauseMs = nextBeatMs(pace, env.rng);
    for (;;) {
      try {
        await env.clock.sleep(pauseMs, quit);
        const beganMs = env.clock.now();
        await this.#beat(quit, this.#limits);
        // From start to start: how long an answer takes costs no heartbeat.
        pauseMs = Math.max(0, beganMs + nextBeatMs(pace, env.rng) - env.clock.now());
      } catch (error) {
        if (quit.aborted) return;
        pauseMs = retryPauseMs(this.#failed(error), this.#failures, pace, env.rng);
      }
    }
  }

  /** What heartbeats say from now on, or worse where `health` does. */
  say(report: HealthReport): void {
    this.#said = report;
  }

  /**
   * Applies a change, and tells the agent. When that fails, heartbeats go on to tell it; what the agent will never take is
   * undone, so that it does not stand in the way of registering again.
   */
  now(change: () => void, undo: () => void = () => undefined): Promise<void> {
    return this.#inTurn(async () => {
      try {
        change();
        await this.#confirm(this.#limits);
      } catch (error) {
        if (error instanceof AgentError && error.kind === 'permanent') undo();
        throw error;
      }
    });
  }

  /**
   * Ends the heartbeats and deregisters, within 3 s, with as many tries as it takes.
   *
   * @param signal ends the tries.
   * @returns whether the agent took it.
   */
  async end(signal?: AbortSignal): Promise<boolean> {
    const { presence, env, pace } = this.settings;
    this.#quit.abort(STOPPED);
    const leaving = new AbortController();
    const timers = [
      env.clock.setTimer(CUT_AFTER_MS, () => {
        this.#cut.abort(STOPPED);
      }),
      env.clock.setTimer(LEAVE_WITHIN_MS, () => {
        leaving.abort(STOPPED);
      }),
    ];
    const onAbort = (): void => {
      leaving.abort(STOPPED);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#turn;
      for (let failures = 1; ; failures++) {
        try {
          await presence.leave({ deadlineMs: LEAVE_DEADLINE_MS, signal: leaving.signal });
          return true;
        } catch (error) {
          if (leaving.signal.aborted) return false; // what was wrong has been told
          const fault = this.#failed(error);
          if (fault.kind === 'permanent') return false;
          await env.clock.sleep(retryPauseMs(fault, failures, pace, env.rng), leaving.signal);
        }
      }
    } catch {
      // The time is over; what was wrong has been told.
      return false;
    } finally {
      for (const timer of timers) timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      this.#cut.abort(STOPPED);
    }
  }

  /** Of requests once it is registered. */
  get #limits(): RequestLimits {
    return { deadlineMs: this.settings.pace.deadlineMs, signal: this.#cut.signal };
  }

  /**
   * @param asking ends the wait for `health`.
   * @param telling bounds the requests.
   */
  async #beat(asking: AbortSignal, telling: RequestLimits): Promise<void> {
    const { pace, env } = this.settings;
    if (this.#askHealth !== undefined) {
      this.#asked = await this.#askHealth(pace.healthMs, asking, env.clock);
      asking.throwIfAborted();
    }
    await this.#inTurn(() => this.#confirm(telling));
    this.#failures = 0;
    this.#told = undefined;
  }

  async #confirm(limits: RequestLimits): Promise<void> {
    const { presence, env } = this.settings;
    this.#quit.signal.throwIfAborted();
    await presence.confirm(this.report, limits);
    this.#confirmedMs = env.clock.now();
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #failed(error: unknown): AgentError {
    const { env, scrub, onFault } = this.settings;
    const fault = toAgentError(error, scrub);
    this.#failures++;
    this.#fault = fault;
    const { message } = fault;
    const nowMs = env.clock.now();
    if (this.#told?.message === message && nowMs - this.#told.atMs < TELL_AGAIN_MS) return fault;
    this.#told = { message, atMs: nowMs };
    onFault(fault, this.#failures);
    return fault;
  }
}
