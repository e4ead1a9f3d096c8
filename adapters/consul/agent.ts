import { abortable } from '../../src/abortable.js';
import type { Clock } from '../../src/types.js';
import { isObject } from '../../src/validate.js';
import { AgentError, type AgentReply, toAgentError } from './agent-error.js';
import type { AgentSettings } from './agent-options.js';
import { labelOf } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import { createSecrets } from './secrets.js';
import { type AgentRequest, ask } from './send.js';
import { currentToken } from './token.js';

/** One agent and a few sockets to it: for plain requests, one reply each. */
export interface Agent {
  /** How messages name it; free of credentials. */
  readonly label: string;
  /** Removes what must not be shown. */
  readonly scrub: (text: string) => string;
  /**
   * The reply to `request`, if its status is 200. Waits while all sockets are in use; its deadline is for that, too, and
   * for the token.
   *
   * @param onNoReply called when it fails after it was sent, without a reply: the agent may carry it out all the same.
   * @throws {AgentError} saying what was wrong, in words that hold no secret; the signal's reason on abort.
   */
  request(request: AgentRequest, signal: AbortSignal, onNoReply?: () => void): Promise<AgentReply>;
  /** Closes every socket that is its own. Requests under way on those fail. */
  close(): void;
}

/** What lends connections. */
export type ConnectionSource = Pick<ConnectionPool, 'use' | 'close'>;

/**
 * @param clock its timers must not keep the process alive.
 * @param sockets at most so many at once.
 */
export function openAgent(settings: AgentSettings, clock: Clock, sockets: number): Agent {
  return agentOver(new ConnectionPool(settings.source, sockets, clock), settings, clock);
}

/**
 * An agent over connections that others may use as well: they carry no token, each request brings its own.
 *
 * @param clock its timers must not keep the process alive.
 */
export function agentOver(
  connections: ConnectionSource,
  settings: AgentSettings,
  clock: Clock,
): Agent {
  const secrets = createSecrets(settings.secrets);
  return {
    label: labelOf(settings.source),
    scrub: secrets.scrub,
    async request(request, signal, onNoReply = () => undefined) {
      signal.throwIfAborted();
      const { deadlineMs } = request;
      const end = new AbortController();
      const onAbort = (): void => {
        end.abort(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const stage = { missing: 'no token came', sent: false };
      const deadline = clock.setTimer(deadlineMs, () => {
        end.abort(new AgentError(`${stage.missing} within ${String(deadlineMs / 1_000)} s`));
      });
      try {
        // First, so that a token that takes its time keeps no socket from others.
        const token = await abortable(currentToken(settings.token, secrets), end.signal);
        stage.missing = 'no connection was free';
        return await connections.use(end.signal, (connection) => {
          stage.missing = 'no whole reply';
          stage.sent = true;
          const context = { settings: { token }, secrets, signal: end.signal, clock };
          return ask(request, connection, context);
        });
      } catch (error) {
        if (stage.sent && !isReply(error) && !isUnconnected(error)) onNoReply();
        signal.throwIfAborted();
        throw toAgentError(error, secrets.scrub) satisfies AgentError;
      } finally {
        deadline.cancel();
        signal.removeEventListener('abort', onAbort);
      }
    },
    close: () => {
      connections.close();
    },
  };
}

function isReply(error: unknown): boolean {
  return error instanceof AgentError && error.status !== undefined;
}

/** Node names the call that failed: nothing was sent when it was one of these, for each address of a name. */
function isUnconnected(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isUnconnected);
  return isObject(error) && (error['syscall'] === 'connect' || error['syscall'] === 'getaddrinfo');
}
