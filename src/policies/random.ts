import type { Policy } from '../types.js';
import { weightedDraw } from './weighted-draw.js';

/** Picks at random in proportion to the weights, in O(1) through an alias table rebuilt on change only. */
export function random(): Policy {
  return {
    name: 'random',
    build(candidates, env) {
      const draw = weightedDraw(candidates, env.rng);
      return { pick: (context) => draw.eligible(context) };
    },
  };
}
