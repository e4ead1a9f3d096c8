import { createRequire } from 'node:module';
import type { Subject } from '../subject.js';

interface Server {
  readonly port: number;
}
type Engine = new (pool: unknown[]) => { pick(): Server };

const require = createRequire(import.meta.url);
const engines = require('loadbalance') as Record<
  'RoundRobinEngine' | 'WeightedRoundRobinEngine' | 'WeightedRandomEngine',
  Engine
>;

/** The weighted ones repeat every server by its weight in one array. The list is fixed: a new one, a new engine. */
export const loadbalance: readonly Subject[] = [
  { name: 'RoundRobinEngine', Engine: engines.RoundRobinEngine, weighted: false },
  { name: 'WeightedRoundRobinEngine', Engine: engines.WeightedRoundRobinEngine, weighted: true },
  { name: 'WeightedRandomEngine', Engine: engines.WeightedRandomEngine, weighted: true },
].map(({ name, Engine, weighted }) => ({
  library: 'loadbalance',
  name,
  prepare(n) {
    const pool = Array.from({ length: n }, (_, i) => ({
      object: { port: i + 1 },
      weight: 1 + (i % 3),
    }));
    const given = weighted ? pool : pool.map(({ object }) => object);
    const engine = new Engine([...given]);
    return {
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) sum += engine.pick().port;
        return sum;
      },
      update: () => new Engine(given.slice(1)),
    };
  },
}));
