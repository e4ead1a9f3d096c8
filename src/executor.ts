import { AsyncResource } from 'node:async_hooks';
import { allowManyListeners } from './abortable.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import { type AttemptEnd, type EndListener, final } from './attempt-end.js';
import type { Bulkhead, Turn } from './bulkhead.js';
import { type AbortListener, Cancellation } from './cancellation.js';
import type { Caller } from './caller.js';
import { CallErrors } from './call-errors.js';
import { type CallOptions, checkVerdict } from './call-options.js';
import { CallRecords } from './call-records.js';
import { CallRoute } from './call-route.js';
import { CallWait, mustWait } from './call-wait.js';
import { inheritedMs } from './deadline-scope.js';
import type { Events } from './events.js';
import { surface } from './emitter.js';
import { hedged, type Sent } from './hedged.js';
import type { InstanceLimits } from './instance-limits.js';
import type { InstanceSet } from './instance-set.js';
import type { Traffic } from './instance-state.js';
import type { Lease } from './lease.js';
import type { ResolvedOptions } from './options.js';
import { classify, unsent } from './resilience/classify.js';
import { Deadline, type Limit } from './resilience/deadline.js';
import { discardBody } from './resilience/discard.js';
import type { Hedger } from './resilience/hedger.js';
import { backoffMs, type Pause, retryLoop } from './resilience/retry.js';
import type { RetryBudget } from './resilience/retry-budget.js';
import type { Selection } from './selection.js';
import type { UsualLatency } from './resilience/usual-latency.js';
import type { AttemptKind, Clock, Env, Instance, Settled, Verdict } from './types.js';

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

/**
 * Runs one call: deadline, attempts, pick, send, outcome. The caller is told how it ended: with the error of the last
 * attempt, where there was no answer.
 *
 * @returns its first attempt, for who asked to send; `undefined` where it is or will be sent, or the call has ended. What
 * throws in an attempt writes down ten frames of the stack, at half a microsecond each: better the application's than ours.
 */
export function startCall(
  caller: Caller,
  options: CallOptions<unknown>,
  deps: CallDeps,
): Attempt | undefined {
  const attempt = new Call(caller, options, deps).start();
  if (!deps.options.inheritDeadline) return attempt;
  attempt?.run(caller);
  return undefined;
}

const ONCE = { once: true };

/** A constant, and no object to be finalized. */
const RESOURCE = { requireManualDestroy: true };

/** It carries the async context that it was made in: timers and sockets have others. */
class Call extends AsyncResource implements AttemptOwner, EndListener {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly inheritDeadline: boolean;
  readonly #route: CallRoute;
  readonly #deadline: Deadline;
  /** Whether an attempt that the instance may have acted on can be made again. */
  readonly #repeatable: boolean;
  /** Made when needed: most calls end well, and nobody listens. */
  #madeRecords: CallRecords | undefined;
  /** The attempt under way, and the one beside it. */
  #attempt: Attempt | undefined;
  #hedge: Attempt | undefined;
  #attempts = 0;
  /** A retry was taken from the budget that is not made yet. */
  #owesRetry = false;
  #wait: CallWait | undefined;
  /** What the caller's signal tells. */
  #listener: AbortListener | undefined;

