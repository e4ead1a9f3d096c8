import { InvalidOptionError } from '../errors.js';
import type { Load, Policy } from '../types.js';
import { checkFunction, checkKeys, checkNumber, checkString, isObject } from '../validate.js';
import { leastRequest } from './least-request.js';
import { LeastOfAll } from './least-of-all.js';
import { BetterOfTwo, LeastOfDrawn } from './least-of-drawn.js';

export interface BestOfOptions {
  /** Candidates compared per pick, an integer >= 2; all of them when there are no more. Default 2. */
  readonly choices?: number | undefined;
  /** The cost compared. Default: `leastRequest()`. */
  readonly load?: Load | undefined;
}

/**
 * Best of d: draws `choices` distinct candidates by weight and takes the one with the least load; ties go at random,
 * by weight. Weights hold between idle ones as with `p2c`. O(choices) per pick. By name `'least-request'`, with its defaults.
 *
 * With k slow of n instances at least `C(k, choices) / C(n, choices)` of the picks still go to a slow one
 * (brpc#3340), and a full scan by many clients herds on whichever looked best last.
 *
 * Source: Envoy, LEAST_REQUEST with `choice_count`.
 *
 * @throws {InvalidOptionError} naming the option out of range.
 */
export function bestOf(options: BestOfOptions = {}): Policy {
  checkKeys('bestOf', options, ['choices', 'load']);
  const choices = checkNumber('bestOf.choices', options.choices ?? 2, { min: 2, integer: true });
  const load = checkLoad('bestOf.load', options.load ?? leastRequest());
  return leastLoaded('least-request', load, () => choices);
}

/**
 * A policy that compares `choicesOf(n)` of n candidates.
 *
 * @param tiedCalls by how much of a call in flight one may cost more than the least, and still tie with it; see
 * {@link LeastOfAll}. Below 1, so that of two that are alike the one with a call less always wins.
 */
export function leastLoaded(
  name: string,
  load: Load,
  choicesOf: (n: number) => number,
  tiedCalls = 0,
): Policy {
  return {
    name,
    load,
    build: (candidates, { rng }) => {
      const choices = choicesOf(candidates.length);
      if (choices >= candidates.length) return new LeastOfAll(candidates, load, rng, tiedCalls);
      return choices === 2 && tiedCalls === 0
        ? new BetterOfTwo(candidates, load, rng)
        : new LeastOfDrawn(candidates, load, rng, choices, tiedCalls);
    },
  };
}

/** @throws {InvalidOptionError} naming what a load lacks. */
export function checkLoad(option: string, load: unknown): Load {
  if (!isObject(load)) throw new InvalidOptionError(option, 'a Load such as peakEwma()', load);
  checkString(`${option}.name`, load['name']);
  checkFunction(`${option}.of`, load['of']);
  for (const optional of ['observe', 'seed']) {
    if (load[optional] !== undefined) checkFunction(`${option}.${optional}`, load[optional]);
  }
  return load as unknown as Load;
}
