import { createHook } from 'node:async_hooks';

export interface TimerWatch {
  /** Where each timer was set that is still to ring, whether it keeps the process alive or not. */
  left(): string[];
  stop(): void;
}

/** Follows the timers that the client and the driver set from now on; those of the tests themselves do not count. */
export function watchTimers(): TimerWatch {
  const setters = new Map<number, string>();
  const hook = createHook({
    init(id, type) {
      if (type !== 'Timeout') return;
      const [setter = ''] = stackLines().filter((line) => !NODES_OR_THIS.test(line));
      if (!OWN.test(setter)) setters.set(id, setter);
    },
    destroy(id) {
      setters.delete(id);
    },
  }).enable();
  return {
    left: () => [...setters.values()],
    stop: () => {
      hook.disable();
    },
  };
}

function stackLines(): string[] {
  return new Error().stack?.split('\n    at ').slice(1) ?? [];
}

const NODES_OR_THIS = /\bnode:|\/leftovers\.ts\b/;
const OWN = /\/node_modules\/@?vitest\/|\/test\/databases\//;

/** TCP connections of this process that are open; those to a server's own socket file do not count. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
}
