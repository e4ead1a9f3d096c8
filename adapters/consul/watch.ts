import type { Snapshot, WatchContext } from '../../src/types.js';
import { checkString } from '../../src/validate.js';
import { toAgentError } from './agent-error.js';
import { connect } from './connection.js';
import { readEntries } from './entries.js';
import { fingerprint } from './fingerprint.js';
import type { ConsulSettings } from './options.js';
import { pauseAfter, ReadBudget } from './pace.js';
import { read, type Session } from './read.js';
import { listenForRefresh, rest } from './refresh.js';
import { nextIndex, type Reply } from './reply.js';
import { createReports } from './reports.js';
import { createSecrets } from './secrets.js';

/**
 * The loop: read, check, normalise, compare, yield, take a token, park again. It ends with the signal and with
 * nothing else. Index 0 stands for a read that does not block, as after every failure.
 */
export async function* watchHealth(
  service: string,
  settings: ConsulSettings,
  context: WatchContext,
): AsyncGenerator<Snapshot, void, undefined> {
  checkString('service', service);
  const { clock } = context;
  const isAborted = (): boolean => context.signal.aborted;
  const [agent] = settings.agents;
  if (agent === undefined) throw new Error('consul() has no agent');
  const connection = await connect(agent.source);
  const refresh = listenForRefresh(context);
  const secrets = createSecrets(agent.secrets);
  const session: Session = { service, settings, context, connection, refresh, secrets };
  const reports = createReports(service, connection.label, context);
  const budget = new ReadBudget();
  let index = 0;
  let failures = 0;
  let published: string | undefined;
  try {
    for (;;) {
      let reply: Reply | 'refresh';
      try {
        reply = await read(index, session);
      } catch (thrown) {
        if (isAborted()) return;
        index = 0;
        failures++;
        const error = toAgentError(thrown, secrets.scrub);
        const pause = pauseAfter(
          isRotated(error.status, failures, settings) ? { kind: 'transient' } : error,
          failures,
          context.rng,
        );
        reports.failed(error, pause.ms);
        await rest(pause, context);
        continue;
      }
      if (reply === 'refresh') continue;

      failures = 0;
      const { instances, bad } = readEntries(reply.entries, settings.rules);
      reports.left(bad);
      // Entries of which none can be read say as little about the instances as a failed read.
      if (instances.length > 0 || bad.length === 0) {
        const known = reply.entries.length > 0;
        const content = known ? fingerprint(instances) : 'not-found';
        if (content !== published) {
          published = content;
          yield known
            ? { kind: 'instances', instances, version: String(reply.index) }
            : { kind: 'not-found' };
        }
      }
      index = nextIndex(index, reply.index);
      reports.indexed(reply.index > 0);
      await rest(budget.take(clock.now(), reply), context);
    }
  } catch (error) {
    if (!isAborted()) throw error;
  } finally {
    refresh.stop();
    connection.close();
  }
}

/** The first refusal of a token that may have been rotated meanwhile: the next read asks for it anew. */
function isRotated(
  status: number | undefined,
  failures: number,
  { token }: ConsulSettings,
): boolean {
  return status === 403 && failures === 1 && typeof token === 'function';
}
