import type { CallFunction } from './attempt.js';
import {
  type CallOptions,
  checkCallOptions,
  checkPickOptions,
  type PickOptions,
} from './call-options.js';
import { type ClientSnapshot, describeInstance } from './client-snapshot.js';
import { realEnv } from './env.js';
import { FairleadError } from './errors.js';
import { type EventName, Events, type Listener } from './events.js';
import { type CallDeps, execute } from './executor.js';
import { OpossumBreaker } from './health/breaker.js';
import { InstanceSet, NOTHING_TO_PICK } from './instance-set.js';
import type { Breaker, InstanceState, Lease, Traffic } from './instance-state.js';
import { type ClientOptions, type ResolvedBreaker, resolveOptions } from './options.js';
import { resolvePolicy } from './policies/by-name.js';
import { learnerOf } from './policies/peak-ewma.js';
import { type Explanation, Selection } from './selection.js';
import { available } from './stages/available.js';
import { draining } from './stages/draining.js';
import type { BreakerState, CallContext, Env } from './types.js';
import { checkFunction } from './validate.js';

/** One service's client. */
export interface Client {
  readonly service: string;
  /**
   * Calls `fn` with a picked instance, and again with another when that fails and may be retried. Waits for
   * the first list of instances, within the deadline.
   *
   * @returns what `fn` resolved with.
   * @throws the error of the last attempt, untouched but for `fairlead.attempts`; a {@link FairleadError} when
   * there was no instance, a time limit was reached, or the client is closed; the signal's reason when the
   * caller cancelled.
   */
  call<T>(fn: CallFunction<T>, options?: CallOptions): Promise<T>;
  /**
   * Picks an instance for use outside `call` (sockets, database pools). End the lease when done with it; where it
   * lives on after the instance has answered, say so with {@link Lease.answered}.
   *
   * @throws {FairleadError} when no list has come yet, no instance takes calls, or the client is closed.
   */
  pick(options?: PickOptions): Lease;
  /**
   * Resolves once an instance that takes calls is known.
   *
   * @throws {FairleadError} after `readyTimeoutMs`: `ERR_FAIRLEAD_NOT_READY`, or `ERR_FAIRLEAD_SERVICE_NOT_FOUND`
   * when the source knows no such service; its `cause` is the source's last fault.
   */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Listens to an event. @returns the function that takes the listener away again. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void;
  /** The live table. Plain JSON. */
  snapshot(): ClientSnapshot;
  /** Why the last pick went where it went. Plain JSON. */
  explain(): Explanation;
  /** Stops discovery, refuses new calls, waits for those in flight, frees everything. May be called twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the client of one service and starts to watch its instances.
 *
 * @throws {InvalidOptionError} naming the first option out of range.
 */
export function createClient(options: ClientOptions): Client {
  return new ServiceClient(options);
}

const NONE: ReadonlySet<string> = new Set();
const NO_OPTIONS: PickOptions = {};

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

class ServiceClient implements Client {
  readonly service: string;
  readonly #deps: CallDeps;
  readonly #events = new Events();
  readonly #discoveryName: string;
  readonly #policyName: string;
  #inFlight = 0;
  /** One for all: a pick allocates nothing but its lease. */
  readonly #pickContext: Mutable<CallContext> = {
    nowMs: 0,
    excluded: NONE,
    hashKey: undefined,
    inFlight: 0,
  };
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(given: ClientOptions) {
    const options = resolveOptions(given);
    const policy = resolvePolicy(options.policy);
    const env = options.env ?? realEnv();
    const { breaker } = options;
    const traffic: Traffic = { inFlight: 0 };
    const set: InstanceSet = new InstanceSet(options, env, this.#events, {
      traffic,
      clock: env.clock,
      learner: learnerOf(policy.load),
      createBreaker:
        breaker === undefined ? undefined : (state) => this.#createBreaker(state, breaker, env),
    });
    const selection = new Selection(set, [draining, available(options.panicRatio)], policy, env);
    this.service = options.service;
    this.#discoveryName = options.discovery.name;
    this.#policyName = policy.name;
    this.#deps = { options, set, selection, env, events: this.#events, traffic };
  }

  async call<T>(fn: CallFunction<T>, options: CallOptions = {}): Promise<T> {
    checkFunction('fn', fn);
    checkCallOptions(options);
    this.#refuseWhenClosed();
    this.#inFlight++;
    try {
      return await execute(fn, options, this.#deps);
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#onIdle?.();
    }
  }

  pick(options: PickOptions = NO_OPTIONS): Lease {
    if (options !== NO_OPTIONS) checkPickOptions(options);
    this.#refuseWhenClosed();
    const { set, selection, env, traffic } = this.#deps;
    const context = this.#pickContext;
    context.nowMs = env.clock.now();
    context.excluded = options.excluded === undefined ? NONE : new Set(options.excluded);
    context.hashKey = options.hashKey;
    context.inFlight = traffic.inFlight;
    const lease = selection.pick(context);
    if (lease !== undefined) return lease;
    const [code, what] = NOTHING_TO_PICK[set.status];
    throw new FairleadError(code, `Service "${this.service}": ${what}${set.troubleText}.`, {
      cause: set.trouble,
    });
  }

  ready(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { set, env } = this.#deps;
    const { readyTimeoutMs } = this.#deps.options;
    return set.whenListed({
      for: 'instance',
      deadlineMs: env.clock.now() + readyTimeoutMs,
      signal: options.signal,
      error: () => {
        const [, what] = NOTHING_TO_PICK[set.status];
        return new FairleadError(
          set.status === 'not-found' ? 'ERR_FAIRLEAD_SERVICE_NOT_FOUND' : 'ERR_FAIRLEAD_NOT_READY',
          `Service "${this.service}" was not ready within readyTimeoutMs ${String(readyTimeoutMs)}: ${what}${set.troubleText}.`,
          { cause: set.trouble },
        );
      },
    });
  }

  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#events.on(name, listener);
  }

  snapshot(): ClientSnapshot {
    const { set, selection, env } = this.#deps;
    const { lastSnapshotAtMs } = set;
    const nowMs = env.clock.now();
    return {
      service: this.service,
      status: this.#closing === undefined ? set.status : 'closed',
      discovery: {
        adapter: this.#discoveryName,
        ageMs: lastSnapshotAtMs === undefined ? undefined : nowMs - lastSnapshotAtMs,
        holding: set.holding,
        lastFault: set.lastFault?.message,
      },
      policy: this.#policyName,
      panic: selection.panic,
      rebuilds: selection.rebuilds,
      inFlight: this.#inFlight,
      instances: [
        ...set
          .members()
          .map(({ instance, state }) =>
            describeInstance(state, instance.weight > 0 ? 'listed' : 'draining', nowMs),
          ),
        ...set.leaving().map((state) => describeInstance(state, 'leaving', nowMs)),
      ],
    };
  }

  explain(): Explanation {
    return this.#deps.selection.explain(this.#deps.env.clock.now());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#deps.set.close(this.#closedError());
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#deps.set.shutdown();
    this.#events.removeAll();
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw this.#closedError();
  }

  #closedError(): FairleadError {
    return new FairleadError('ERR_FAIRLEAD_CLOSED', `The client of "${this.service}" is closed.`);
  }

  #createBreaker(state: InstanceState, settings: ResolvedBreaker, env: Env): Breaker {
    return new OpossumBreaker(settings, env, (to) => {
      this.#deps.set.invalidate();
      this.#tellBreaker(state.instance.id, to, env);
    });
  }

  #tellBreaker(instanceId: string, to: BreakerState, env: Env): void {
    const at = { service: this.service, instanceId };
    if (to.kind === 'closed') this.#events.emit('breaker.closed', at);
    else if (to.kind === 'open') {
      this.#events.emit('breaker.opened', { ...at, openMs: to.untilMs - env.clock.now() });
    } else if (to.probeUntilMs !== undefined) this.#events.emit('breaker.half-opened', at);
  }
}
