import { abortable, type WaitOptions } from './abortable.js';
import type { CallFunction } from './attempt-context.js';
import type { CallGate } from './call-gate.js';
import type { Caller } from './caller.js';
import {
  type CallOptions,
  checkCallOptions,
  checkPickOptions,
  type PickOptions,
} from './call-options.js';
import { FairleadError } from './errors.js';
import type { EventName, Listener } from './events.js';
import { type CallDeps, startCall } from './executor.js';
import { NOTHING_TO_PICK } from './instance-set.js';
import type { Lease } from './lease.js';
import { PromisedCaller } from './promised-caller.js';
import type { Explanation, Selection } from './selection.js';
import {
  checkSelector,
  describeSelectors,
  select,
  type Selector,
  selectsAll,
} from './stages/selector.js';
import type { CallContext } from './types.js';
import { checkFunction } from './validate.js';

/** What calls go through: a client, or a view of some of its instances. */
export interface ClientView {
  readonly service: string;
  /**
   * Calls `fn` with a picked instance, and again with another when that fails and may be retried. Waits for
   * the first list of instances, within the deadline.
   *
   * @returns what `fn` resolved with, or else what `fallback` gives.
   * @throws the error of the last attempt, untouched but for its story in `fairlead` ({@link storyOf}); a
   * {@link FairleadError} when there was no instance, a time limit was reached, too much was under way already, or the
   * client is closed; the signal's reason when the caller cancelled.
   */
  call<T, F = T>(fn: CallFunction<T>, options?: CallOptions<F>): Promise<T | F>;
  /**
   * Picks an instance for use outside `call` (sockets, database pools). End the lease when done with it; where it
   * lives on after the instance has answered, say so with {@link Lease.answered}.
   *
   * @throws {FairleadError} when no list has come yet, no instance takes calls or has room, or the client is closed.
   */
  pick(options?: PickOptions): Lease;
  /**
   * Resolves once an instance that takes calls is known; in a view, one that its selector means.
   *
   * @throws {FairleadError} after `readyTimeoutMs`: `ERR_FAIRLEAD_NOT_READY`, or `ERR_FAIRLEAD_SERVICE_NOT_FOUND`
   * when the source knows no such service; its `cause` is the source's last fault.
   */
  ready(options?: WaitOptions): Promise<void>;
  /** Listens to an event of the client, whichever view it came from. @returns the function that takes the listener away again. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void;
  /** Why the last pick went where it went. Plain JSON. */
  explain(): Explanation;
  /**
   * A view of the instances that have these tags, metadata and role. It shares all that is known of them, and has a
   * picker, priorities and zones of its own. Made once per selector: to ask again is cheap. A call for which no
   * instance matches fails with `ERR_FAIRLEAD_NO_MATCH`, unless the selector says `fallback: 'any'`: then it goes to any
   * of this view. A call by role waits for the first health checks, within its deadline.
   *
   * @throws {InvalidOptionError} naming what is out of range.
   */
  where(selector: Selector): ClientView;
  /** The same object for all views of one client. @internal */
  readonly origin?: object;
  /** What TLS connections name instead of the service. @internal */
  readonly tlsServername?: string | undefined;
  /** What a balancer of another library goes by. @internal */
  readonly inside?: Inside;
}

/** For who picks, or calls, in a way of its own. */
export interface Inside extends Pick<CallDeps, 'set' | 'selection' | 'env' | 'options'> {
  /** Its members are called when what may be picked can have changed, but for the time. They may not throw. */
  readonly news: Set<() => void>;
  /** As `call`, for who is told by callbacks. The options have been checked; `fallback` is not heeded. */
  start(caller: Caller, options: CallOptions): void;
  /** Whether `call` is the library's own, and none put in its place that wants to see each. */
  owns(call: ClientView['call']): boolean;
}

/** What all views of one client share. */
export interface Views {
  readonly gate: CallGate;
  readonly news: Inside['news'];
  readonly deps: Omit<CallDeps, 'selection' | 'gate'>;
  /** The selection of what all these selectors mean; of all the client's instances when there are none. */
  select(selectors: readonly Selector[]): Selection;
}

const NONE: ReadonlySet<string> = new Set();

/** An error's code, and its text. */
const CROWDED = [
  'ERR_FAIRLEAD_CONCURRENCY_LIMIT',
  'every instance has as much in flight as maxConcurrency.perInstance allows',
] as const;
const NO_OPTIONS: PickOptions & CallOptions = {};

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The library's own ways to make a call: what stands in the place of one wants to see each. */
export const ownCalls = new WeakSet<ClientView['call']>();

