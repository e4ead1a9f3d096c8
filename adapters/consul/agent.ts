import type { Clock } from '../../src/types.js';
import { type AgentError, type AgentReply, toAgentError } from './agent-error.js';
import type { AgentSettings } from './agent-options.js';
import { labelOf } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import { createSecrets } from './secrets.js';
import { type AgentRequest, ask } from './send.js';

/** One agent and a few sockets to it: for plain requests, one reply each. */
export interface Agent {
  /** How messages name it; free of credentials. */
  readonly label: string;
  /** Removes what must not be shown. */
  readonly scrub: (text: string) => string;
  /**
   * The reply to `request`, if its status is 200. Waits while all sockets are in use.
   *
   * @throws {AgentError} saying what was wrong, in words that hold no secret; the signal's reason on abort.
   */
  request(request: AgentRequest, signal: AbortSignal): Promise<AgentReply>;
  /** Closes every socket. Requests under way fail. */
  close(): void;
}

/**
 * @param clock its timers must not keep the process alive.
 * @param sockets at most so many at once.
 */
export function openAgent(settings: AgentSettings, clock: Clock, sockets: number): Agent {
  const pool = new ConnectionPool(settings.source, sockets);
  const secrets = createSecrets(settings.secrets);
  return {
    label: labelOf(settings.source),
    scrub: secrets.scrub,
    async request(request, signal) {
      try {
        return await pool.use(signal, (connection) =>
          ask(request, connection, { settings, secrets, signal, clock }),
        );
      } catch (error) {
        signal.throwIfAborted();
        throw toAgentError(error, secrets.scrub) satisfies AgentError;
      }
    },
    close: () => {
      pool.close();
    },
  };
}
