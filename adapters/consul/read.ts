import type { WatchContext } from '../../src/types.js';
import type { ConsulContext } from './client.js';
import type { Connection } from './connection.js';
import { exchange } from './exchange.js';
import type { ConsulSettings } from './options.js';
import type { RefreshListener } from './refresh.js';
import { readReply, type Reply } from './reply.js';
import type { Secrets } from './secrets.js';
import { currentToken } from './token.js';

const PLAIN_READ_MS = 10_000;
const BLOCKING_SLACK_MS = 8_000;

/** What the reads of one watch share. */
export interface Session {
  readonly service: string;
  readonly settings: ConsulSettings;
  readonly context: WatchContext;
  readonly connection: Connection;
  readonly refresh: RefreshListener;
  readonly secrets: Secrets;
}

/**
 * One read of the service's health. It blocks when there is an index to wait on, unless fresh data is wanted;
 * a wish that comes while it is parked ends it with `'refresh'`.
 *
 * Rejects with whatever was wrong, or with the signal's reason on abort.
 */
export async function read(index: number, session: Session): Promise<Reply | 'refresh'> {
  const { context, connection, refresh, secrets, settings } = session;
  const { waitMs } = settings;
  context.signal.throwIfAborted();
  const blocking = index > 0 && !refresh.wanted;
  if (!blocking) refresh.wanted = false;

  const send = async (ctx: ConsulContext): Promise<unknown> => {
    const token = await currentToken(settings.token, secrets);
    return connection.client.health.service({
      ...settings.query,
      service: session.service,
      ...(token === undefined ? {} : { token }),
      ...(blocking ? { index: String(index), wait: `${String(waitMs)}ms` } : {}),
      ctx,
    });
  };
  const settled = await exchange(send, connection, context, {
    // The agent adds up to a sixteenth of the wait, so that not all come back at once.
    deadlineMs: blocking ? (waitMs * 17) / 16 + BLOCKING_SLACK_MS : PLAIN_READ_MS,
    onRefresh: (giveUp) => {
      refresh.notify = blocking ? giveUp : undefined;
    },
  });
  return settled === 'refresh' ? settled : readReply(settled, secrets.scrub);
}
