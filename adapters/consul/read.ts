import type { WatchContext } from '../../src/types.js';
import { badStatus } from './agent-error.js';
import type { Connection } from './connection.js';
import type { ConsulSettings } from './options.js';
import type { RefreshListener } from './refresh.js';
import { readReply, type Reply } from './reply.js';
import type { Secrets } from './secrets.js';
import { send } from './send.js';

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
  const blocking = index > 0 && !refresh.wanted;
  if (!blocking) refresh.wanted = false;

  const reply = await send(
    {
      path: settings.plan.path,
      params: { service: session.service },
      query: {
        ...settings.plan.query,
        ...(settings.datacenters[0] === undefined ? {} : { dc: settings.datacenters[0] }),
        ...(blocking ? { index: String(index), wait: `${String(waitMs)}ms` } : {}),
      },
      // The agent adds up to a sixteenth of the wait, so that not all come back at once.
      deadlineMs: blocking ? (waitMs * 17) / 16 + BLOCKING_SLACK_MS : PLAIN_READ_MS,
    },
    connection,
    {
      settings,
      secrets,
      signal: context.signal,
      clock: context.clock,
      onGiveUp: (giveUp) => {
        refresh.notify = blocking ? giveUp : undefined;
      },
    },
  );
  if (reply === 'given-up') return 'refresh';
  if (reply.status !== 200) throw badStatus(reply, secrets.scrub);
  return readReply(reply, settings.plan.entriesOf, secrets.scrub);
}
