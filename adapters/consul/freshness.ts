import type { AgentReply } from './agent-error.js';
import type { Ladder } from './ladder.js';

/** A server that has not heard the leader for longer than this has old lists. */
const OLD_MS = 10_000;

/** What a reply says of its own age. */
export interface Freshness {
  /** Whether the server that answered knows a leader; `undefined` when the reply does not tell, as the next two. */
  readonly knownLeader: boolean | undefined;
  /** Since the server that answered heard the leader. */
  readonly lastContactMs: number | undefined;
  /** Since the agent's cache was in touch with the servers; `undefined` when the reply is not from the cache. */
  readonly cacheAgeMs: number | undefined;
}

export function readFreshness(headers: AgentReply['headers']): Freshness {
  // Since 1.10 the agent's streaming backend answers parked queries, and always says `false` (hashicorp/consul#9776).
  const isStreamed = headers['x-consul-query-backend'] === 'streaming';
  const leader = isStreamed ? undefined : headers['x-consul-knownleader'];
  const age = readNumber(headers['age']);
  const fromCache = headers['x-cache'] === 'HIT' && age !== undefined;
  return {
    knownLeader: leader === 'true' ? true : leader === 'false' ? false : undefined,
    lastContactMs: readNumber(headers['x-consul-lastcontact']),
    cacheAgeMs: fromCache ? age * 1_000 : undefined,
  };
}

function readNumber(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : undefined;
}

/** Why the list of a good reply may be out of date, in words; `undefined` when it is current. */
export function whyStale(
  { knownLeader, lastContactMs = 0, cacheAgeMs }: Freshness,
  { consistency, isLowered }: Pick<Ladder, 'consistency' | 'isLowered'>,
): string | undefined {
  if (cacheAgeMs !== undefined) {
    if (!isLowered && cacheAgeMs <= OLD_MS) return undefined;
    return `no server answers: from the agent's cache, ${String(cacheAgeMs / 1_000)} s old`;
  }
  // What the cache lacked, a server has just answered.
  const isOld = knownLeader === false || lastContactMs > OLD_MS;
  if (!isOld && (!isLowered || consistency === 'cached')) return undefined;
  if (consistency === 'default') return 'the leader could not make sure that it is one';
  return `no leader answers: from a server ${String(lastContactMs)} ms behind`;
}
