import { hash32 } from '../hash.js';
import type { ResolvedSubset } from '../topology-options.js';
import type { Candidate, Part, Rng, Stage } from '../types.js';

/**
 * Keeps `size` candidates of each part; the others are a reserve, for a call that has tried all of those. What is eligible stays, so that a candidate that becomes unavailable is replaced
 * by the next in order, and comes back to its place.
 *
 * - By `seed`, or at random: each client puts the instances in an order of its own and takes the first. One that joins or
 *   leaves moves at most one other out or in. Over many clients all instances have about as many of them. Source: gRFC
 *   A68, "Random subsetting with rendezvous hashing".
 * - By `index` of `total`: all clients put the instances on the same ring and take `size` in a row, from starts spread
 *   evenly. Each of n instances has `total * size / n` clients, rounded down or up. The price: one that joins or leaves
 *   may move several in and out. Source: Finagle, "deterministic aperture".
 */
export function subset(settings: ResolvedSubset, rng: Rng): Stage {
  const choose = 'total' in settings ? onRing(settings) : byRank(settings, rng);
  return {
    name: 'subset',
    apply(part) {
      if (part.candidates.length <= settings.size || part.trial === true) return [part];
      const chosen = choose(part);
      // In the order of the part, so that a picker over the same ones stays.
      const kept = part.candidates.filter((one) => chosen.has(one));
      const others = part.candidates.filter((one) => !chosen.has(one));
      const reserve = part.name === '' ? 'beyond the subset' : `${part.name}, beyond the subset`;
      return [
        { ...part, candidates: kept },
        { ...part, name: reserve, ratio: 0, candidates: others },
      ];
    },
  };
}

/** Chooses as many as wanted among more candidates. */
type Choose = (part: Part) => ReadonlySet<Candidate>;

function byRank({ size, seed }: { size: number; seed: string | undefined }, rng: Rng): Choose {
  const start = seed === undefined ? Math.floor(rng.next() * 2 ** 32) : hash32(seed);
  return ({ candidates }) => new Set(inOrder(candidates, start).slice(0, size));
}

function onRing({ size, index, total }: { size: number; index: number; total: number }): Choose {
  return ({ eligible, candidates }) => {
    // The ring is of all that are eligible: clients that disagree on who is available still agree on it.
    const ring = inOrder(eligible, 0);
    const start = Math.floor((index * ring.length) / total);
    const available = new Set(candidates);
    const inTurn = [...ring.slice(start), ...ring.slice(0, start)];
    return new Set(inTurn.filter((one) => available.has(one)).slice(0, size));
  };
}

/** By a hash of their ids, which scatters neighbours (a rack, a zone); those of equal hash by id. */
function inOrder(candidates: readonly Candidate[], seed: number): readonly Candidate[] {
  return candidates
    .map((candidate) => ({ candidate, hash: hash32(candidate.instance.id, seed) }))
    .sort((a, b) => a.hash - b.hash || (a.candidate.instance.id < b.candidate.instance.id ? -1 : 1))
    .map(({ candidate }) => candidate);
}
