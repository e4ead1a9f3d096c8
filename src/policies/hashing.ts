import { hash32 } from '../hash.js';
import type { CallContext, Candidate, Policy, Rng } from '../types.js';
import { checkNumber } from '../validate.js';
import { type KeyedList, keyedList } from './keyed-list.js';
import { WeightedDraw } from './weighted-draw.js';

/** What the policies that hash a key have in common: bounded load, exclusions, and calls without a key. */

export interface BalanceOptions {
  /**
   * Bounds the load, so that a popular key cannot drown its instance: each instance holds at most
   * `ceil(balanceFactor * (inFlight + 1) * weight / totalWeight)` attempts at a time, and over that the next choice of
   * the key takes the attempt. A number > 1; 1.25 is usual. Nearer to 1 is more even and moves more keys. Default: no
   * bound.
   *
   * Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent hashing with bounded loads", 2016.
   */
  readonly balanceFactor?: number | undefined;
}

export function checkBalance(option: string, value: number | undefined): number | undefined {
  return value === undefined
    ? undefined
    : checkNumber(option, value, { min: 1, exclusiveMin: true });
}

/**
 * The order in which the hash of a key prefers the places of a list. Gives the first one that `accepts`; only asked
 * while there is one.
 */
export type KeyOrder = (hash: number, accepts: (place: number) => boolean) => number;

/** Chooses for the hash of a key; `undefined` when every candidate is excluded. */
export type Choose = (
  hash: number,
  excluded: ReadonlySet<string>,
  inFlight: number,
) => Candidate | undefined;

const any = (): boolean => true;

/**
 * The first in the key's order that is neither excluded nor over its bound. When all that are left are over it, which
 * exclusions can bring about, the first that is not excluded.
 */
export function chooser(
  { candidates, shares }: KeyedList,
  order: KeyOrder,
  balanceFactor: number | undefined,
): Choose {
  const eligible = (place: number, excluded: ReadonlySet<string>): boolean =>
    excluded.size === 0 || !excluded.has(candidates[place]?.instance.id ?? '');

  // With an attempt more it is within the bound: pending + 1 <= ceil(bound), which for integers is this.
  const hasRoom = (place: number, inFlight: number): boolean =>
    balanceFactor === undefined ||
    (candidates[place]?.state.pending ?? 0) < balanceFactor * (inFlight + 1) * (shares[place] ?? 0);

  return (hash, excluded, inFlight) => {
    if (candidates.length === 0) return undefined;
    const first = order(hash, any);
    if (eligible(first, excluded) && hasRoom(first, inFlight)) return candidates[first];
    const isEligible = (place: number): boolean => eligible(place, excluded);
    const isFree = (place: number): boolean => isEligible(place) && hasRoom(place, inFlight);
    const accepts = [isFree, isEligible].find((test) => candidates.some((_, place) => test(place)));
    return accepts === undefined ? undefined : candidates[order(hash, accepts)];
  };
}

/** Names of the policies that have said that calls have no key. */
const warned = new Set<string>();

/** Picks for calls without a `hashKey`: at random by weight. Says so once per policy name. */
export function keylessPick(
  policy: string,
  candidates: readonly Candidate[],
  rng: Rng,
): (context: CallContext) => Candidate | undefined {
  let draw: WeightedDraw | undefined;
  return (context) => {
    if (!warned.has(policy)) {
      warned.add(policy);
      process.emitWarning(
        `The policy "${policy}" was asked to pick for a call without a hashKey: such calls go to instances at random.`,
        { code: 'FAIRLEAD_NO_HASH_KEY' },
      );
    }
    draw ??= new WeightedDraw(candidates, rng);
    return candidates[draw.eligible(context.excluded)];
  };
}

/** A policy that takes the first choice of each key, and keeps nothing from one list to the next. */
export function hashingPolicy(
  name: string,
  balanceFactor: number | undefined,
  orderOf: (list: KeyedList) => KeyOrder,
): Policy {
  return {
    name,
    keyed: true,
    build(candidates, { rng }) {
      const list = keyedList(candidates);
      const choose = chooser(list, orderOf(list), balanceFactor);
      const draw = keylessPick(name, list.candidates, rng);
      return {
        pick(context) {
          const { hashKey, excluded, inFlight } = context;
          return hashKey === undefined
            ? draw(context)
            : choose(hash32(hashKey), excluded, inFlight);
        },
      };
    },
  };
}
