import type { BreakerState } from '../../src/types.js';
import { candidate, type TestCandidate } from '../support/candidates.js';

export const CLOSED: BreakerState = { kind: 'closed' };
/** Out until something is done about it. */
export const OUT: BreakerState = { kind: 'open', untilMs: Infinity };

/** A candidate of a priority. */
export function leveled(
  priority: number,
  id: string,
  weight = 1,
  breaker: BreakerState = CLOSED,
): TestCandidate {
  const { instance, state } = candidate(id, weight, { breaker });
  const own = { ...instance, priority };
  return { instance: own, state: { ...state, instance: own } };
}

/** A priority with `total` instances, the first `up` of which are available. */
export function level(priority: number, up: number, total: number, breaker = OUT): TestCandidate[] {
  return Array.from({ length: total }, (_, i) =>
    leveled(priority, `p${priority}-${i}`, 1, i < up ? CLOSED : breaker),
  );
}

/** Makes the first `up` of a priority available, and no other. */
export function setUp(candidates: readonly TestCandidate[], up: number): void {
  candidates.forEach(({ state }, i) => (state.breaker = i < up ? CLOSED : OUT));
}
