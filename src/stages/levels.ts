import { largestWeight } from '../largest-weight.js';
import type { Candidate } from '../types.js';

/** The instances of one priority. */
export interface Level {
  readonly priority: number;
  /** Those that take calls, whatever their health. */
  readonly eligible: readonly Candidate[];
  /** Those of them that may be picked now. */
  readonly available: readonly Candidate[];
}

/** Shares nearer to each other than this are the same, but for the rounding of sums. */
export const ROUNDING = 1e-9;

/** The levels among `eligible`, the preferred first. */
export function levelsOf(
  eligible: readonly Candidate[],
  available: readonly Candidate[],
): readonly Level[] {
  const availableOf = byPriority(available);
  return [...byPriority(eligible)]
    .sort(([a], [b]) => a - b)
    .map(([priority, list]) => ({
      priority,
      eligible: list,
      available: availableOf.get(priority) ?? [],
    }));
}

/** True when all are of one priority: nothing is to be divided then. */
export function isOneLevel(candidates: readonly Candidate[]): boolean {
  const first = candidates[0];
  return candidates.every(({ instance }) => instance.priority === first?.instance.priority);
}

/**
 * Part of all calls that a level can carry, 0 to 1: the available part of its weight times the overprovisioning factor.
 * More than 0 while anything of it is available.
 *
 * Source: Envoy, "Priority levels", in doubles where Envoy counts whole percents.
 */
export function healthOf({ eligible, available }: Level, overprovisioningFactor: number): number {
  if (available.length === 0) return 0;
  const unit = largestWeight(eligible);
  const ratio = weightOf(available, unit) / weightOf(eligible, unit);
  return Math.max(Number.MIN_VALUE, Math.min(1, overprovisioningFactor * ratio));
}

/** The weight of all these in units of `unit`, the largest weight: the sum of huge ones must not overflow. */
export function weightOf(candidates: readonly Candidate[], unit: number): number {
  return sum(candidates.map(({ instance }) => instance.weight / unit));
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function byPriority(candidates: readonly Candidate[]): Map<number, Candidate[]> {
  const lists = new Map<number, Candidate[]>();
  for (const candidate of candidates) {
    const list = lists.get(candidate.instance.priority);
    if (list === undefined) lists.set(candidate.instance.priority, [candidate]);
    else list.push(candidate);
  }
  return lists;
}
