import { moleculer as balancers } from '../pick/peers/moleculer.js';
import type { Subject } from './subject.js';

/** A node and its one action in moleculer's registry; its circuit breaker is off by default. */
export const moleculer: readonly Subject[] = [
  {
    name: 'moleculer, registry alone',
    async prepare(input) {
      const balancer = balancers.find(({ name }) => name === 'RoundRobin');
      if (balancer === undefined) throw new Error('no such strategy');
      const { pick } = await balancer.prepare(input.length);
      return {
        // Each filters the whole list: a few tell as much as 10,000.
        callEach: () => pick(100),
        close: () => undefined,
      };
    },
  },
];
