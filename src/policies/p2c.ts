import type { Load, Policy } from '../types.js';
import { checkKeys } from '../validate.js';
import { checkLoad, leastLoaded } from './best-of.js';
import { leastRequest } from './least-request.js';

export interface P2cOptions {
  /** The cost compared. Default: `leastRequest()`. */
  readonly load?: Load | undefined;
}

/**
 * Power of two choices: draws two distinct candidates by weight and takes the one with the lower load; a tie
 * goes to the one drawn first, that is, at random by weight. Where that is lighter than others the call to come counts for
 * less there, so that weights hold between idle ones. O(1) per pick.
 *
 * Source: M. Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 2001.
 *
 * @throws {InvalidOptionError} when `load` is none.
 */
export function p2c(options: P2cOptions = {}): Policy {
  checkKeys('p2c', options, ['load']);
  return leastLoaded('p2c', checkLoad('p2c.load', options.load ?? leastRequest()), () => 2);
}
