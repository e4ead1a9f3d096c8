import { isObject } from '../../src/validate.js';
import { AgentError, type AgentResponse, badStatus, isAgentResponse } from './agent-error.js';

export interface Reply {
  readonly entries: readonly unknown[];
  /** X-Consul-Index, or 0 when the reply carries none to wait on. */
  readonly index: number;
}

/**
 * Checks what the npm client settled with: `[response, body]`, a 200 with JSON.
 *
 * @throws {AgentError} saying what is wrong with it.
 */
export function readJson(
  settled: unknown,
  scrub: (text: string) => string,
): { readonly headers: AgentResponse['headers']; readonly body: unknown } {
  const [response, body] = Array.isArray(settled) ? (settled as readonly unknown[]) : [];
  if (!isAgentResponse(response)) {
    throw new AgentError('the client did not hand over the response (ctx.includeResponse)');
  }
  if (response.statusCode !== 200) throw badStatus(response, scrub);
  const type = String(response.headers['content-type']);
  if (!/^application\/json\b/i.test(type)) {
    throw new AgentError(`the reply is no JSON but ${scrub(type.slice(0, 80))}`, { status: 200 });
  }
  return { headers: response.headers, body };
}

/** As {@link readJson}, for a JSON array. */
export function readReply(settled: unknown, scrub: (text: string) => string): Reply {
  const { headers, body } = readJson(settled, scrub);
  if (!Array.isArray(body)) {
    const found = isObject(body) ? 'an object' : typeof body;
    throw new AgentError(`the reply is no list but ${found}`, { status: 200 });
  }
  return { entries: body, index: readIndex(headers['x-consul-index']) };
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
