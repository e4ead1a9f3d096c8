import type { Clock } from '../../../src/types.js';
import type { ConnectionSource } from '../agent.js';
import type { AgentSource } from '../agent-options.js';
import { ConnectionPool } from '../connection-pool.js';

/** Of their own, for the parked queries of watches would hold up heartbeats. */
const SOCKETS = 4;

/** The share of one registration in the sockets of all. */
export interface PoolShare extends ConnectionSource {
  /** The same for all shares of a pool. */
  readonly pool: ConnectionPool;
  /** Gives the share up. The sockets close with the last. May be called twice. */
  close(): void;
}

interface Entry {
  readonly pool: ConnectionPool;
  shares: number;
}

/**
 * The one registry of the whole process: Consul takes 200 connections from one address, so all registrations at an agent
 * have to share a few.
 */
const registry = new WeakMap<Clock, Map<unknown, Entry>>();

/** @param clock its timers must not keep the process alive. */
export function joinPool(source: AgentSource, clock: Clock): PoolShare {
  const entries = registry.get(clock) ?? new Map<unknown, Entry>();
  registry.set(clock, entries);
  const key = 'client' in source ? source.client : JSON.stringify([source.url.href, source.tls]);
  const entry = entries.get(key) ?? { pool: new ConnectionPool(source, SOCKETS, clock), shares: 0 };
  entries.set(key, entry);
  entry.shares++;
  const { pool } = entry;
  let closed = false;
  return {
    pool,
    use: (signal, task) => pool.use(signal, task),
    close() {
      if (closed) return;
      closed = true;
      if (--entry.shares > 0) return;
      entries.delete(key);
      pool.close();
    },
  };
}
