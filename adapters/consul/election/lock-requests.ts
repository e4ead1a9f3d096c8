import { isObject } from '../../../src/validate.js';
import type { Agent } from '../agent.js';
import { AgentError } from '../agent-error.js';
import { readJson } from '../reply.js';
import { type KeyRead, NO_KEY, readKeyReply } from './key-state.js';
import type { ElectionSettings } from './options.js';

const REQUEST_MS = 5_000;
const READ_MS = 10_000;
const BLOCKING_SLACK_MS = 8_000;
/** For each of the two requests by which a candidate leaves. */
const LEAVE_MS = 2_000;

const SESSION_HEALTH = 'serfHealth';

/**
 * What is asked of Consul for an election. Each rejects with an {@link AgentError}, or on abort with the signal's reason.
 * Those that change something cannot be aborted: whoever leaves must know what became of them.
 */
export class LockRequests {
  readonly #never = new AbortController().signal;

  constructor(
    private readonly agent: Agent,
    private readonly settings: ElectionSettings,
  ) {}

  /** @returns its id. */
  async createSession(): Promise<string> {
    const { key, sessionTtlMs, lockDelayMs, checks } = this.settings;
    const reply = await this.agent.request(
      {
        path: '/session/create',
        method: 'PUT',
        body: {
          Name: `fairlead election ${key}`,
          TTL: `${String(sessionTtlMs)}ms`,
          LockDelay: `${String(lockDelayMs)}ms`,
          Behavior: 'release',
          ...(checks.length === 0 ? {} : { Checks: [SESSION_HEALTH, ...checks] }),
        },
        deadlineMs: REQUEST_MS,
      },
      this.#never,
    );
    const body = readJson(reply, this.agent.scrub);
    const id = isObject(body) ? body['ID'] : undefined;
    if (typeof id === 'string' && id !== '') return id;
    throw new AgentError('the reply holds no session', { status: 200 });
  }

  async renewSession(
    id: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<'renewed' | 'gone'> {
    const request = { path: '/session/renew/{id}', params: { id }, method: 'PUT' } as const;
    try {
      await this.agent.request({ ...request, deadlineMs }, signal);
      return 'renewed';
    } catch (error) {
      if (statusOf(error) === 404) return 'gone';
      throw error;
    }
  }

  async destroySession(id: string): Promise<void> {
    const request = { path: '/session/destroy/{id}', params: { id }, method: 'PUT' } as const;
    await this.agent.request({ ...request, deadlineMs: LEAVE_MS }, this.#never);
  }

  /** @param wait index and longest time, in ms, to wait for a change; `undefined` reads at once. */
  readKey(
    wait: { readonly index: number; readonly waitMs: number } | undefined,
    signal: AbortSignal,
  ): Promise<KeyRead> {
    if (wait === undefined) return this.#read({}, READ_MS, signal);
    const { index, waitMs } = wait;
    // The agent adds up to a sixteenth of the wait, so that not all come back at once.
    const deadlineMs = (waitMs * 17) / 16 + BLOCKING_SLACK_MS;
    return this.#read({ index: String(index), wait: `${String(waitMs)}ms` }, deadlineMs, signal);
  }

  /** The key as the leader of the Consul servers has it, after making sure that it is one. */
  readKeyConsistently(): Promise<KeyRead> {
    return this.#read({ consistent: '' }, REQUEST_MS, this.#never);
  }

  /** @returns whether the session holds the lock now; `'gone'` if Consul does not know the session. */
  async acquire(session: string, flags: number): Promise<boolean | 'gone'> {
    try {
      return await this.#write({ acquire: session }, flags, this.settings.value, REQUEST_MS);
    } catch (error) {
      const isGone = statusOf(error) === 500 && (error as Error).message.includes(INVALID_SESSION);
      if (isGone) return 'gone';
      throw error;
    }
  }

  /** Does nothing when another session holds the lock. */
  async release(session: string, flags: number): Promise<void> {
    await this.#write({ release: session }, flags, '', LEAVE_MS);
  }

  close(): void {
    this.agent.close();
  }

  async #read(
    query: Readonly<Record<string, string>>,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<KeyRead> {
    try {
      const { key } = this.settings;
      const request = { path: '/kv/{key}', params: { key }, query, deadlineMs };
      return await readKeyReply(await this.agent.request(request, signal), this.agent.scrub);
    } catch (error) {
      if (statusOf(error) === 404) return NO_KEY;
      throw error;
    }
  }

  async #write(
    query: Readonly<Record<string, string>>,
    flags: number,
    value: string,
    deadlineMs: number,
  ): Promise<boolean> {
    const reply = await this.agent.request(
      {
        path: '/kv/{key}',
        params: { key: this.settings.key },
        method: 'PUT',
        // A write without Flags sets them to 0.
        query: { ...query, flags: String(flags) },
        body: Buffer.from(value), // as it stands, not as JSON
        deadlineMs,
      },
      this.#never,
    );
    return readJson(reply, this.agent.scrub) === true;
  }
}

/** What Consul says when asked to lock for a session that it does not know. */
const INVALID_SESSION = 'invalid session';

function statusOf(error: unknown): number | undefined {
  return error instanceof AgentError ? error.status : undefined;
}
