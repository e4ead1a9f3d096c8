import type { Inside } from '../../client-view.js';
import type { Instance } from '../../types.js';

/** Parts of the calls that are worth a connection: those that take this much together, the preferred first. */
const MOST = 0.89;

/**
 * The instances to connect to, where somebody else picks: those that the client itself would pick from. Where it divides
 * the calls, by priority or zone, they are those of the parts that take nine tenths of them: probes and trials, a few
 * calls at a time, are nothing that could be told to one who goes by connections.
 */
export function takersOf({ set, selection }: Inside, nowMs: number): readonly Instance[] {
  const { parts, candidates } = selection.explain(nowMs);
  const names = new Set<string>();
  let share = 0;
  for (const { name, ratio } of parts) {
    if (share >= MOST) break;
    if (ratio > 0) names.add(name);
    share += ratio;
  }
  const ids = new Set(candidates.filter(({ part }) => names.has(part)).map(({ id }) => id));
  return set
    .members()
    .map(({ instance }) => instance)
    .filter(({ id }) => ids.has(id));
}
