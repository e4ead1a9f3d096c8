import { FairleadError, show } from '../../src/errors.js';
import type { Snapshot, WatchContext } from '../../src/types.js';
import { checkString } from '../../src/validate.js';
import { toAgentError } from './agent-error.js';
import { Appraiser } from './appraisal.js';
import { memoriesOf } from './appraisal-memory.js';
import { Ladder } from './ladder.js';
import type { ConsulSettings } from './options.js';
import { POLL_WITHOUT_INDEX_MS, pollPause, ReadBudget } from './pace.js';
import { type HealthReply, read } from './read.js';
import { Recovery } from './recovery.js';
import { listenForRefresh } from './refresh.js';
import { createReports, type Reports } from './reports.js';
import { Route } from './route.js';
import type { Seat } from './seat.js';
import { createSecrets } from './secrets.js';
import { canPark, type Session } from './session.js';
import { Waiting } from './waiting.js';

/**
 * The loop: take a seat at the best agent, read, check, normalise, compare, yield, take a token, park again. It ends with
 * the signal and with nothing else.
 */
export async function* watchDatacenter(
  service: string,
  datacenter: string | undefined,
  settings: ConsulSettings,
  context: WatchContext,
): AsyncGenerator<Snapshot, void, undefined> {
  checkString('service', service);
  const session = openSession(service, datacenter, settings, context);
  const { refresh, route, ladder, waiting } = session;
  const named = datacenter === undefined ? '' : ` in datacenter ${show(datacenter)}`;
  const reports = createReports(`${show(service)}${named}`, context);
  const recovery = new Recovery(route, ladder, settings.token, context.rng);
  const { clock, signal } = context;
  const key = `${datacenter ?? ''} ${service}`;
  const memories = memoriesOf(settings);
  const appraiser = new Appraiser(session, reports, memories.recall(key, clock.now()));
  // At once: the watch that follows may begin before this one has ended.
  const keep = (): void => {
    memories.keep(key, appraiser.memory, clock.now());
  };
  signal.addEventListener('abort', keep, { once: true });
  const budget = new ReadBudget();
  let published: string | undefined;
  try {
    for (;;) {
      const seat = route.takeSeat();
      if (ladder.keptForMs(context.clock.now()) === 0) {
        ladder.reset();
        seat.release();
      }
      const reply = await readOrRecover(seat, session, recovery, reports);
      if (reply === undefined) continue;

      const list = await appraiser.appraise(reply, seat);
      if (list !== undefined) {
        if (list.content !== published) {
          published = list.content;
          yield list.snapshot;
        }
        context.confirm(list.standing);
      }
      seat.advance(reply.index, reply.early);
      const pause = budget.take(
        context.clock.now(),
        reply.entries.length,
        pollPauseAfter(reply, seat, session, context),
      );
      await waiting.rest(pause, () => refresh.wanted);
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', keep);
    refresh.stop();
    route.close();
  }
}

function openSession(
  service: string,
  datacenter: string | undefined,
  settings: ConsulSettings,
  context: WatchContext,
): Session {
  const { agents, maxParked } = settings;
  const waiting = new Waiting(context);
  return {
    service,
    datacenter,
    settings,
    context,
    waiting,
    refresh: listenForRefresh(context, waiting.poke),
    route: new Route({ agents, maxParked, context, onNews: waiting.poke }),
    ladder: new Ladder(settings.consistency),
    secrets: createSecrets(agents.flatMap(({ secrets }) => secrets)),
    isIncomplete: false,
    able: new WeakSet(),
  };
}

/** A good reply; or `undefined`, when a parked query was interrupted, or after what a failed read asks for. */
async function readOrRecover(
  seat: Seat,
  session: Session,
  recovery: Recovery,
  reports: Reports,
): Promise<HealthReply | undefined> {
  const { context, refresh, route, secrets, waiting } = session;
  const { label } = seat.hub;
  try {
    const reply = await read(seat, session);
    if (reply === 'interrupted') return undefined;
    recovery.succeeded();
    reports.succeeded();
    return reply;
  } catch (thrown) {
    context.signal.throwIfAborted();
    if (thrown instanceof FairleadError) throw thrown; // the package "consul" is missing
    const error = toAgentError(thrown, secrets.scrub);
    const next = recovery.after(error, context.clock.now());
    reports.failed(label, error, next);
    const { recoveries } = route;
    const isOver = (): boolean =>
      refresh.wanted || route.hasBetter || route.recoveries > recoveries;
    await waiting.rest(next.pause, isOver);
    if (next.endsLap) route.beginLap();
    return undefined;
  }
}

/** How long to wait before a read that cannot block, in ms; 0 when the next one can, or when the index is of old. */
function pollPauseAfter(
  reply: HealthReply,
  seat: Seat,
  session: Session,
  { clock, rng }: Pick<WatchContext, 'clock' | 'rng'>,
): number {
  const { ladder, settings } = session;
  const startsOver = reply.index > 0 && seat.index === 0;
  if (canPark(session) && (seat.hasSlot || startsOver)) {
    return reply.index === 0 ? POLL_WITHOUT_INDEX_MS : 0;
  }
  return Math.min(pollPause(settings.pollMs, rng), ladder.keptForMs(clock.now()));
}
