import type { SourceStanding } from '../../src/types.js';
import type { DatacenterView } from './merged-snapshot.js';

/** What a datacenter last said of itself. */
export interface DatacenterStanding extends Pick<DatacenterView, 'label' | 'trouble' | 'stale'> {
  /** Its name, or `own`. */
  readonly name: string;
  readonly details: SourceStanding['details'];
}

/** What the first says of itself, and beside it the facts of the others, under their names. */
export function mergeStandings(parts: readonly DatacenterStanding[]): SourceStanding {
  const details: Record<string, string | number | boolean | undefined> = {};
  for (const [rank, part] of parts.entries()) {
    if (rank === 0) Object.assign(details, part.details);
    else details[part.name] = part.trouble ?? part.stale ?? factsOf(part.details);
  }
  const [first] = parts;
  return {
    details,
    ...(first?.stale === undefined ? {} : { stale: `${first.label}: ${first.stale}` }),
  };
}

function factsOf(details: SourceStanding['details']): string | undefined {
  if (details === undefined) return undefined;
  return Object.entries(details)
    .filter(([, fact]) => fact !== undefined)
    .map(([name, fact]) => `${name} ${String(fact)}`)
    .join(', ');
}
