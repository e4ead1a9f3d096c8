/** What is promised of calls to servers that die, and how a run has kept it. */
import { storyOf } from 'fairlead';
import type { Violations } from '../soak/violations.js';
import { METHODS } from './callers.js';
import type { Failure, Load } from './load.js';
import type { ServerLog } from './server-log.js';

/** Attempts that a call may make by default. */
const MAX_ATTEMPTS = 3;

/** Holds what the callers saw against what the servers say they have done. */
export function checkPromises(loads: readonly Load[], log: ServerLog, broken: Violations): void {
  const issued = new Set<string>();
  for (const { tallies } of loads) {
    for (const method of METHODS) {
      const { succeeded, failures } = tallies[method];
      for (const id of succeeded) {
        issued.add(id);
        if (!log.has(id)) broken.add(`${method} that succeeded is in no log`, id);
      }
      for (const { id } of failures) issued.add(id);
      const most = method === 'POST' ? 1 : MAX_ATTEMPTS;
      for (const id of [...succeeded, ...failures.map((failure) => failure.id)]) {
        const runs = log.get(id) ?? [];
        if (runs.length <= most) continue;
        const name = method === 'POST' ? 'POST ran more than once' : `${method} ran too often`;
        broken.add(name, `${id}, by ${runs.join(' and ')}`);
      }
      for (const failure of failures) {
        if (method !== 'POST') broken.add(`${method} failed`, describe(failure));
        else if (!log.has(failure.id) && wasNeverSent(failure)) {
          broken.add('POST failed that nobody can have received', describe(failure));
        }
      }
    }
  }
  for (const id of log.keys()) if (!issued.has(id)) broken.add('ran though nobody asked', id);
}

/** Nothing listened, each time: judged by the codes of Node and undici, not by what Fairlead makes of them. */
function wasNeverSent({ error }: Failure): boolean {
  const attempts = storyOf(error).attempts.map((attempt) => attempt.error);
  const codes = attempts.length > 0 ? attempts : [codeOf(error)];
  return codes.every((code) => code !== undefined && UNSENT.has(code));
}

const UNSENT = new Set([
  'ECONNREFUSED',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_FAIRLEAD_NO_INSTANCES',
  'ERR_FAIRLEAD_NOT_READY',
  'ERR_FAIRLEAD_CONCURRENCY_LIMIT',
]);

/** The code of the innermost cause that has one. */
export function codeOf(error: unknown): string | undefined {
  let link = error;
  let code: string | undefined;
  for (let depth = 0; depth < 5 && link instanceof Error; depth++) {
    if ('code' in link && typeof link.code === 'string') code = link.code;
    link = link.cause;
  }
  return code;
}

function describe({ id, error }: Failure): string {
  const { attempts, budgetExhausted } = storyOf(error);
  const story = attempts.map(
    (each) =>
      `${each.kind} at ${each.instanceId}: ${each.error ?? 'ok'} after ${each.durationMs.toFixed(0)} ms`,
  );
  const budget = budgetExhausted ? ', the retry budget was used up' : '';
  return `${id}: ${String(error)} (${story.join('; ')}${budget})`;
}
