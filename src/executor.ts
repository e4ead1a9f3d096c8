import { allowManyListeners } from './abortable.js';
import type { CallFunction } from './attempt.js';
import type { Bulkhead, Turn } from './bulkhead.js';
import { CallErrors } from './call-errors.js';
import { type CallOptions, checkVerdict } from './call-options.js';
import { CallRecords } from './call-records.js';
import { CallRoute } from './call-route.js';
import { inheritedMs, runWithin } from './deadline-scope.js';
import type { Events } from './events.js';
import { hedged } from './hedged.js';
import type { InstanceLimits } from './instance-limits.js';
import type { InstanceSet } from './instance-set.js';
import type { Traffic } from './instance-state.js';
import type { Lease } from './lease.js';
import type { ResolvedOptions } from './options.js';
import { classify } from './resilience/classify.js';
import { Deadline, type Limit } from './resilience/deadline.js';
import { discardBody } from './resilience/discard.js';
import type { Hedger } from './resilience/hedger.js';
import { backoffMs, type Pause, retryLoop } from './resilience/retry.js';
import type { RetryBudget } from './resilience/retry-budget.js';
import type { Selection } from './selection.js';
import type { UsualLatency } from './resilience/usual-latency.js';
import { type AttemptEnd, final, type Judgement, Sending, type SendingOwner } from './sending.js';
import type { AttemptKind, Clock, Env, Settled, Verdict } from './types.js';

/** What a call needs of its client. */
export interface CallDeps {
  readonly options: ResolvedOptions;
  readonly set: InstanceSet;
  readonly selection: Selection;
  readonly env: Env;
  readonly events: Events;
  readonly traffic: Traffic;
  /** Counts the calls under way. `enter` throws when no more are let in. */
  readonly gate: { enter(): void; leave(): void };
  /** What bounds the calls of the client together; `undefined` where nothing does. */
  readonly guards: {
    readonly usual: UsualLatency;
    readonly budget: RetryBudget | undefined;
    readonly hedger: Hedger | undefined;
    readonly bulkhead: Bulkhead | undefined;
    readonly limits: InstanceLimits | undefined;
  };
}

/** Runs one call: deadline, attempts, pick, send, outcome. Rejects with the error of the last attempt. */
export function execute<T>(
  fn: CallFunction<T>,
  options: CallOptions<unknown>,
  deps: CallDeps,
): Promise<T> {
  return new Call(fn, options, deps).run();
}

class Call<T> implements SendingOwner {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly #route: CallRoute;
  readonly #deadline: Deadline;
  /** Whether an attempt that the instance may have acted on can be made again. */
  readonly #repeatable: boolean;
  readonly #records: CallRecords;
  /** The attempt under way, and the one beside it. */
  #sending: Sending | undefined;
  #hedging: Sending | undefined;
  #attempts = 0;
  /** A retry was taken from the budget that is not made yet. */
  #owesRetry = false;
  /** It is under way within the bound on calls. */
  #hasTurn = false;
  #onAbort: (() => void) | undefined;

