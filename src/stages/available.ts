import type { BreakerState, InstanceRecord, Stage } from '../types.js';

/** May this instance be picked now? The only answer to that question; health modules write what it reads. */
function isAvailable({ breaker }: InstanceRecord, nowMs: number): boolean {
  switch (breaker.kind) {
    case 'closed':
      return true;
    case 'open':
      return nowMs >= breaker.untilMs;
    case 'half-open':
      return breaker.probeUntilMs === undefined || nowMs >= breaker.probeUntilMs;
  }
}

/** When time alone makes an instance available again. */
function returnOf(breaker: BreakerState): number | undefined {
  if (breaker.kind === 'open') return breaker.untilMs;
  return breaker.kind === 'half-open' ? breaker.probeUntilMs : undefined;
}

/**
 * Drops instances whose breaker does not let a call through, unless fewer than `panicRatio` of them would be
 * left: then most of the verdicts are doubtful, and those left could not carry the load, so all are used.
 * A lone instance is thus never refused by its own breaker.
 *
 * Source: Envoy, "Panic threshold".
 */
export function available(panicRatio: number): Stage {
  return {
    name: 'available',
    apply(candidates, context) {
      const left = candidates.filter(({ state }) => {
        const returnsAtMs = returnOf(state.breaker);
        if (returnsAtMs !== undefined) context.expireAt(returnsAtMs);
        return isAvailable(state, context.nowMs);
      });
      if (left.length === candidates.length) return candidates;
      if (left.length > 0 && left.length >= panicRatio * candidates.length) return left;
      context.panic(
        `${String(left.length)} of ${String(candidates.length)} instances available, less than ${String(panicRatio * 100)} %: using all`,
      );
      return candidates;
    },
  };
}
