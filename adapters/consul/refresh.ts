import type { WatchContext } from '../../src/types.js';
import type { Pause } from './pace.js';

const ARMED_FOR_MS = 60_000;
const REST_MS = 1_000;
// Timers round: one that fires a little early is no wish.
const EARLY_MS = 250;

export interface RefreshListener {
  /** Fresh data was asked for since the last good read. */
  wanted: boolean;
  /** Runs when fresh data is asked for; `undefined` for nobody. */
  notify: (() => void) | undefined;
  stop(): void;
}

/**
 * Hears the client's wish for fresh data while a query is parked. The contract tells it by one sign only, a
 * `context.sleep` that ends early, so one is always out: not one per query, for it cannot be taken back.
 */
export function listenForRefresh(context: WatchContext): RefreshListener {
  const { clock } = context;
  let stopped = false;
  const listener: RefreshListener = {
    wanted: false,
    notify: undefined,
    stop: () => {
      stopped = true;
    },
  };
  const listen = async (): Promise<void> => {
    while (!stopped) {
      const startMs = clock.now();
      await context.sleep(ARMED_FOR_MS);
      if (clock.now() - startMs > ARMED_FOR_MS - EARLY_MS) continue;
      listener.wanted = true;
      listener.notify?.();
      // The wish may last (every call fails); it is granted once a second.
      await context.clock.sleep(REST_MS, context.signal);
    }
  };
  listen().catch(() => undefined); // aborted: nobody is left to listen for
  return listener;
}

/** Waits `ms`, or until fresh data is wanted, but not less than `atLeastMs`. Rejects on abort. */
export async function rest({ ms, atLeastMs }: Pause, context: WatchContext): Promise<void> {
  if (ms === 0) return;
  const startMs = context.clock.now();
  await context.sleep(ms);
  const leftMs = startMs + atLeastMs - context.clock.now();
  if (leftMs > 0) await context.clock.sleep(leftMs, context.signal);
}
