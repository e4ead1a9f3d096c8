import { largestWeight } from '../largest-weight.js';
import type { ResolvedPriority } from '../topology-options.js';
import type { Candidate, InstanceRecord, Part, Stage } from '../types.js';
import { isAvailable } from './available.js';
import { type Aim, Failback } from './failback.js';
import { healthOf, isOneLevel, type Level, levelsOf, ROUNDING, sum, weightOf } from './levels.js';
import { slice } from './part.js';

/** Share of the calls that may be a trial, while an instance waits for one whose priority gets no calls. */
const TRIAL_RATIO = 0.1;

/**
 * Divides the calls by priority. What a priority loses goes to the next ones at once; what it gains comes back after
 * `holdDownMs`, over `rampMs`.
 *
 * `'spill'`: with the health `h` of each priority and `T = min(1, sum of h)`, a priority gets `h / T`, or what those
 * before it leave. Source: Envoy, "Priority levels".
 *
 * `'strict'`: the first priorities that have `minMembers` available instances between them share all calls, by available
 * weight. Source: F5 BIG-IP, "Priority group activation".
 *
 * Only what is proven counts as available here: an instance whose breaker is closed. One that may be tried again gets
 * its trial, one attempt of its breaker's, before any hold-down begins; else that would be spent on a dead one. Where
 * nothing is proven the first priority that has candidates gets all; in panic all share by weight.
 */
export function priority(settings: ResolvedPriority): Stage {
  const failback = new Failback(settings);
  return {
    name: 'priority',
    apply(part, context) {
      const { eligible, candidates } = part;
      const [first] = candidates;
      if (first === undefined) return [part];
      if (isOneLevel(eligible)) {
        failback.settle(first.instance.priority);
        return [part];
      }
      const levels = levelsOf(
        eligible,
        candidates.filter(({ state }) => isProven(state, context.nowMs)),
      );
      const shares = failback.follow(aimsFor(levels, candidates, settings, context.nowMs), context);
      return divide(part, levels, shares, context.nowMs);
    },
  };
}

function isProven(state: InstanceRecord, nowMs: number): boolean {
  return state.breaker.kind === 'closed' && isAvailable(state, nowMs);
}

/** A part for each level that has candidates, and one more for those of them that are on trial. */
function divide(
  part: Part,
  levels: readonly Level[],
  shares: readonly number[],
  nowMs: number,
): readonly Part[] {
  // A level with calls tries its own with them, and one after the last of those is not wanted back.
  const last = shares.findLastIndex((share) => share > 0);
  const wanted = new Set(
    levels.filter((_, i) => i < last && shares[i] === 0).map((level) => level.priority),
  );
  const isOnTrial = ({ instance, state }: Candidate): boolean =>
    wanted.has(instance.priority) && isAvailable(state, nowMs) && !isProven(state, nowMs);
  const trials = levels
    .map((level) => partOf(part, level, ' on trial', isOnTrial))
    .filter(({ candidates }) => candidates.length > 0);
  const ratio = part.ratio * (trials.length === 0 ? 1 : 1 - TRIAL_RATIO);
  const others = levels
    .map((level, i) => ({
      ...partOf(part, level, '', (one) => !isOnTrial(one)),
      ratio: ratio * (shares[i] ?? 0),
    }))
    .filter(({ candidates }) => candidates.length > 0);
  const trialRatio = (part.ratio * TRIAL_RATIO) / trials.length;
  return [...others, ...trials.map((part) => ({ ...part, trial: true, ratio: trialRatio }))];
}

function partOf(
  part: Part,
  { priority }: Level,
  suffix: string,
  belongs: (candidate: Candidate) => boolean,
): Part {
  const name = `priority ${String(priority)}${suffix}`;
  return slice(part, name, 0, (one) => one.instance.priority === priority && belongs(one));
}

/** What each level is to have, and could carry, as its health is now. */
function aimsFor(
  levels: readonly Level[],
  candidates: readonly Candidate[],
  { mode, minMembers, overprovisioningFactor }: ResolvedPriority,
  nowMs: number,
): Aim[] {
  const healths = levels.map((level) => healthOf(level, overprovisioningFactor));
  const health = Math.min(1, sum(healths));
  if (health === 0) return whereNothingIsProven(levels, candidates, nowMs);
  const goals = mode === 'spill' ? cumulated(healths, health) : activated(levels, minMembers);
  return levels.map(({ priority }, i) => ({
    priority,
    goal: goals[i] ?? 1,
    most: (healths[i] ?? 0) / health,
  }));
}

/**
 * Where there are candidates that are not even available there is panic: then any may be the one that lives, and all
 * share by weight. Else the first level that has candidates takes all.
 */
function whereNothingIsProven(
  levels: readonly Level[],
  candidates: readonly Candidate[],
  nowMs: number,
): Aim[] {
  const lists = levels.map(({ priority }) =>
    candidates.filter(({ instance }) => instance.priority === priority),
  );
  const inPanic = candidates.some(({ state }) => !isAvailable(state, nowMs));
  const first = lists.findIndex((list) => list.length > 0);
  const unit = largestWeight(candidates);
  const weights = lists.map((list, i) => (inPanic || i === first ? weightOf(list, unit) : 0));
  const goals = cumulated(weights, sum(weights));
  return levels.map(({ priority }, i) => ({ priority, goal: goals[i] ?? 1, most: 0 }));
}

/** Cumulative shares by available weight. A level is active while those before it have too few members. */
function activated(levels: readonly Level[], minMembers: number): number[] {
  let members = 0;
  const active = levels.map((level) => {
    const list = members < minMembers ? level.available : [];
    members += level.available.length;
    return list;
  });
  const unit = largestWeight(active.flat());
  const weights = active.map((list) => weightOf(list, unit));
  return cumulated(weights, sum(weights));
}

/** Sums of the parts up to each one, as shares of `whole`; at most 1. */
function cumulated(parts: readonly number[], whole: number): number[] {
  let share = 0;
  return parts.map((part) => {
    share += part / whole;
    // Nothing is left for the next one then, not even what rounding left over.
    if (share > 1 - ROUNDING) share = 1;
    return share;
  });
}
