import { backgroundClock } from './env.js';
import { FairleadError, show } from './errors.js';
import type {
  DiscoveryAdapter,
  DiscoveryFault,
  Env,
  Snapshot,
  SourceStanding,
  WatchContext,
} from './types.js';

/** Pause before watching again: equal jitter under a ceiling that doubles, in ms. */
const FIRST_CEILING_MS = 1_000;
const LAST_CEILING_MS = 30_000;

export interface WatchHandlers {
  /** Throws when the snapshot is unusable: that counts as a fault of the source. */
  onSnapshot(snapshot: Snapshot): void;
  /** The adapter threw, returned early, emitted garbage, or reported a fault it tolerated. */
  onFault(fault: DiscoveryFault): void;
  /** The source was heard, and what it said last still holds. */
  onConfirm(standing: SourceStanding): void;
}

/**
 * Keeps one adapter watching one service until closed: whatever the adapter does, it is asked again after a
 * jittered pause. Never keeps the process alive.
 */
export class WatchLoop {
  #watch: AbortController | undefined;
  #closed = false;
  /** Watches that failed in a row. */
  #failures = 0;
  /** Ends the sleeps of the adapter and the pause between two watches. */
  readonly #wakers = new Set<() => void>();

  constructor(
    private readonly adapter: DiscoveryAdapter,
    private readonly service: string,
    private readonly env: Env,
    private readonly handlers: WatchHandlers,
  ) {}

  start(): void {
    void this.#run();
  }

  /** Fresh data is wanted: ends whatever pause the adapter or the loop is in. */
  wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }

  /** Has the source read anew: watching starts over at once. */
  restart(): void {
    this.#watch?.abort(new Error('watching starts over'));
    this.wake();
  }

  close(reason: Error): void {
    this.#closed = true;
    this.#watch?.abort(reason);
    this.wake();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const startedMs = this.env.clock.now();
      const watch = new AbortController();
      this.#watch = watch;
      try {
        await this.#consume(watch.signal);
      } catch (error) {
        if (watch.signal.aborted) continue; // closed, or told to start over
        watch.abort(error);
        this.handlers.onFault(toFault(error));
        if (this.env.clock.now() - startedMs >= LAST_CEILING_MS) this.#failures = 0; // it held for long
        const ceilingMs = Math.min(LAST_CEILING_MS, FIRST_CEILING_MS * 2 ** this.#failures++);
        await this.#pause(ceilingMs / 2 + this.env.rng.next() * (ceilingMs / 2));
      }
    }
  }

  /** Hands on snapshots until the adapter fails or `signal` aborts; always ends by throwing. */
  async #consume(signal: AbortSignal): Promise<never> {
    const iterable: unknown = this.adapter.watch(this.service, this.#context(signal));
    if (!isAsyncIterable(iterable)) {
      throw new FairleadError(
        'ERR_FAIRLEAD_DISCOVERY',
        `watch() of adapter ${show(this.adapter.name)} must return an async iterable; got ${show(iterable)}.`,
      );
    }
    const iterator = iterable[Symbol.asyncIterator]();
    try {
      for (let snapshots = 1; ; snapshots++) {
        const next = await unlessAborted(iterator.next(), signal);
        if (next.done === true) {
          throw new FairleadError(
            'ERR_FAIRLEAD_DISCOVERY',
            `Adapter ${show(this.adapter.name)} stopped watching before it was told to.`,
          );
        }
        this.handlers.onSnapshot(next.value);
        // One snapshot does not make a watch healthy: an adapter may yield one and break, each time.
        if (snapshots > 1) this.#failures = 0;
      }
    } finally {
      // Not awaited: an adapter deaf to the signal must not hold up closing.
      Promise.resolve(iterator.return?.()).catch(() => undefined);
    }
  }

  #context(signal: AbortSignal): WatchContext {
    const { clock, rng } = this.env;
    return {
      signal,
      clock: backgroundClock(clock),
      rng,
      sleep: (ms) =>
        signal.aborted
          ? Promise.reject(signal.reason as Error)
          : unlessAborted(this.#pause(ms), signal),
      report: (fault) => {
        if (!signal.aborted) this.handlers.onFault(fault);
      },
      confirm: (standing = {}) => {
        if (!signal.aborted) this.handlers.onConfirm(standing);
      },
    };
  }

  /** Resolves after `ms`, on `wake`, or when the loop closes. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#wakers.delete(end);
        resolve();
      };
      const timer = this.env.clock.setTimer(ms, end);
      timer.unref();
      this.#wakers.add(end);
    });
  }
}

function toFault(error: unknown): DiscoveryFault {
  const message = error instanceof Error ? error.message : show(error);
  return { message, effect: 'stale', cause: error };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<Snapshot> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** `promise`, or a rejection with the signal's reason as soon as it aborts. Leaves no listener behind. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
