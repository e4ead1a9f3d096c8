import type { ResolvedPriority } from '../topology-options.js';
import type { Stage } from '../types.js';

export function priority(_settings: ResolvedPriority): Stage {
  return { name: 'priority', apply: (part) => [part] };
}
