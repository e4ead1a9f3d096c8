import { Attempt, type CallFunction, describeSettled } from './attempt.js';
import { FairleadError, tellAttempts } from './errors.js';
import type { Events } from './events.js';
import type { InstanceSet } from './instance-set.js';
import type { Lease, Traffic } from './instance-state.js';
import { type CallOptions, checkVerdict } from './call-options.js';
import type { ResolvedOptions } from './options.js';
import { classify } from './resilience/classify.js';
import { Deadline, type Limit } from './resilience/deadline.js';
import { discardBody } from './resilience/discard.js';
import { backoffMs, type Pause, retryLoop } from './resilience/retry.js';
import type { Selection } from './selection.js';
import type {
  AttemptRecord,
  CallContext,
  Env,
  Instance,
  Outcome,
  Settled,
  Verdict,
} from './types.js';
import { isOutcome } from './validate.js';

/** What a call needs of its client. */
export interface CallDeps {
  readonly options: ResolvedOptions;
  readonly set: InstanceSet;
  readonly selection: Selection;
  readonly env: Env;
  readonly events: Events;
  readonly traffic: Traffic;
}

/** How an attempt ended, and what follows from it. */
interface AttemptEnd {
  readonly settled: Settled;
  readonly verdict: Verdict;
}

/** Ended by us or by the caller: blames nobody and ends the call. */
const FINAL: Verdict = { outcome: 'ignored', retry: 'never' };

const NOTHING_TRIED: ReadonlySet<string> = new Set();

/** Runs one call: deadline, attempts, pick, send, outcome. Rejects with the error of the last attempt. */
export function execute<T>(fn: CallFunction<T>, options: CallOptions, deps: CallDeps): Promise<T> {
  return new Call(fn, options, deps).run();
}

/** An end that no attempt came to. */
function over(error: unknown): AttemptEnd {
  return { settled: { ok: false, error }, verdict: FINAL };
}

class Call<T> implements CallContext {
  nowMs: number;
  excluded: ReadonlySet<string> = NOTHING_TRIED;
  readonly hashKey: string | undefined;
  retry = false;
  readonly passing = false;
  readonly #deadline: Deadline;
  readonly #timeoutMs: number;
  /** Whether an attempt that the instance may have acted on can be made again. */
  readonly #repeatable: boolean;
  readonly #records: AttemptRecord[] = [];
  #attempts = 0;
  #lastError: unknown;
  /** Ends the attempt under way, if there is one. */
  #cancelAttempt: ((reason: unknown) => void) | undefined;