  constructor(
    private readonly fn: CallFunction<T>,
    private readonly options: CallOptions<unknown>,
    private readonly deps: CallDeps,
  ) {
    const { timeoutMs, attemptTimeoutMs, maxAttempts, inheritDeadline } = deps.options;
    this.clock = deps.env.clock;
    this.signal = options.signal;
    const { selection, traffic, guards } = deps;
    this.#route = new CallRoute(
      { selection, traffic, clock: this.clock, limits: guards.limits },
      options.hashKey,
    );
    this.#repeatable = options.idempotent === true && options.replayable !== false;
    this.#deadline = new Deadline(this.#route.nowMs, {
      timeoutMs: options.timeoutMs ?? timeoutMs,
      inheritedMs: inheritDeadline ? inheritedMs() : Infinity,
      attemptTimeoutMs: options.attemptTimeoutMs ?? attemptTimeoutMs,
      shares: this.#repeatable ? maxAttempts : 1,
    });
    this.#records = new CallRecords(deps.events, deps.options.service, options.onAttempt);
  }

  /** Made when needed: most calls end well. */
  get #errors(): CallErrors {
    return new CallErrors(this.deps, this.#deadline, this.#records);
  }

  async run(): Promise<T> {
    const { gate, guards, set, selection } = this.deps;
    gate.enter();
    try {
      if (this.signal !== undefined) this.#listenTo(this.signal);
      if (guards.bulkhead !== undefined) await this.#takeTurn(guards.bulkhead);
      if (set.status === 'waiting' || selection.isPending(this.#route.nowMs)) {
        await this.#firstList();
        this.#route.nowMs = this.clock.now();
      }
      const first = await this.#firstAttempt();
      const pause = this.#plan(first);
      const { settled } =
        pause === undefined
          ? first
          : await retryLoop(
              pause,
              () => this.#attempt('retry', this.clock.now()),
              (end) => this.#plan(end),
            );
      if (settled.ok) return settled.value as T;
      throw this.#records.tell(settled.error, settled.error === this.signal?.reason);
    } finally {
      if (this.#hasTurn) guards.bulkhead?.leave();
      if (this.#owesRetry) guards.budget?.putBack(this.clock.now());
      if (this.#onAbort !== undefined) this.signal?.removeEventListener('abort', this.#onAbort);
      gate.leave();
    }
  }

  /** @throws its reason, when it has aborted already. */
  #listenTo(signal: AbortSignal): void {
    if (signal.aborted) throw signal.reason as Error; // a polyfill may know no `throwIfAborted`
    this.#onAbort = () => {
      this.#sending?.cut(signal.reason, 'cancelled');
      this.#hedging?.cut(signal.reason, 'cancelled');
    };
    allowManyListeners(signal);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  async #takeTurn(bulkhead: Bulkhead): Promise<void> {
    const turn = bulkhead.enter(this.#turn());
    if (turn !== undefined) {
      await turn;
      this.#route.nowMs = this.clock.now();
    }
    this.#hasTurn = true;
  }

  #firstList(): Promise<void> {
    const { set, selection } = this.deps;
    return set.whenListed({
      until: () => set.isAnswered() && !selection.isPending(this.clock.now()),
      deadlineMs: this.#deadline.atMs,
      error: () => this.#errors.notReady(),
      signal: this.signal,
    });
  }

  /** How it waits for its turn, where too much is under way. */
  #turn(): Turn {
    return {
      deadlineMs: this.#deadline.atMs,
      signal: this.signal,
      error: () => this.#errors.pastDeadline(this.#attempts),
      onFull: () => this.#errors.queueFull(),
    };
  }

  #firstAttempt(): Promise<AttemptEnd> {
    const { guards, options } = this.deps;
    const { hedger } = guards;
    const mayHedge = hedger !== undefined && this.#repeatable && this.options.hedge !== false;
    const { nowMs } = this.#route;
    if (!mayHedge || options.maxAttempts < 2) return this.#attempt('first', nowMs);
    return this.#attempt('first', nowMs, (sending) =>
      hedged(sending, hedger, this.clock, {
        send: () => this.#hedge(sending),
        isFinal: (end) => !this.#mayRetry(end.verdict),
        discard: (settled) => {
          this.discard(settled);
        },
      }),
    );
  }

  /** @param end when the attempt that was sent counts as ended. */
  #attempt(
    kind: AttemptKind,
    nowMs: number,
    end: (sending: Sending) => Promise<AttemptEnd> = endOf,
  ): Promise<AttemptEnd> {
    if (this.signal?.aborted === true) {
      return Promise.resolve(final(this.signal.reason, 'cancelled'));
    }
    if (nowMs >= this.#deadline.atMs) {
      return Promise.resolve(final(this.#errors.pastDeadline(this.#attempts), 'deadline'));
    }
    const lease = this.#route.next(nowMs);
    if (lease !== undefined) return end(this.#send(lease, kind));
    return this.#route.nextWithRoom(this.#turn()).then(
      (free) => {
        if (free === undefined) return final(this.#errors.noInstances(), 'threw');
        if (this.signal?.aborted !== true) return end(this.#send(free, kind));
        free.end('ignored'); // cancelled just when its turn had come
        return final(this.signal.reason, 'cancelled');
      },
      (error: unknown) => final(error, 'threw'),
    );
  }

  #send(lease: Lease, kind: AttemptKind): Sending {
    const number = ++this.#attempts;
    if (kind === 'retry') this.#owesRetry = false;
    const limit = this.#limitOf(lease);
    const sending = new Sending({ lease, number, kind, limit }, this);
    if (kind === 'hedge') this.#hedging = sending;
    else this.#sending = sending;
    const { fn } = this;
    if (!this.deps.options.inheritDeadline) return sending.run(fn);
    return sending.run((context) => runWithin(limit.ms, this.clock, () => fn(context)));
  }

  #limitOf(lease: Lease): Limit {
    try {
      const elsewhere = this.#route.hasUntried(lease.startedAtMs, lease.instance.id);
      return this.#deadline.limitOf(this.#attempts, lease.startedAtMs, elsewhere);
    } catch (error) {
      lease.end('ignored'); // a policy of the application's own threw
      throw error;
    }
  }

  /** The second attempt beside a slow one, if there is another instance that can take it, and it is allowed. */
  #hedge({ plan }: Sending): Sending | undefined {
    const { budget } = this.deps.guards;
    const nowMs = this.clock.now();
    if (nowMs >= this.#deadline.atMs) return undefined;
    if (budget !== undefined && budget.available(nowMs) < 1) return undefined;
    const lease = this.#route.beside(plan.lease.instance.id);
    if (lease === undefined) return undefined;
    budget?.withdraw(nowMs);
    return this.#send(lease, 'hedge');
  }

  timeOut(sending: Sending): void {
    const { lease, limit } = sending.plan;
    const error = limit.isDeadline
      ? this.#errors.pastDeadline(this.#attempts)
      : this.#errors.attemptTimeout(lease.instance.id, limit.ms);
    sending.cut(
      error,
      limit.isDeadline ? 'deadline' : 'timed-out',
      this.#deadline.verdictOf(limit, this.deps.guards.usual.ms),
    );
  }

  judge(settled: Settled, { instance }: Lease): Judgement {
    const own =
      checkVerdict(this.options.classify?.(settled, instance)) ??
      checkVerdict(this.deps.options.classify?.(settled, instance));
    const verdict = own ?? this.options.rules?.(settled, instance) ?? classify(settled, instance);
    return { verdict, isDeliberate: own !== undefined };
  }

  note(sending: Sending, end: AttemptEnd): void {
    if (this.#hedging === sending) this.#hedging = undefined;
    else this.#sending = undefined;
    const { instance } = sending.plan.lease;
    const { outcome, retry, retryAfterMs } = end.verdict;
    const nowMs = this.clock.now();
    if (outcome === 'success') {
      this.deps.guards.budget?.deposit(nowMs);
      this.deps.guards.usual.record(nowMs - sending.plan.lease.startedAtMs);
    }
    if (outcome !== 'success' || retry !== 'never') {
      this.#route.leave(instance, retryAfterMs === undefined ? undefined : nowMs + retryAfterMs);
    }
    this.#records.add(sending, end, nowMs);
  }

  /** Frees what a settled attempt holds that nobody will read. */
  discard(settled: Settled): void {
    try {
      (this.options.discard ?? discardBody)(settled);
    } catch {
      // What cannot be freed is no reason to fail a call that goes on.
    }
  }

  #mayRetry({ retry }: Verdict): boolean {
    if (retry === 'never') return false;
    return retry === 'always' ? this.options.replayable !== false : this.#repeatable;
  }

  /** How to pause before another attempt, or `undefined` when this end is the call's. */
  #plan({ settled, verdict }: AttemptEnd): Pause | undefined {
    const { options, env, guards } = this.deps;
    if (!this.#mayRetry(verdict) || this.#attempts >= options.maxAttempts) return undefined;
    const nowMs = this.clock.now();
    const elsewhere = this.#route.hasUntried(nowMs);
    if (verdict.where === 'elsewhere' && !this.#route.hasNew(nowMs)) return undefined;
    // Nothing was sent and another instance can take it: no reason to wait. Retry-After binds only the
    // instances that sent it.
    const pauseMs =
      elsewhere && verdict.retry === 'always'
        ? 0
        : Math.max(
            backoffMs(this.#attempts, env.rng),
            elsewhere ? 0 : this.#route.dueMs(nowMs) - nowMs,
          );
    if (nowMs + pauseMs >= this.#deadline.atMs) return undefined;
    if (guards.budget?.withdraw(nowMs) === false) {
      this.#records.noteRefused(this.#attempts);
      return undefined;
    }
    this.#owesRetry = true;
    this.discard(settled);
    return () => (pauseMs === 0 ? Promise.resolve() : this.clock.sleep(pauseMs, this.signal));
  }
}

function endOf(sending: Sending): Promise<AttemptEnd> {
  return sending.end;
}
