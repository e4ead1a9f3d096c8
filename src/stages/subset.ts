import type { ResolvedSubset } from '../topology-options.js';
import type { Rng, Stage } from '../types.js';

export function subset(_settings: ResolvedSubset, _rng: Rng): Stage {
  return { name: 'subset', apply: (part) => [part] };
}
