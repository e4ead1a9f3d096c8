import { AgentError, type AgentReply } from './agent-error.js';
import { parseJson } from './json-list.js';

export interface Reply {
  readonly entries: readonly unknown[];
  /** X-Consul-Index, or 0 when the reply carries none to wait on. */
  readonly index: number;
}

/** The entries in the body of a reply. Throws, or rejects, with an AgentError when it is none, and on abort. */
export type EntriesOf = (
  body: Buffer,
  signal?: AbortSignal,
) => readonly unknown[] | Promise<readonly unknown[]>;

/** The JSON that a 200 carries. @throws {AgentError} saying what is wrong with it. */
export function readJson(reply: AgentReply, scrub: (text: string) => string): unknown {
  checkJson(reply, scrub);
  return parseJson(reply.body);
}

function checkJson({ status, headers }: AgentReply, scrub: (text: string) => string): void {
  const type = String(headers['content-type']);
  if (/^application\/json\b/i.test(type)) return;
  throw new AgentError(`the reply is no JSON but ${scrub(type).slice(0, 80)}`, { status });
}

/**
 * The list that a 200 to a read carries.
 *
 * Rejects with an {@link AgentError} saying what is wrong with it, and with the signal's reason on abort.
 */
export async function readReply(
  reply: AgentReply,
  entriesOf: EntriesOf,
  scrub: (text: string) => string,
  signal?: AbortSignal,
): Promise<Reply> {
  checkJson(reply, scrub);
  const entries = await entriesOf(reply.body, signal);
  return { entries, index: readIndex(reply.headers['x-consul-index']) };
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