  constructor(
    private readonly caller: Caller,
    private readonly options: CallOptions<unknown>,
    private readonly deps: CallDeps,
  ) {
    super('FairleadCall', RESOURCE);
    const { timeoutMs, attemptTimeoutMs, maxAttempts, inheritDeadline } = deps.options;
    this.clock = deps.env.clock;
    this.signal = options.signal;
    this.inheritDeadline = inheritDeadline;
    this.#route = new CallRoute(deps, options.hashKey);
    this.#repeatable = options.idempotent === true && options.replayable !== false;
    this.#deadline = new Deadline(this.#route.nowMs, {
      timeoutMs: options.timeoutMs ?? timeoutMs,
      inheritedMs: inheritDeadline ? inheritedMs() : Infinity,
      attemptTimeoutMs: options.attemptTimeoutMs ?? attemptTimeoutMs,
      shares: this.#repeatable ? maxAttempts : 1,
    });
  }

  get #records(): CallRecords {
    return (this.#madeRecords ??= new CallRecords(
      this.deps.events,
      this.deps.options.service,
      this.options.onAttempt,
    ));
  }

  get #errors(): CallErrors {
    return new CallErrors(this.deps, this.#deadline, this.#records);
  }

  start(): Attempt | undefined {
    try {
      this.deps.gate.enter();
    } catch (error) {
      this.#tell({ ok: false, error });
      this.emitDestroy();
      return undefined;
    }
    try {
      if (this.signal !== undefined) this.#listenTo(this.signal);
      if (!mustWait(this.deps, this.#route.nowMs)) {
        return this.#begin('first', this.#route.nowMs, this);
      }
      void this.#beginLater();
    } catch (error) {
      this.#end({ ok: false, error });
    }
    return undefined;
  }

  /** @throws its reason, when it has aborted already. */
  #listenTo(signal: AbortSignal): void {
    if (signal.aborted) throw signal.reason as Error; // a polyfill may know no `throwIfAborted`
    allowManyListeners(signal);
    this.#listener = signal instanceof Cancellation ? this : this.#asFunction();
    signal.addEventListener('abort', this.#listener, ONCE);
  }

  /** Node makes an object one itself, which lasts until the next full collection; and not all polyfills take objects. */
  #asFunction(): () => void {
    return () => {
      this.handleEvent();
    };
  }

  /** The caller's signal has aborted. */
  handleEvent(): void {
    this.runInAsyncScope(this.#cancel, this); // who cancels has another context
  }

  #cancel(): void {
    this.#attempt?.cut(this.signal?.reason, 'cancelled');
    this.#hedge?.cut(this.signal?.reason, 'cancelled');
  }

  async #beginLater(): Promise<void> {
    this.#wait = new CallWait(this.deps, this.#turn());
    try {
      await this.#wait.over(() => this.#errors.notReady());
      this.#begin('first', this.clock.now(), this)?.run(this.caller);
    } catch (error) {
      this.#end({ ok: false, error });
    }
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

  /** The first attempt has ended. */
  ended(end: AttemptEnd): void {
    let pause: Pause | undefined;
    try {
      pause = this.#plan(end);
    } catch (error) {
      this.#end({ ok: false, error });
      return;
    }
    if (pause === undefined) this.#finish(end.settled);
    else this.#goOn(pause);
  }

  #goOn(pause: Pause): void {
    const next = (): Promise<AttemptEnd> =>
      new Promise((resolve) => {
        this.#begin('retry', this.clock.now(), { ended: resolve })?.run(this.caller);
      });
    retryLoop(pause, next, (end) => this.#plan(end)).then(
      ({ settled }) => {
        this.#finish(settled);
      },
      (error: unknown) => {
        this.#end({ ok: false, error });
      },
    );
  }

  /** An attempt's end is the call's. */
  #finish(settled: Settled): void {
    if (settled.ok) this.#end(settled);
    else {
      const { error } = settled;
      this.#end({ ok: false, error: this.#records.tell(error, error === this.signal?.reason) });
    }
  }

  #end(settled: Settled): void {
    const { guards, gate } = this.deps;
    this.#wait?.leave(); // before it is told: it may be followed by another at once
    if (this.#owesRetry) guards.budget?.putBack(this.clock.now());
    if (this.#listener !== undefined) this.signal?.removeEventListener('abort', this.#listener);
    this.#tell(settled); // who waits for the last call to close waits for its end to be told, too
    gate.leave();
    this.emitDestroy(); // costs nothing where no hook listens; one that does keeps a note of each call until then
  }

  #tell(settled: Settled): void {
    try {
      this.caller.end(settled);
    } catch (error) {
      surface(error); // thrown by who asked, at what it was told
    }
  }

  /**
   * @param listener told when the attempt, and where it is hedged the one beside it, has ended.
   * @returns the attempt, to be run; `undefined` where it is later, or has ended.
   */
  #begin(kind: AttemptKind, nowMs: number, listener: EndListener): Attempt | undefined {
    if (this.signal?.aborted === true) {
      listener.ended(final(this.signal.reason, 'cancelled'));
      return undefined;
    }
    if (nowMs >= this.#deadline.atMs) {
      listener.ended(final(this.#errors.pastDeadline(this.#attempts), 'deadline'));
      return undefined;
    }
    const lease = this.#route.next(nowMs);
    if (lease !== undefined) return this.#attemptAt(lease, kind, listener);
    void this.#beginOnceRoom(kind, listener);
    return undefined;
  }

  async #beginOnceRoom(kind: AttemptKind, listener: EndListener): Promise<void> {
    let end: AttemptEnd;
    try {
      const lease = await this.#route.nextWithRoom(this.#turn());
      if (lease === undefined) end = final(this.#errors.noInstances(), 'threw');
      else if (this.signal?.aborted === true) {
        lease.end('ignored'); // cancelled just when its turn had come
        end = final(this.signal.reason, 'cancelled');
      } else {
        this.#attemptAt(lease, kind, listener).run(this.caller);
        return;
      }
    } catch (error) {
      end = final(error, 'threw');
    }
    listener.ended(end);
  }

  #attemptAt(lease: Lease, kind: AttemptKind, listener: EndListener): Attempt {
    const { hedger } = this.deps.guards;
    return hedger !== undefined && kind === 'first' && this.#mayHedge()
      ? this.#makeHedged(lease, hedger, listener)
      : this.#make(lease, kind, listener);
  }

  #mayHedge(): boolean {
    return this.#repeatable && this.options.hedge !== false && this.deps.options.maxAttempts > 1;
  }

  #makeHedged(lease: Lease, hedger: Hedger, listener: EndListener): Attempt {
    const first = this.#makeAwaited(lease, 'first');
    const end = hedged(first, hedger, this.clock, {
      send: () => this.#sendHedge(first.attempt.instance.id),
      isFinal: ({ verdict }) => !this.#mayRetry(verdict),
      discard: (settled) => {
        this.discard(settled);
      },
    });
    void end.then((last) => {
      listener.ended(last);
    });
    return first.attempt;
  }

  #makeAwaited(lease: Lease, kind: AttemptKind): Sent {
    let resolve!: (end: AttemptEnd) => void;
    const end = new Promise<AttemptEnd>((settle) => {
      resolve = settle;
    });
    return { attempt: this.#make(lease, kind, { ended: resolve }), end };
  }

  #make(lease: Lease, kind: AttemptKind, listener: EndListener): Attempt {
    const number = ++this.#attempts;
    if (kind === 'retry') this.#owesRetry = false;
    const limit = this.#limitOf(lease);
    const attempt = new Attempt({ lease, number, kind, limit }, this, listener);
    if (kind === 'hedge') this.#hedge = attempt;
    else this.#attempt = attempt;
    return attempt;
  }

  #limitOf(lease: Lease): Limit {
    try {
      const elsewhere = this.#route.hasUntried(lease.startedAtMs, lease.instance);
      return this.#deadline.limitOf(this.#attempts, lease.startedAtMs, elsewhere);
    } catch (error) {
      lease.end('ignored'); // a policy of the application's own threw
      throw error;
    }
  }

  /** The second attempt beside a slow one, if there is another instance that can take it, and it is allowed. */
  #sendHedge(besideId: string): Sent | undefined {
    const { budget } = this.deps.guards;
    const nowMs = this.clock.now();
    if (nowMs >= this.#deadline.atMs) return undefined;
    if (budget !== undefined && budget.available(nowMs) < 1) return undefined;
    const lease = this.#route.beside(besideId);
    if (lease === undefined) return undefined;
    budget?.withdraw(nowMs);
    const sent = this.#makeAwaited(lease, 'hedge');
    sent.attempt.run(this.caller);
    return sent;
  }

  timeOut(attempt: Attempt): void {
    const { instance, limit } = attempt;
    const error = limit.isDeadline
      ? this.#errors.pastDeadline(this.#attempts)
      : this.#errors.attemptTimeout(instance.id, limit.ms);
    const verdict = this.#deadline.verdictOf(limit, this.deps.guards.usual.ms);
    attempt.cut(
      error,
      limit.isDeadline ? 'deadline' : 'timed-out',
      attempt.isUnsent ? unsent(verdict) : verdict,
    );
  }

  judge(settled: Settled, instance: Instance): AttemptEnd {
    const own =
      checkVerdict(this.options.classify?.(settled, instance)) ??
      checkVerdict(this.deps.options.classify?.(settled, instance));
    const verdict = own ?? this.options.rules?.(settled, instance) ?? classify(settled, instance);
    const ended = settled.ok ? 'returned' : 'threw';
    return { settled, verdict, ended, isDeliberate: own !== undefined };
  }

  note(attempt: Attempt, end: AttemptEnd, nowMs: number): void {
    if (this.#hedge === attempt) this.#hedge = undefined;
    else this.#attempt = undefined;
    const { instance, lease } = attempt;
    const { outcome, retry, retryAfterMs } = end.verdict;
    if (outcome === 'success') {
      this.deps.guards.budget?.deposit(nowMs);
      this.deps.guards.usual.record(nowMs - lease.startedAtMs);
      if (retry === 'never' && !this.#isHeard()) return;
    }
    if (this.#mayGoOn(end.verdict)) {
      this.#route.leave(instance, retryAfterMs === undefined ? undefined : nowMs + retryAfterMs);
    }
    this.#records.add(attempt, end, nowMs);
  }

  /** Another attempt may follow one that ended so, or one beside it may be followed by another. */
  #mayGoOn(verdict: Verdict): boolean {
    if (this.#attempts >= this.deps.options.maxAttempts) return false;
    return this.#mayRetry(verdict) || this.#attempt !== undefined || this.#hedge !== undefined;
  }

  #isHeard(): boolean {
    return this.options.onAttempt !== undefined || this.deps.events.hears('attempt.ended');
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
