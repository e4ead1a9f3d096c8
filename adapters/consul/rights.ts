import { isObject } from '../../src/validate.js';
import type { AskForRights, ReadRight } from './acl-guard.js';
import { readJson } from './reply.js';
import type { Seat } from './seat.js';
import { type AgentRequest, sendWhole } from './send.js';
import { inDatacenter, sending, type Session } from './session.js';

const RIGHTS_MS = 2_000;
/** An agent refuses a question of more with a 400. */
const PER_QUESTION = 64;

/** Asks the agent of `seat` whether the token holds rights, and notes when it has no ACLs. */
export function askForRights(seat: Seat, session: Session): AskForRights {
  return async (rights) => {
    const held: boolean[] = [];
    for (let from = 0; from < rights.length; from += PER_QUESTION) {
      const some = await askForSome(rights.slice(from, from + PER_QUESTION), seat, session);
      if (some === undefined) return undefined;
      held.push(...some);
    }
    return held;
  };
}

async function askForSome(
  rights: readonly ReadRight[],
  seat: Seat,
  session: Session,
): ReturnType<AskForRights> {
  const { ns, partition } = session.settings.plan.query;
  const request: AgentRequest = {
    path: '/internal/acl/authorize',
    method: 'POST',
    query: {
      ...inDatacenter(session.datacenter),
      ...(ns === undefined ? {} : { ns }),
      ...(partition === undefined ? {} : { partition }),
    },
    body: rights,
    deadlineMs: RIGHTS_MS,
  };
  try {
    const reply = await seat.use(session.context.signal, (connection) =>
      sendWhole(request, connection, sending(session)),
    );
    if (reply.body.includes('ACL support disabled')) seat.hub.hasNoAcls = true;
    const body = reply.status === 200 ? readJson(reply, session.secrets.scrub) : undefined;
    if (!Array.isArray(body) || body.length !== rights.length) return undefined;
    return body.map((one) => !isObject(one) || one['Allow'] !== false);
  } catch {
    session.context.signal.throwIfAborted();
    return undefined;
  }
}
