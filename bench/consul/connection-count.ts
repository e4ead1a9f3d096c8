import type { TcpProxy } from '../../src/testing.js';

/**
 * Counts the most connections open at a time, from above: those open at one reading and all that were opened until the
 * next, so that none that came and went in between is missed. One counts until the agent has let go of it, too, as it does
 * for the agent's own limit.
 */
export function countConnections(proxy: TcpProxy): { stop(): number } {
  let most = 0;
  let { open, connections } = proxy;
  const read = (): void => {
    most = Math.max(most, open + proxy.connections - connections);
    ({ open, connections } = proxy);
  };
  const timer = setInterval(read, 5);
  return {
    stop: () => {
      clearInterval(timer);
      read();
      return most;
    },
  };
}
