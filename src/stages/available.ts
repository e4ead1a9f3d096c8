import type { ResolvedPriority } from '../topology-options.js';
import type { BreakerState, InstanceRecord, Stage } from '../types.js';

/** May this instance be picked now? The only answer to that question; health modules write what it reads. */
export function isAvailable({ breaker, health }: InstanceRecord, nowMs: number): boolean {
  if (health === 'unhealthy') return false;
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
export function available(panicRatio: number, _priority?: ResolvedPriority): Stage {
  return {
    name: 'available',
    apply(part, context) {
      const { eligible } = part;
      const left = eligible.filter(({ state }) => {
        const returnsAtMs = returnOf(state.breaker);
        if (returnsAtMs !== undefined) context.expireAt(returnsAtMs);
        return isAvailable(state, context.nowMs);
      });
      if (left.length === eligible.length) return [part];
      if (left.length > 0 && left.length >= panicRatio * eligible.length) {
        return [{ ...part, candidates: left }];
      }
      context.panic(
        `${String(left.length)} of ${String(eligible.length)} instances available, less than ${String(panicRatio * 100)} %: using all`,
      );
      return [part];
    },
  };
}
