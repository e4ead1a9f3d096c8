import type { Member } from '../../instance-set.js';
import type { Call } from './call.js';

/** Candidates a message names; of longer lists it tells how many more there are. */
const SHOWN = 8;

/** Seed, candidates and call, as the second line of a failure. */
export function describeScene(seed: number, list: readonly Member[], call: Call): string {
  const shown = list.slice(0, SHOWN).map(({ instance, state }) => {
    const inFlight = state.pending === 0 ? '' : `, ${String(state.pending)} in flight`;
    return `${instance.id} (weight ${String(instance.weight)}${inFlight})`;
  });
  const more = list.length - shown.length;
  const candidates = list.length === 0 ? 'none' : shown.join(', ');
  const parts = [
    `seed ${String(seed)}`,
    `candidates: ${candidates}${more > 0 ? ` and ${String(more)} more` : ''}`,
  ];
  const { excluded = [], hashKey } = call;
  if (excluded.length > 0) parts.push(`excluded: ${describeIds(excluded)}`);
  if (hashKey !== undefined) parts.push(`hashKey: ${JSON.stringify(hashKey)}`);
  return `(${parts.join('; ')})`;
}

function describeIds(ids: readonly string[]): string {
  const more = ids.length - SHOWN;
  return `${ids.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${String(more)} more` : ''}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
