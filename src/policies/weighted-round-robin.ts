import type { Policy } from '../types.js';
import { DeadlinePicker } from './earliest-deadline.js';

/**
 * Takes the candidates in turn, each as often as its weight says, evenly spread: with integer weights of sum W, any W
 * picks over an unchanged list hold exactly `weight` picks of each. An instance that warms up has part of its weight. O(log n) per pick. Starts at random and keeps its
 * place through snapshot updates.
 */
export function weightedRoundRobin(): Policy {
  return {
    name: 'weighted-round-robin',
    build: (candidates, { rng }, previous) =>
      new DeadlinePicker(
        candidates,
        candidates.map(({ state }) => state.capacity),
        rng,
        previous instanceof DeadlinePicker ? previous : undefined,
      ),
  };
}