  constructor(
    private readonly fn: CallFunction<T>,
    private readonly options: CallOptions,
    private readonly deps: CallDeps,
  ) {
    const { timeoutMs, attemptTimeoutMs, maxAttempts } = deps.options;
    this.nowMs = deps.env.clock.now();
    this.hashKey = options.hashKey;
    this.#repeatable = options.idempotent === true && options.replayable !== false;
    this.#timeoutMs = options.timeoutMs ?? timeoutMs;
    this.#deadline = new Deadline(this.nowMs, {
      timeoutMs: this.#timeoutMs,
      attemptTimeoutMs: options.attemptTimeoutMs ?? attemptTimeoutMs,
      shares: this.#repeatable ? maxAttempts : 1,
    });
  }

  get inFlight(): number {
    return this.deps.traffic.inFlight;
  }

  async run(): Promise<T> {
    const { signal } = this.options;
    signal?.throwIfAborted();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    try {
      const { set, selection } = this.deps;
      if (set.status === 'waiting' || selection.isPending(this.nowMs)) await this.#firstList();
      const first = await this.#attempt();
      const pause = this.#plan(first);
      const { settled } =
        pause === undefined ? first : await retryLoop(pause, this.#attempt, this.#plan);
      if (settled.ok) return settled.value as T;
      throw this.#tell(settled.error);
    } finally {
      signal?.removeEventListener('abort', this.#onAbort);
    }
  }

  readonly #onAbort = (): void => {
    this.#cancelAttempt?.(this.options.signal?.reason);
  };

  #firstList(): Promise<void> {
    const { set, selection, env } = this.deps;
    return set.whenListed({
      until: () => set.isAnswered() && !selection.isPending(env.clock.now()),
      deadlineMs: this.#deadline.atMs,
      error: () =>
        this.#error(
          'ERR_FAIRLEAD_NOT_READY',
          set.isAnswered()
            ? `${selection.nothing()[1]}, as far as was found out within the deadline`
            : 'no list of instances within the deadline',
        ),
      signal: this.options.signal,
    });
  }

  readonly #attempt = (): Promise<AttemptEnd> => {
    const { signal } = this.options;
    if (signal?.aborted === true) {
      return Promise.resolve(over(signal.reason));
    }
    this.nowMs = this.deps.env.clock.now();
    if (this.nowMs >= this.#deadline.atMs) return Promise.resolve(over(this.#pastDeadline()));
    const lease = this.#pick();
    return lease === undefined ? Promise.resolve(over(this.#noInstances())) : this.#send(lease);
  };

  #pick(): Lease | undefined {
    const { selection } = this.deps;
    const lease = selection.pick(this);
    if (lease !== undefined || this.excluded.size === 0) return lease;
    this.excluded = NOTHING_TRIED; // all were tried: better the same again than none
    return selection.pick(this);
  }

  #send(lease: Lease): Promise<AttemptEnd> {
    const attempt = new Attempt(lease, ++this.#attempts);
    return new Promise((resolve) => {
      let ended = false;
      const end = (settled: Settled, verdict: Verdict): void => {
        ended = true;
        timer.cancel();
        this.#cancelAttempt = undefined;
        try {
          if (verdict.outcome === 'success' && attempt.held !== undefined) {
            this.#holdOpen(lease, attempt, attempt.held);
          } else lease.end(verdict.outcome, verdict.retryAfterMs);
          this.#note(lease, settled, verdict);
          resolve({ settled, verdict });
        } catch (error) {
          // A load of the application's own threw. That must not leave the call unsettled.
          resolve(over(error));
        }
      };
      const abort = (error: unknown, verdict: Verdict): void => {
        end({ ok: false, error }, verdict); // first: what the function makes of the signal is too late
        attempt.abort(error);
      };
      const settle = (settled: Settled): void => {
        if (ended)
          this.#discard(settled); // too late: the attempt timed out or was cancelled
        else this.#judge(settled, lease.instance, end);
      };
      const limit = this.#limit(lease);
      const timer = this.deps.env.clock.setTimer(limit.ms, () => {
        abort(this.#timeout(lease, limit), this.#deadline.verdictOf(limit));
      });
      this.#cancelAttempt = (reason) => {
        abort(reason, FINAL);
      };
      try {
        Promise.resolve(this.fn(attempt)).then(
          (value) => {
            settle({ ok: true, value });
          },
          (error: unknown) => {
            settle({ ok: false, error });
          },
        );
      } catch (error) {
        settle({ ok: false, error });
      }
    });
  }

  /** The function has returned, its body still streams: the instance stays busy and the caller can still cancel. */
  #holdOpen(lease: Lease, attempt: Attempt, held: Promise<Outcome>): void {
    const { signal } = this.options;
    const onAbort = (): void => {
      attempt.abort(signal?.reason);
    };
    const finish = (outcome: Outcome): void => {
      signal?.removeEventListener('abort', onAbort);
      lease.end(signal?.aborted === true ? 'ignored' : outcome);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    lease.answered();
    held.then(
      (outcome) => {
        finish(isOutcome(outcome) ? outcome : 'failure');
      },
      () => {
        finish('failure');
      },
    );
  }

  /** Frees what a settled attempt holds that nobody will read (a response body holds its connection). */
  #discard(settled: Settled): void {
    try {
      (this.options.discard ?? discardBody)(settled);
    } catch {
      // What cannot be freed is no reason to fail a call that goes on.
    }
  }

  #judge(
    settled: Settled,
    instance: Instance,
    end: (settled: Settled, verdict: Verdict) => void,
  ): void {
    let verdict: Verdict;
    try {
      verdict =
        checkVerdict(this.options.classify?.(settled, instance)) ??
        checkVerdict(this.deps.options.classify?.(settled, instance)) ??
        classify(settled, instance);
    } catch (error) {
      end({ ok: false, error }, FINAL); // a broken `classify` is the application's fault
      return;
    }
    end(settled, verdict);
  }

  /** How to pause before another attempt, or `undefined` when this end is the call's. */
  readonly #plan = ({ settled, verdict }: AttemptEnd): Pause | undefined => {
    const { options, selection, env } = this.deps;
    const mayRetry =
      verdict.retry === 'always' ? this.options.replayable !== false : this.#repeatable;
    if (verdict.retry === 'never' || !mayRetry || this.#attempts >= options.maxAttempts) {
      return undefined;
    }
    const nowMs = env.clock.now();
    const elsewhere = selection.hasUntried(this.excluded, nowMs);
    // Nothing was sent and another instance can take it: no reason to wait. Retry-After binds only the
    // instance that sent it.
    const pauseMs =
      elsewhere && verdict.retry === 'always'
        ? 0
        : Math.max(backoffMs(this.#attempts, env.rng), elsewhere ? 0 : (verdict.retryAfterMs ?? 0));
    if (nowMs + pauseMs >= this.#deadline.atMs) return undefined;
    this.#discard(settled);
    return () =>
      pauseMs === 0 ? Promise.resolve() : env.clock.sleep(pauseMs, this.options.signal);
  };

  #note(lease: Lease, settled: Settled, { outcome }: Verdict): void {
    const { events, env, options } = this.deps;
    if (outcome !== 'success') {
      this.excluded = new Set([...this.excluded, lease.instance.id]);
      this.retry = true;
      if (!settled.ok) this.#lastError = settled.error;
    } else if (!events.hears('attempt.ended')) return;
    const record: AttemptRecord = {
      attempt: this.#attempts,
      instanceId: lease.instance.id,
      durationMs: env.clock.now() - lease.startedAtMs,
      outcome,
      error: describeSettled(settled),
    };
    this.#records.push(record);
    events.emit('attempt.ended', { service: options.service, ...record });
  }

  #limit({ instance, startedAtMs }: Lease): Limit {
    const elsewhere = this.deps.selection.hasUntried(this.excluded, startedAtMs, instance.id);
    return this.#deadline.limitOf(this.#attempts, startedAtMs, elsewhere);
  }

  #timeout(lease: Lease, { ms, isDeadline }: Limit): FairleadError {
    return isDeadline
      ? this.#pastDeadline()
      : this.#error(
          'ERR_FAIRLEAD_ATTEMPT_TIMEOUT',
          `instance ${lease.instance.id} gave no answer within attemptTimeoutMs ${String(Math.round(ms))}`,
        );
  }

  #pastDeadline(): FairleadError {
    return this.#error(
      'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
      `no answer within timeoutMs ${String(this.#timeoutMs)}, in ${String(this.#attempts)} attempt(s)`,
    );
  }

  #noInstances(): FairleadError {
    const [code, what] = this.deps.selection.nothing();
    return this.#error(code, what);
  }

  #error(code: FairleadError['code'], what: string): FairleadError {
    const { options, set } = this.deps;
    return new FairleadError(code, `Service "${options.service}": ${what}${set.troubleText}.`, {
      cause: this.#lastError ?? set.trouble,
      attempts: this.#records,
    });
  }

  /** The error as the caller gets it: their own, with the call's story in `fairlead`. */
  #tell(error: unknown): unknown {
    const own = error instanceof FairleadError || error === this.options.signal?.reason;
    if (!own && error instanceof Error && Object.isExtensible(error)) {
      tellAttempts(error, this.#records);
    }
    return error;
  }
}
