import { backgroundClock } from '../env.js';
import type { ResolvedHealthCheck } from '../health-options.js';
import type { InstanceState } from '../instance-state.js';
import type { Clock, Env, Timer } from '../types.js';
import { functionProbe } from './function-probe.js';
import { httpProbe } from './http-probe.js';
import { failureText, type Probe } from './probe.js';
import { tcpProbe } from './tcp-probe.js';

/** What a check changed. */
export interface HealthChange {
  /** What was known before. */
  readonly before: Pick<InstanceState, 'health' | 'role'>;
  /** How long it was unhealthy, in ms, when it is healthy again; else 0. */
  readonly outMs: number;
  /** What the last check said, when it failed. */
  readonly error: string | undefined;
}

/** One instance that is checked. */
interface Turn {
  readonly state: InstanceState;
  /** When its next check is due. */
  dueMs: number;
  /** When its health last changed. */
  sinceMs: number;
  /** Answers in a row that contradict its health. */
  contrary: number;
}

/** A check under way. */
interface Check {
  readonly turn: Turn;
  readonly abort: AbortController;
  readonly deadlineMs: number;
}

type Answer =
  | { readonly good: true; readonly role: string | undefined }
  | { readonly good: false; readonly error: string };

/** Pauses between two checks differ by up to this share of the interval either way, so that clients do not check in step. */
const JITTER = 0.1;

/** The longest that Node knows. One that rings too early finds nothing to do. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Checks the instances of a set, each in its turn: who is due first comes first. When the checks cannot keep up all are
 * late alike. One timer serves all instances and time limits.
 *
 * The first answer of an instance decides at once; later ones need a few in a row to change its health. Its role is what
 * the last good answer said, until it is unhealthy.
 */
export class HealthChecker {
  readonly #probe: Probe;
  readonly #clock: Clock;
  readonly #turns = new Map<InstanceState, Turn>();
  /** Those not being checked, by due time. */
  #queue: Turn[] = [];
  /** In order of their beginning, so of their deadlines. */
  readonly #running = new Map<Turn, Check>();
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #closed = false;

  constructor(
    private readonly settings: ResolvedHealthCheck,
    service: string,
    private readonly env: Env,
    private readonly onChange: (state: InstanceState, change: HealthChange) => void,
  ) {
    this.#probe = probeFor(settings.probe, service);
    this.#clock = backgroundClock(env.clock);
  }

