import type { Prepared } from '../pick/subject.js';
import { loadSubject } from '../pick/subjects.js';
import type { Cost } from './fairlead.js';

/** Peers that take in a change, through `bench/pick`'s ways to update them: one instance each time. */
export interface Peer {
  readonly library: string;
  readonly name: string;
  /** Whether it is told of each instance that joins or leaves by itself, or of all at once by a new list. */
  readonly told: 'one by one' | 'by a list';
}

export const PEERS: readonly Peer[] = [
  { library: 'grpc-js', name: 'round_robin', told: 'by a list' },
  { library: 'grpc-js', name: 'weighted_round_robin', told: 'by a list' },
  { library: 'moleculer', name: 'RoundRobin', told: 'one by one' },
  { library: 'moleculer', name: 'Shard', told: 'one by one' },
  { library: 'undici', name: 'BalancedPool', told: 'one by one' },
];

export async function prepared({ library, name }: Peer, n: number): Promise<Prepared> {
  return (await loadSubject(library, name)).prepare(n);
}

/** What it takes one instance, or as many as `changes` where it is told of each, to join or leave, and the next pick. */
export function cost({ pick, update }: Prepared, changes: number): Cost {
  const start = performance.now();
  for (let i = 0; i < changes; i++) update?.();
  const updated = performance.now();
  pick(1);
  return { updateMs: updated - start, pickMs: performance.now() - updated, rebuilds: NaN };
}
