import type { ResolvedPriority } from '../topology-options.js';
import type { BreakerState, Candidate, InstanceRecord, Stage } from '../types.js';
import { healthOf, isOneLevel, type Level, levelsOf, ROUNDING, sum } from './levels.js';

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
 * Drops instances that may not be picked now, unless fewer than `panicRatio` of them would be left: then most of the
 * verdicts are doubtful, and those left could not carry the load, so all are used (panic). A lone instance is thus never
 * refused by its own breaker.
 *
 * So it is when too few of those left are in good health, for the others are there only because no more may be out
 * (`maxEjectedRatio`): they fail as much as those that are out, and half of the instances need not carry all calls for
 * something that ails them all.
 *
 * Several priorities help each other out before any of them panics. With `'spill'` none does while those available
 * can carry all calls, else each that falls below `panicRatio`, by itself; with `'strict'` none while `minMembers` are
 * available, else all of them together.
 *
 * Source: Envoy, "Panic threshold".
 */
export function available(panicRatio: number, settings?: ResolvedPriority): Stage {
  return {
    name: 'available',
    apply(part, context) {
      const { eligible } = part;
      const { nowMs } = context;
      const left = eligible.filter(({ state }) => {
        const returnsAtMs = returnOf(state.breaker);
        if (returnsAtMs !== undefined) context.expireAt(returnsAtMs);
        return isAvailable(state, nowMs);
      });
      if (left.length === eligible.length) return [part];
      for (const { state } of left.filter(isHeldAt(nowMs))) context.expireAt(state.heldUntilMs);
      const short = shortGroups(eligible, left, { panicRatio, settings, nowMs });
      if (short.length === 0) return [{ ...part, candidates: left }];
      for (const group of short) context.panic(reasonOf(group, panicRatio, nowMs));
      const used = new Set([...left, ...short.flatMap((group) => group.eligible)]);
      if (used.size === eligible.length) return [part];
      return [{ ...part, candidates: eligible.filter((candidate) => used.has(candidate)) }];
    },
  };
}

/** Instances that panic together: those of a priority, or all. */
type Group = Pick<Level, 'eligible' | 'available'> & { readonly priority?: number };

/** Who has too few instances left to do without those that are not available. */
function shortGroups(
  eligible: readonly Candidate[],
  left: readonly Candidate[],
  {
    panicRatio,
    settings,
    nowMs,
  }: {
    readonly panicRatio: number;
    readonly settings: ResolvedPriority | undefined;
    readonly nowMs: number;
  },
): readonly Group[] {
  const whole: Group = { eligible, available: left };
  if (left.length === 0) return [whole];
  const isShort = (group: Group): boolean =>
    group.available.length < panicRatio * group.eligible.length ||
    group.available.length - heldIn(group, nowMs) < panicRatio * group.available.length;
  if (settings === undefined || isOneLevel(eligible)) return [whole].filter(isShort);
  const { mode, minMembers, overprovisioningFactor } = settings;
  if (mode === 'strict') return left.length >= minMembers ? [] : [whole].filter(isShort);
  const levels = levelsOf(eligible, left);
  const health = sum(levels.map((level) => healthOf(level, overprovisioningFactor)));
  // A level with nothing left is left out: it could take no share anyhow.
  return health >= 1 - ROUNDING
    ? []
    : levels.filter((level) => level.available.length > 0 && isShort(level));
}

/** Tells who would be out, could more be. */
function isHeldAt(nowMs: number): (candidate: Candidate) => boolean {
  return ({ state }) => state.heldUntilMs > nowMs;
}

function heldIn({ available: left }: Group, nowMs: number): number {
  return left.filter(isHeldAt(nowMs)).length;
}

function reasonOf(group: Group, panicRatio: number, nowMs: number): string {
  const { priority, eligible, available: left } = group;
  const where = priority === undefined ? '' : `priority ${String(priority)}: `;
  const count = `${String(left.length)} of ${String(eligible.length)} instances available`;
  if (left.length >= panicRatio * eligible.length && left.length > 0) {
    return `${where}${count}, ${String(heldIn(group, nowMs))} of them in doubt: using all`;
  }
  // With a ratio of 0 there is panic only where nothing is left.
  const below = panicRatio === 0 ? '' : `, less than ${String(+(panicRatio * 100).toFixed(2))} %`;
  return `${where}${count}${below}: using all`;
}
