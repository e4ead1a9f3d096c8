import { AsyncLocalStorage, createHook } from 'node:async_hooks';

/** What one of several watchers in this process has open: by the call tree in which it was opened. */
export interface Leftovers {
  /** Runs `fn`; what it opens, then or later, counts. */
  within<T>(fn: () => T): T;
  /** TCP connections. */
  readonly sockets: number;
  /** Timers, whether they keep the process alive or not. */
  readonly timers: number;
}

const KINDS = { TCPWRAP: 'sockets', Timeout: 'timers' } as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

const owner = new AsyncLocalStorage<Record<Kind, Set<number>>>();
const opened = new Map<number, Set<number>>();

const hook = createHook({
  init(id, type) {
    const kind = (KINDS as Record<string, Kind>)[type];
    const own = kind && owner.getStore()?.[kind];
    if (own === undefined) return;
    own.add(id);
    opened.set(id, own);
  },
  destroy(id) {
    opened.get(id)?.delete(id);
    opened.delete(id);
  },
});

export function countLeftovers(): Leftovers {
  hook.enable();
  const own: Record<Kind, Set<number>> = { sockets: new Set(), timers: new Set() };
  return {
    within: (fn) => owner.run(own, fn),
    get sockets() {
      return own.sockets.size;
    },
    get timers() {
      return own.timers.size;
    },
  };
}
