import { isObject } from '../../src/validate.js';
import { AgentError, type AgentReply } from './agent-error.js';

export interface Reply {
  readonly entries: readonly unknown[];
  /** X-Consul-Index, or 0 when the reply carries none to wait on. */
  readonly index: number;
}

/** The JSON that a 200 carries. @throws {AgentError} saying what is wrong with it. */
export function readJson(reply: AgentReply, scrub: (text: string) => string): unknown {
  checkJson(reply, scrub);
  return parse(reply.body);
}

function checkJson({ status, headers }: AgentReply, scrub: (text: string) => string): void {
  const type = String(headers['content-type']);
  if (/^application\/json\b/i.test(type)) return;
  throw new AgentError(`the reply is no JSON but ${scrub(type.slice(0, 80))}`, { status });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // What a parser says quotes the text.
    throw new AgentError('the reply is no JSON', { status: 200 });
  }
}

/** The list that a 200 to a read carries. @throws {AgentError} saying what is wrong with it. */
export async function readReply(
  reply: AgentReply,
  entriesOf: (body: Buffer) => Promise<readonly unknown[]>,
  scrub: (text: string) => string,
): Promise<Reply> {
  checkJson(reply, scrub);
  const entries = await entriesOf(reply.body);
  return { entries, index: readIndex(reply.headers['x-consul-index']) };
}

/** The elements of a JSON array. @throws {AgentError} when it is none. */
export function parseList(body: Buffer): Promise<readonly unknown[]> {
  return new Promise((resolve) => {
    const list = parse(body);
    if (!Array.isArray(list)) {
      const found = isObject(list) ? 'an object' : list === null ? 'null' : `a ${typeof list}`;
      throw new AgentError(`the reply is no list but ${found}`, { status: 200 });
    }
    resolve(list as readonly unknown[]);
  });
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
