import type { Stage } from '../types.js';

/** Weight 0 means draining: calls in flight finish, new ones go elsewhere. */
export const draining: Stage = {
  name: 'draining',
  apply: (candidates) => (candidates.every(isTaking) ? candidates : candidates.filter(isTaking)),
};

function isTaking({ instance }: { readonly instance: { readonly weight: number } }): boolean {
  return instance.weight > 0;
}
