import type { InstanceRecord } from './types.js';

/** Outcomes over which the success ratio averages. */
const SPAN = 10;
/** Time constant with which it returns to 1, in ms, so that an instance that lost its traffic is tried again. */
const RECOVERY_MS = 20_000;

type Rated = Pick<InstanceRecord, 'successRatio' | 'failuresInARow' | 'ewmaAtMs'>;

/** The success ratio of an instance as it stands at `nowMs`: `1 - (1 - ratio) * exp(-idle / 20 s)`. */
export function successRatioAt({ successRatio, ewmaAtMs }: Rated, nowMs: number): number {
  if (successRatio === 1) return 1;
  return 1 - (1 - successRatio) * Math.exp(-Math.max(0, nowMs - ewmaAtMs) / RECOVERY_MS);
}

/**
 * The success ratio after one more outcome: an exponentially weighted average over about the last 10. Each failure in
 * a row weighs as much as two of the one before it: one in a hundred is noise and costs a tenth, the sixth in a row
 * is no accident.
 */
export function successRatioAfter(state: Rated, success: boolean, nowMs: number): number {
  const before = successRatioAt(state, nowMs);
  if (success) return before + (1 - before) / SPAN;
  return before * (1 - 1 / SPAN) ** (2 ** state.failuresInARow);
}
