import { AgentError, type AgentReply, badStatus } from './agent-error.js';
import type { Connection } from './connection.js';
import { type Freshness, readFreshness } from './freshness.js';
import { readJson, readReply, type Reply } from './reply.js';
import type { ParkedQuery, Seat } from './seat.js';
import { type AgentRequest, ask, send, sendWhole } from './send.js';
import { canPark, inDatacenter, sending, type Session } from './session.js';
import { checkNeeds } from './version.js';

const PLAIN_READ_MS = 10_000;
const BLOCKING_SLACK_MS = 8_000;
/** Rights that come back wake no query. */
const INCOMPLETE_WAIT_MS = 10_000;

export interface HealthReply extends Reply {
  readonly freshness: Freshness;
  /** Whether the reply says that the token kept something out of it; `undefined` of one that never says. */
  readonly filtered: boolean | undefined;
  /** It was parked, and came before its wait was over. */
  readonly early: boolean;
}

/**
 * One read of the service's health. It blocks when there is an index to wait on and a slot to park in, unless fresh data
 * is wanted. A wish that comes meanwhile ends it with `'interrupted'`, but the query stays parked, and the next read is
 * one beside it: a query that is given up blocks its slot as long as one that is not.
 *
 * Rejects with whatever was wrong, or with the signal's reason on abort.
 */
export async function read(seat: Seat, session: Session): Promise<HealthReply | 'interrupted'> {
  const { refresh, secrets, settings } = session;
  // This read grants it, even if it fails before anything is asked: else the pause after it would be cut short for ever.
  const isWanted = refresh.wanted;
  refresh.wanted = false;
  if (canPark(session)) await seat.takeSlot();
  await checkAgent(seat, session);
  const blocks = canPark(session) && seat.hasSlot && seat.index > 0 && !isWanted && !refresh.wanted;
  const reply = await (blocks ? readParked(seat, session) : readPlain(seat, session));
  if (reply === 'interrupted') return reply;
  if (reply.status !== 200) throw badStatus(reply, secrets.scrub);
  const { entriesOf } = settings.plan;
  return {
    ...(await readReply(reply, entriesOf, secrets.scrub, session.context.signal)),
    freshness: readFreshness(reply.headers),
    early: reply.early,
    filtered: readFiltered(reply.headers),
  };
}

/** The streaming backend of 1.10 and later leaves the header out, whatever it leaves out of the list. */
function readFiltered(headers: AgentReply['headers']): boolean | undefined {
  if (headers['x-consul-results-filtered-by-acls'] === 'true') return true;
  return headers['x-consul-query-backend'] === 'streaming' ? undefined : false;
}

async function readPlain(seat: Seat, session: Session): Promise<TimedReply> {
  session.refresh.wanted = false;
  const request = requestFor(seat, undefined, session);
  const reply = await seat.use(session.context.signal, (connection) =>
    sendWhole(request, connection, sending(session)),
  );
  return { ...reply, early: false };
}

type TimedReply = AgentReply & Pick<HealthReply, 'early'>;

/** The reply to the query that is parked, or that is parked now. */
async function readParked(seat: Seat, session: Session): Promise<TimedReply | 'interrupted'> {
  const { refresh, route, waiting } = session;
  const { liveness } = seat.hub;
  const parked = seat.parked ?? seat.park((slot) => park(seat, slot, session));
  const isOver = (): boolean => refresh.wanted || liveness.isDown || route.hasBetter;
  const interrupted = new Promise<'interrupted'>((resolve) => {
    waiting.until(isOver, () => {
      resolve('interrupted');
    });
  });
  try {
    const reply = await Promise.race([parked.reply, interrupted]);
    if (liveness.isDown && reply === 'interrupted') {
      throw new AgentError('it does not answer any more: two probes in a row were missed');
    }
    if (reply === 'given-up' || reply === 'interrupted') return 'interrupted';
    return { ...reply, early: session.context.clock.now() < parked.waitsUntilMs };
  } finally {
    waiting.forget();
  }
}

function park(seat: Seat, slot: Connection, session: Session): ParkedQuery {
  const { context, ladder, settings } = session;
  const nowMs = context.clock.now();
  const longestMs = session.isIncomplete ? INCOMPLETE_WAIT_MS : Infinity;
  // Never 0, which Consul takes for its default of five minutes.
  const waitMs = Math.max(
    1,
    Math.ceil(Math.min(settings.waitMs, longestMs, ladder.keptForMs(nowMs))),
  );
  const request = requestFor(seat, waitMs, session);
  let giveUp: (() => void) | undefined;
  const reply = send(request, slot, {
    ...sending(session),
    onGiveUp: (fn) => {
      giveUp = fn;
    },
  });
  return {
    reply,
    giveUp: () => giveUp?.(),
    waitsUntilMs: nowMs + waitMs,
    untilMs: nowMs + request.deadlineMs,
  };
}

function requestFor(seat: Seat, waitMs: number | undefined, session: Session): AgentRequest {
  const { datacenter, ladder, service, settings } = session;
  const { consistency } = ladder;
  return {
    path: settings.plan.path,
    params: { service },
    query: {
      ...settings.plan.query,
      ...inDatacenter(datacenter),
      ...(consistency === 'default' ? {} : { [consistency]: '1' }),
      ...(waitMs === undefined ? {} : { index: String(seat.index), wait: `${String(waitMs)}ms` }),
    },
    deadlineMs: waitMs === undefined ? PLAIN_READ_MS : longestWaitMs(waitMs) + BLOCKING_SLACK_MS,
  };
}

/** The agent adds up to a sixteenth of the wait, so that not all come back at once. */
function longestWaitMs(waitMs: number): number {
  return (waitMs * 17) / 16;
}

/** Makes sure, once for each agent, that it understands what is asked for. */
async function checkAgent(seat: Seat, session: Session): Promise<void> {
  const { able, context, secrets, settings } = session;
  if (settings.plan.needs.length === 0 || able.has(seat.hub)) return;
  await checkNeeds(settings.plan.needs, (path) =>
    seat.use(context.signal, async (connection) => {
      const request = { path, deadlineMs: PLAIN_READ_MS };
      return readJson(await ask(request, connection, sending(session)), secrets.scrub);
    }),
  );
  able.add(seat.hub);
}
