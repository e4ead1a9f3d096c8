import { backgroundClock } from '../../src/env.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type {
  Clock,
  DiscoveryAdapter,
  DiscoveryFault,
  SourceStanding,
  Rng,
  Snapshot,
  WatchContext,
} from '../../src/types.js';

/** One running watch and all it said. */
export interface Watched {
  readonly snapshots: readonly Snapshot[];
  readonly faults: readonly DiscoveryFault[];
  /** What the adapter confirmed, in order. */
  readonly confirmed: readonly SourceStanding[];
  readonly signal: AbortSignal;
  /** Settles when the watch ends. */
  readonly done: Promise<void>;
  /** Makes every sleep of the adapter end early, as a client does that wants fresh data. */
  refresh(): void;
  /** Resolves as soon as `condition` holds; it is asked after each snapshot and each fault. */
  until(condition: (watched: Watched) => boolean): Promise<void>;
  abort(): Promise<void>;
}

export function watchWith(
  adapter: DiscoveryAdapter,
  options: { service?: string; clock?: Clock; rng?: Rng } = {},
): Watched {
  const { service = 'web', clock = new ManualClock(), rng = seededRng(1) } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const snapshots: Snapshot[] = [];
  const faults: DiscoveryFault[] = [];
  const confirmed: SourceStanding[] = [];
  const asleep = new Set<() => void>();
  const waiting = new Set<() => void>();

  const context: WatchContext = {
    signal,
    clock: backgroundClock(clock),
    rng,
    sleep: (ms) => sleepUntilWoken(ms, backgroundClock(clock), signal, asleep),
    report: (fault) => {
      faults.push(fault);
      for (const check of waiting) check();
    },
    confirm: (standing = {}) => {
      confirmed.push(standing);
      for (const check of waiting) check();
    },
  };
  const run = async (): Promise<void> => {
    for await (const snapshot of adapter.watch(service, context)) {
      snapshots.push(snapshot);
      for (const check of waiting) check();
    }
  };
  const done = run();
  done.catch(() => undefined);
  const watched: Watched = {
    snapshots,
    faults,
    confirmed,
    signal,
    done,
    refresh: () => {
      for (const wake of [...asleep]) wake();
    },
    until: (condition) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!condition(watched)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        done.then(() => reject(new Error('the watch ended')), reject);
      }),
    abort: () => {
      controller.abort(new Error('test over'));
      return done;
    },
  };
  return watched;
}

/** As the core's: ends early when woken, holds no process, rejects on abort. */
function sleepUntilWoken(
  ms: number,
  clock: Clock,
  signal: AbortSignal,
  asleep: Set<() => void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      timer.cancel();
      asleep.delete(wake);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const wake = (): void => end(resolve);
    const onAbort = (): void => end(() => reject(signal.reason));
    const timer = clock.setTimer(ms, wake);
    asleep.add(wake);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}