  /** From now on exactly these are checked, new ones at once. Of the others nothing is known any more. */
  watch(states: readonly InstanceState[]): void {
    if (this.#closed) return;
    const wanted = new Set(states);
    const aborted: Check[] = [];
    for (const [state, turn] of this.#turns) {
      if (wanted.has(state)) continue;
      this.#turns.delete(state);
      const check = this.#running.get(turn);
      if (check !== undefined) aborted.push(check);
      this.#running.delete(turn);
      state.health = 'unknown';
      state.role = undefined;
    }
    const nowMs = this.#clock.now();
    this.#queue = this.#queue.filter(({ state }) => wanted.has(state));
    for (const state of wanted) {
      if (this.#turns.has(state)) continue;
      const turn = { state, dueMs: nowMs, sinceMs: nowMs, contrary: 0 };
      this.#turns.set(state, turn);
      this.#queue.push(turn);
    }
    this.#queue.sort((a, b) => a.dueMs - b.dueMs);
    for (const { abort } of aborted) abort.abort();
    this.#startDue();
  }

  /** Stops for good: aborts what is under way, and tells nothing any more. What was found stays. */
  close(): void {
    this.#closed = true;
    const checks = [...this.#running.values()];
    this.#turns.clear();
    this.#running.clear();
    this.#queue = [];
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    for (const { abort } of checks) abort.abort();
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.#endLate();
    this.#startDue();
  };

  #endLate(): void {
    const nowMs = this.#clock.now();
    for (const check of this.#running.values()) {
      if (check.deadlineMs > nowMs) break;
      const error = `no answer within ${String(this.settings.timeoutMs)} ms`;
      this.#end(check, { good: false, error });
      check.abort.abort(new DOMException(error, 'TimeoutError'));
    }
  }

  #startDue(): void {
    const nowMs = this.#clock.now();
    while (this.#running.size < this.settings.concurrency && this.#nextDueMs() <= nowMs) {
      const turn = this.#queue.shift();
      if (turn !== undefined) this.#start(turn, nowMs);
    }
    this.#arm();
  }

  #start(turn: Turn, nowMs: number): void {
    const { intervalMs, timeoutMs } = this.settings;
    const check: Check = {
      turn,
      abort: new AbortController(),
      deadlineMs: nowMs + timeoutMs,
    };
    turn.dueMs = nowMs + intervalMs * (1 + JITTER * (2 * this.env.rng.next() - 1));
    this.#running.set(turn, check);
    void this.#ask(check).then((answer) => {
      // What was ended before, at its deadline or because nobody asks any more, tells nothing.
      if (this.#running.get(turn) !== check) return;
      this.#end(check, answer);
      this.#arm();
    });
  }

  async #ask({ turn, abort }: Check): Promise<Answer> {
    try {
      return { good: true, role: await this.#probe(turn.state.instance, abort.signal) };
    } catch (error) {
      return { good: false, error: failureText(error) };
    }
  }

  #end({ turn }: Check, answer: Answer): void {
    this.#running.delete(turn);
    this.#enqueue(turn);
    this.#judge(turn, answer);
  }

  #judge(turn: Turn, answer: Answer): void {
    const { healthyThreshold, unhealthyThreshold } = this.settings;
    const { state } = turn;
    const { health, role } = state;
    const nowMs = this.#clock.now();
    const found = answer.good ? 'healthy' : 'unhealthy';
    const needed = answer.good ? healthyThreshold : unhealthyThreshold;
    turn.contrary = found === health ? 0 : turn.contrary + 1;
    let outMs = 0;
    if (health === 'unknown' || turn.contrary >= needed) {
      if (health === 'unhealthy') outMs = nowMs - turn.sinceMs;
      state.health = found;
      turn.sinceMs = nowMs;
      turn.contrary = 0;
    }
    if (answer.good) state.role = answer.role;
    else if (state.health === 'unhealthy') state.role = undefined;
    if (state.health === health && state.role === role) return;
    const error = answer.good ? undefined : answer.error;
    this.onChange(state, { before: { health, role }, outMs, error });
  }

  /** After all that are due before it, or at the same time. */
  #enqueue(turn: Turn): void {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#queue[middle]?.dueMs ?? Infinity) > turn.dueMs) high = middle;
      else low = middle + 1;
    }
    this.#queue.splice(low, 0, turn);
  }

  #nextDueMs(): number {
    return this.#queue[0]?.dueMs ?? Infinity;
  }

  /**
   * Sets the timer for the next deadline, or the next check if there is room for it. Checks begin in it even where one is
   * due already: those of a function that answers at once would never let anything else run.
   */
  #arm(): void {
    const [oldest] = this.#running.values();
    const hasRoom = this.#running.size < this.settings.concurrency;
    const atMs = Math.min(oldest?.deadlineMs ?? Infinity, hasRoom ? this.#nextDueMs() : Infinity);
    // One that is set too early does no harm: it finds nothing to do.
    if (this.#timer !== undefined && this.#timer.atMs <= atMs && atMs < Infinity) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (atMs === Infinity) return;
    // Node's timers know whole milliseconds, and would ring early.
    const inMs = Math.min(Math.max(0, Math.ceil(atMs - this.#clock.now())), LONGEST_TIMER_MS);
    this.#timer = { atMs, timer: this.#clock.setTimer(inMs, this.#onTimer) };
  }
}

function probeFor(probe: ResolvedHealthCheck['probe'], service: string): Probe {
  switch (probe.kind) {
    case 'http':
      return httpProbe(probe.http, service);
    case 'tcp':
      return tcpProbe(probe.port);
    case 'function':
      return functionProbe(probe.check);
  }
}
