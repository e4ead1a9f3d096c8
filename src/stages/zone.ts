import { largestWeight } from '../largest-weight.js';
import type { ResolvedZone } from '../topology-options.js';
import type { Candidate, Part, Stage } from '../types.js';
import { slice } from './part.js';

/**
 * How much more than expected the local zone may be given while nobody knows where the callers are: it takes all of its
 * callers' calls while it has 1 / 1.4 = 71 % of what is expected of it. Envoy's overprovisioning factor.
 */
const OVERPROVISIONING = 1.4;

/** Keeps shares above 0 for weights however far apart. */
const LEAST_WEIGHT = 1e-300;

/** `undefined`: the instances that name none count as one more zone. */
type Zone = string | undefined;

interface Other {
  readonly zone: Zone;
  /** Its part of the available weight, U. */
  readonly available: number;
  /** What its own callers leave of that. */
  readonly residual: number;
}

/**
 * Divides a part by zone, the caller's own first. With U a zone's part of the available weight and L its part of the
 * callers, the local zone takes `min(1, U / L)` of the calls, so that all instances everywhere are loaded alike; the
 * others share the rest in proportion to their residual capacity, `max(0, U - L)`. Where the callers are is known from
 * `callers` alone. Without it each zone is taken to have as many, a dead one too, and the local one, that being a guess,
 * takes `min(1, 1.4 * U / L)`.
 *
 * At least `probeRatio` goes to the other zones together, each having its part of it by U, those without residual
 * capacity too: what is known of them stays fresh, and they stay warm.
 *
 * Nothing is divided while the local zone is unknown or has no candidate, nor below `minInstances`, nor in one zone.
 *
 * Source: Envoy, "Zone aware routing"; the case without knowledge of the callers and the probes are Fairlead's own.
 *
 * @param local the caller's zone, asked at each change.
 */
export function zone(settings: ResolvedZone, local: () => string | undefined): Stage {
  const { minInstances, probeRatio } = settings;
  const callers = settings.callers && sharesOf(Object.entries(settings.callers));
  return {
    name: 'zone',
    apply(part) {
      if (part.trial === true) return [part]; // a few calls, wherever they go
      const here = local();
      if (here === undefined || part.eligible.length < minInstances) return [part];
      const zones = new Set(part.eligible.map(zoneOf));
      if (zones.size < 2) return [part];
      const available = availableByZone(part.candidates);
      const atHome = available.get(here);
      if (atHome === undefined) return [part];

      const callersOf = (name: Zone): number =>
        callers === undefined ? 1 / zones.size : (callers.get(name) ?? 0);
      const capacity = callers === undefined ? OVERPROVISIONING * atHome : atHome;
      available.delete(here);
      const others = [...available].map(([name, share]) => ({
        zone: name,
        available: share,
        residual: Math.max(0, share - callersOf(name)),
      }));
      return divide(part, here, capacity / callersOf(here), others, probeRatio);
    },
  };
}

/** @param bearable what the local zone can take of its callers' calls: 1 or more is all, Infinity where it has none. */
function divide(
  part: Part,
  here: string,
  bearable: number,
  others: readonly Other[],
  probeRatio: number,
): readonly Part[] {
  const leave = others.length === 0 ? 0 : Math.max(probeRatio, 1 - bearable);
  const available = sum(others, (other) => other.available);
  const residual = sum(others, (other) => other.residual);
  const far = others
    .map((other) => {
      const byAvailable = other.available / available;
      // Where no zone has any residual capacity, there is nothing to spill either, but for what rounding leaves.
      const spilled = residual > 0 ? other.residual / residual : byAvailable;
      return { zone: other.zone, share: probeRatio * byAvailable + (leave - probeRatio) * spilled };
    })
    .sort((a, b) => b.share - a.share || (nameOf(a.zone) < nameOf(b.zone) ? -1 : 1));
  return [{ zone: here, share: 1 - leave }, ...far].map(({ zone: name, share }) =>
    slice(part, nameOf(name), part.ratio * share, (candidate) => zoneOf(candidate) === name),
  );
}

/** Each zone's part of the weight of all these. */
function availableByZone(candidates: readonly Candidate[]): Map<Zone, number> {
  // A sum of huge weights would overflow, and what tiny ones are beside them vanish.
  const largest = largestWeight(candidates);
  const weights = new Map<Zone, number>();
  for (const candidate of candidates) {
    const name = zoneOf(candidate);
    const weight = Math.max(candidate.instance.weight / largest, LEAST_WEIGHT);
    weights.set(name, (weights.get(name) ?? 0) + weight);
  }
  return sharesOf([...weights]);
}

function sharesOf(amounts: readonly (readonly [Zone, number])[]): Map<Zone, number> {
  const total = sum(amounts, ([, amount]) => amount);
  return new Map(amounts.map(([name, amount]) => [name, amount / total]));
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}

function zoneOf({ instance }: Candidate): Zone {
  return instance.locality.zone;
}

function nameOf(name: Zone): string {
  return name === undefined ? 'no zone' : `zone ${name}`;
}
