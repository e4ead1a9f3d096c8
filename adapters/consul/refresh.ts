import type { WatchContext } from '../../src/types.js';

const ARMED_FOR_MS = 60_000;
const REST_MS = 1_000;
// Timers round: one that fires a little early is no wish.
const EARLY_MS = 250;

export interface RefreshListener {
  /** Fresh data was asked for since the last good read. */
  wanted: boolean;
  stop(): void;
}

/**
 * Hears the client's wish for fresh data, whatever the watch is doing. The contract tells it by one sign only, a
 * `context.sleep` that ends early, so one is always out: not one per query or pause, for it cannot be taken back.
 */
export function listenForRefresh(context: WatchContext, onWanted: () => void): RefreshListener {
  const { clock } = context;
  let stopped = false;
  const listener: RefreshListener = {
    wanted: false,
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
      onWanted();
      // The wish may last (every call fails); it is granted once a second.
      await context.clock.sleep(REST_MS, context.signal);
    }
  };
  listen().catch(() => undefined); // aborted: nobody is left to listen for
  return listener;
}
