import type { ResolvedZone } from '../topology-options.js';
import type { Stage } from '../types.js';

export function zone(_settings: ResolvedZone, _local: () => string | undefined): Stage {
  return { name: 'zone', apply: (part) => [part] };
}
