import type { CallContext, Candidate, Load, Policy } from '../types.js';
import { InvalidOptionError } from '../errors.js';
import { checkFunction, checkKeys, checkString, isObject } from '../validate.js';
import { leastRequest } from './least-request.js';
import { weightedDraw } from './weighted-draw.js';

export interface P2cOptions {
  /** The cost compared. Default: `leastRequest()`. */
  readonly load?: Load;
}

/**
 * Draws tried for a second, distinct candidate before the first is taken unopposed. Only the first few go by
 * weight: beside one that outweighs all others by far they would find it again and again.
 */
const SECOND_TRIES = 16;
const WEIGHTED_TRIES = 4;

/**
 * Power of two choices: draws two distinct candidates by weight and takes the one with the lower load; a tie
 * goes to the one drawn first, that is, at random by weight. O(1) per pick.
 *
 * Source: M. Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 2001.
 */
export function p2c(options: P2cOptions = {}): Policy {
  checkKeys('p2c', options, ['load']);
  const load = checkLoad('p2c.load', options.load ?? leastRequest());
  return {
    name: 'p2c',
    load,
    build(candidates, { rng }) {
      const draw = weightedDraw(candidates, rng);
      const second = (first: Candidate, { excluded }: CallContext): Candidate | undefined => {
        if (candidates.length === 2) {
          const other = candidates[0] === first ? candidates[1] : candidates[0];
          return other === undefined || excluded.has(other.instance.id) ? undefined : other;
        }
        for (let i = 0; i < SECOND_TRIES; i++) {
          const other =
            candidates[
              i < WEIGHTED_TRIES ? draw.index() : Math.floor(rng.next() * candidates.length)
            ];
          if (other === undefined || other === first) continue;
          if (excluded.size === 0 || !excluded.has(other.instance.id)) return other;
        }
        return undefined;
      };
      return {
        pick(context) {
          const first = draw.eligible(context);
          if (first === undefined || candidates.length === 1) return first;
          const other = second(first, context);
          if (other === undefined) return first;
          return load.of(other.state, context.nowMs) < load.of(first.state, context.nowMs)
            ? other
            : first;
        },
      };
    },
  };
}

function checkLoad(option: string, load: unknown): Load {
  if (!isObject(load)) throw new InvalidOptionError(option, 'a Load such as peakEwma()', load);
  checkString(`${option}.name`, load['name']);
  checkFunction(`${option}.of`, load['of']);
  return load as unknown as Load;
}