export class SelectedView implements ClientView {
  readonly service: string;
  readonly inside: Inside;
  readonly #deps: CallDeps;
  /** One for all: a pick allocates nothing but its lease. */
  readonly #pickContext: Mutable<CallContext> = {
    nowMs: 0,
    excluded: NONE,
    hashKey: undefined,
    inFlight: 0,
    retry: false,
    passing: false,
  };
  /** Views of views by their selectors, in words. */
  readonly #views = new Map<string, ClientView>();

  constructor(
    private readonly shared: Views,
    private readonly selectors: readonly Selector[] = [],
  ) {
    this.service = shared.deps.options.service;
    const deps = { ...shared.deps, gate: shared.gate, selection: shared.select(selectors) };
    this.#deps = deps;
    const { set, selection, env, options } = deps;
    const start: Inside['start'] = (caller, asked) => {
      startCall(caller, asked, deps)?.run(caller);
    };
    const owns: Inside['owns'] = (call) => ownCalls.has(call);
    this.inside = { set, selection, env, options, news: shared.news, start, owns };
  }

  get origin(): object {
    return this.shared;
  }

  get tlsServername(): string | undefined {
    return this.shared.deps.options.tls.servername;
  }

  /** Stages and picker of this view. */
  get selection(): Selection {
    return this.#deps.selection;
  }

  call<T, F = T>(fn: CallFunction<T>, options: CallOptions<F> = NO_OPTIONS): Promise<T | F> {
    try {
      checkFunction('fn', fn);
      checkCallOptions(options);
    } catch (error) {
      return Promise.reject(error);
    }
    const caller = new PromisedCaller(fn);
    const attempt = startCall(caller, options, this.#deps);
    if (attempt !== undefined) caller.send(attempt, attempt); // not `run`: a frame less in what it throws
    return options.fallback === undefined
      ? caller.promise
      : orElse(caller.promise, options.fallback, options.signal);
  }

  pick(options: PickOptions = NO_OPTIONS): Lease {
    if (options !== NO_OPTIONS) checkPickOptions(options);
    this.shared.gate.check();
    const { set, selection, env, traffic } = this.#deps;
    const context = this.#pickContext;
    context.nowMs = env.clock.now();
    context.excluded = options.excluded === undefined ? NONE : new Set(options.excluded);
    context.hashKey = options.hashKey;
    context.inFlight = traffic.inFlight;
    const lease = selection.pick(context);
    if (lease !== undefined) return lease;
    const [code, what] = selection.isCrowded(context.excluded, context.nowMs)
      ? CROWDED
      : selection.nothing();
    throw new FairleadError(code, `Service "${this.service}": ${what}${set.troubleText}.`, {
      cause: set.trouble,
    });
  }

  ready(options: WaitOptions = {}): Promise<void> {
    const { set, selection, env } = this.#deps;
    const { readyTimeoutMs } = this.#deps.options;
    return set.whenListed({
      until: this.#isReady,
      deadlineMs: env.clock.now() + readyTimeoutMs,
      signal: options.signal,
      error: () => {
        const [code, what] = selection.nothing();
        return new FairleadError(
          code === NOTHING_TO_PICK['not-found'][0] ? code : 'ERR_FAIRLEAD_NOT_READY',
          `Service "${this.service}" was not ready within readyTimeoutMs ${String(readyTimeoutMs)}: ${what}${set.troubleText}.`,
          { cause: set.trouble },
        );
      },
    });
  }

  readonly #isReady = (): boolean => {
    const { set, selection, env } = this.#deps;
    const taking = set.members().filter(({ instance }) => instance.weight > 0);
    return select(this.selectors, taking).length > 0 && !selection.isPending(env.clock.now());
  };

  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#deps.events.on(name, listener);
  }

  explain(): Explanation {
    return this.#deps.selection.explain(this.#deps.env.clock.now());
  }

  where(selector: Selector): ClientView {
    const own = checkSelector(selector);
    if (selectsAll(own)) return this;
    const wanted = [...this.selectors, own];
    const key = `${describeSelectors([own])}; ${String(own.fallback)}`;
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    if (this.#views.size >= MOST_VIEWS) this.#views.clear();
    const view = new SelectedView(this.shared, wanted);
    this.#views.set(key, view);
    return view;
  }
}

// eslint-disable-next-line @typescript-eslint/unbound-method
ownCalls.add(SelectedView.prototype.call);

async function orElse<T, F>(
  called: Promise<T>,
  fallback: F | ((error: unknown) => F | Promise<F>),
  signal: AbortSignal | undefined,
): Promise<T | F> {
  try {
    return await called;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    const given = isFunction(fallback) ? fallback(error) : fallback;
    return await abortable(Promise.resolve(given), signal);
  }
}

/** A fallback that is a function is called: it is no value. */
function isFunction<F>(
  fallback: F | ((error: unknown) => F | Promise<F>),
): fallback is (error: unknown) => F | Promise<F> {
  return typeof fallback === 'function';
}

/** So many are kept by their selectors, lest selectors made of data (a user's id) fill the memory. */
const MOST_VIEWS = 1_000;
