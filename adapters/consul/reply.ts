import { isObject } from '../../src/validate.js';
import { AgentError, type AgentReply } from './agent-error.js';

export interface Reply {
  readonly entries: readonly unknown[];
  /** X-Consul-Index, or 0 when the reply carries none to wait on. */
  readonly index: number;
}

/** The JSON that a 200 carries. @throws {AgentError} saying what is wrong with it. */
export function readJson(
  { status, headers, body }: AgentReply,
  scrub: (text: string) => string,
): unknown {
  const type = String(headers['content-type']);
  if (!/^application\/json\b/i.test(type)) {
    throw new AgentError(`the reply is no JSON but ${scrub(type.slice(0, 80))}`, { status });
  }
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // What a parser says quotes the text.
    throw new AgentError('the reply is no JSON', { status });
  }
}

/** As {@link readJson}, for a JSON array. */
export function readReply(reply: AgentReply, scrub: (text: string) => string): Reply {
  const body = readJson(reply, scrub);
  if (!Array.isArray(body)) {
    const found = isObject(body) ? 'an object' : body === null ? 'null' : `a ${typeof body}`;
    throw new AgentError(`the reply is no list but ${found}`, { status: reply.status });
  }
  return { entries: body, index: readIndex(reply.headers['x-consul-index']) };
}

function readIndex(header: unknown): number {
  if (typeof header !== 'string' || !/^\d+$/.test(header)) return 0;
  const index = Number(header);
  return Number.isSafeInteger(index) ? index : 0;
}

/**
 * The index to block on after a good reply. One that went backwards is of another history (a restarted
 * agent, a restored snapshot): waiting on it would blind us until the wait ends, so the next read does not block.
 *
 * @see https://developer.hashicorp.com/consul/api-docs/features/blocking "Implementation details"
 */
export function nextIndex(previous: number, received: number): number {
  return received < previous ? 0 : received;
}
