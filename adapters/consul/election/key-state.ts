import { isObject } from '../../../src/validate.js';
import { AgentError, type AgentReply } from '../agent-error.js';
import { readJson, readReply } from '../reply.js';

/** What Consul says of the key. */
export interface KeyState {
  /** Id of the session that holds the lock; `undefined` while nobody does. */
  readonly session: string | undefined;
  /** What the leader says of itself. */
  readonly value: string;
  /** Raft index of the last write to the key. */
  readonly modifyIndex: number;
  /** What is to be added to it for the fencing token; see {@link tokenOf}. Kept in Flags, all but their last bit. */
  readonly offset: number;
  /** Last bit of Flags, which changes with each acquire: Consul takes a write that changes nothing for none. */
  readonly mark: 0 | 1;
}

export interface KeyRead {
  /** `undefined`: there is no such key. */
  readonly state: KeyState | undefined;
  /** X-Consul-Index, or 0 when there is none to wait on. */
  readonly index: number;
}

export const NO_KEY: KeyRead = { state: undefined, index: 0 };

/**
 * The fencing token of whoever has just acquired the lock: the raft index of that write. It grows with each, even over a
 * deletion of the key. The key's own LockIndex does not: it is back at 1 after a deletion, and at 0 after any plain
 * write to the key (Consul 1.8). Should Consul lose its state and count anew, the candidates make up for it by the offset.
 */
export function tokenOf({ modifyIndex, offset }: KeyState): number {
  return modifyIndex + offset;
}

/** What Consul is to keep beside the value. */
export function toFlags({ offset, mark }: Pick<KeyState, 'offset' | 'mark'>): number {
  return 2 * offset + mark;
}

/** What a 200 to a read of the key says. @throws {AgentError} saying what is wrong with it. */
export async function readKeyReply(
  reply: AgentReply,
  scrub: (text: string) => string,
): Promise<KeyRead> {
  const { entries, index } = await readReply(reply, () => [readJson(reply, scrub)], scrub);
  const entry: unknown = Array.isArray(entries[0]) ? entries[0][0] : undefined;
  if (!isObject(entry)) throw new AgentError('the reply holds no key', { status: 200 });
  const { Session: session, Value: value, ModifyIndex: modifyIndex, Flags: flags } = entry;
  if (!isCount(modifyIndex)) {
    throw new AgentError('the reply holds no ModifyIndex of the key', { status: 200 });
  }
  // Flags of others, such as the 62 bits that mark the locks of Consul's own tools, are none of ours.
  const ours = isCount(flags) ? flags : 0;
  return {
    index,
    state: {
      session: typeof session === 'string' && session !== '' ? session : undefined,
      // Consul has null for an empty one.
      value: typeof value === 'string' ? Buffer.from(value, 'base64').toString() : '',
      modifyIndex,
      offset: Math.floor(ours / 2),
      mark: ours % 2 === 0 ? 0 : 1,
    },
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
