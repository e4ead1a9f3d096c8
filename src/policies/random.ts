import type { Policy } from '../types.js';
import { WeightedDraw } from './weighted-draw.js';

/** Picks at random in proportion to the weights, in O(1) through an alias table rebuilt on change only. */
export function random(): Policy {
  return {
    name: 'random',
    build(candidates, env) {
      const draw = new WeightedDraw(candidates, env.rng);
      return { pick: ({ excluded }) => candidates[draw.eligible(excluded)] };
    },
  };
}
