import type { Candidate, Stage } from '../types.js';

/** Weight 0 means draining: calls in flight finish, new ones go elsewhere. */
export const draining: Stage = {
  name: 'draining',
  apply(part) {
    if (part.candidates.every(isTaking)) return [part];
    const candidates = part.candidates.filter(isTaking);
    return [{ ...part, eligible: candidates, candidates }];
  },
};

function isTaking({ instance }: Candidate): boolean {
  return instance.weight > 0;
}
