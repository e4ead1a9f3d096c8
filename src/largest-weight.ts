import type { Candidate } from './types.js';

/**
 * What weights are divided by before they are summed or multiplied: a sum of huge ones must not overflow (grpc-go#5699),
 * nor a product of tiny ones vanish.
 */
export function largestWeight(
  candidates: readonly Candidate[],
  weightOf: (candidate: Candidate) => number = weightOfInstance,
): number {
  return candidates.reduce((max, candidate) => Math.max(max, weightOf(candidate)), 0);
}

function weightOfInstance({ instance }: Candidate): number {
  return instance.weight;
}
