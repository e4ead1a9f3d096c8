import type { InstanceSpec } from 'fairlead';

/** A list that a source hands over next, after the one of {@link list}. Each time it is of new objects, as parsed ones are. */
export interface Change {
  readonly name: string;
  /** @param round from 0: no two in a row give the same. */
  next(n: number, round: number): InstanceSpec[];
}

export const CHANGES: readonly Change[] = [
  { name: 'unchanged', next: list },
  reweighted('1 % have another weight', 0.01),
  {
    name: '1 % joined',
    next: (n) => list(n + n / 100),
  },
  {
    name: '1 % left',
    next: (n, round) => list(n).filter((_, i) => !isHit(i, round, 0.01)),
  },
  {
    name: '1 % replaced by others',
    next: (n, round) =>
      list(n).map((spec, i) => (isHit(i, round, 0.01) ? { ...spec, port: 9_000 + round } : spec)),
  },
  reweighted('10 % have another weight', 0.1),
  reweighted('all have another weight', 1),
];

/** As much as a registry tells of each: weight, zone, a tag, a label. */
export function list(n: number): InstanceSpec[] {
  const specs = Array.from({ length: n }, (_, i) => ({
    host: `10.0.${i >> 8}.${i & 255}`,
    port: 8080,
    weight: 1 + (i % 3),
    locality: { zone: `zone-${i % 3}` },
    tags: ['v1'],
    metadata: { build: '7' },
  }));
  // Strings of their own, as those of an answer that was parsed.
  return JSON.parse(JSON.stringify(specs)) as InstanceSpec[];
}

function reweighted(name: string, share: number): Change {
  return {
    name,
    next: (n, round) =>
      list(n).map((spec, i) =>
        isHit(i, round, share) ? { ...spec, weight: (spec.weight ?? 1) + 1 + (round % 2) } : spec,
      ),
  };
}

/** Others in each round, spread over the list. */
function isHit(i: number, round: number, share: number): boolean {
  const every = Math.round(1 / share);
  return i % every === round % every;
}
