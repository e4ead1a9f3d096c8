import type { Lease } from '../../lease.js';
import { shareTolerance } from '../statistics.js';
import { percent } from './describe.js';
import type { Call } from './call.js';
import type { Scene } from './scene.js';

/** Picks by id. */
export type Counts = ReadonlyMap<string, number>;

/** How long every call of the suite takes, whatever instance serves it. */
const LATENCY_MS = 50;

export interface Flow {
  /** Calls in flight, the one that is picked for included, at any time. Default 1: one call at a time. */
  readonly concurrency?: number;
  /** Calls that are made first and not counted. */
  readonly warmUp?: number;
  /** What each call asks for. */
  readonly call?: Call;
  /** Runs before each pick that counts. */
  readonly before?: () => void;
}

/** Makes `n` calls, all equally long and successful, at a steady concurrency. */
export function drive(
  scene: Scene,
  n: number,
  { concurrency = 1, warmUp = 0, call, before }: Flow = {},
): Counts {
  const counts = new Map<string, number>();
  const inFlight: (Lease | undefined)[] = [];
  for (let i = 0; i < warmUp + n; i++) {
    const slot = i % concurrency;
    inFlight[slot]?.end('success');
    if (i >= warmUp) before?.();
    const begun = scene.begin(call);
    inFlight[slot] = begun?.lease;
    if (begun !== undefined && i >= warmUp) counts.set(begun.id, (counts.get(begun.id) ?? 0) + 1);
    scene.clock.step(LATENCY_MS / concurrency);
  }
  for (const lease of inFlight) lease?.end('success');
  return counts;
}

export interface Expectation {
  /** Named in the message. */
  readonly during: string;
  /** By how much a share may be off beside chance. Default 0. */
  readonly slack?: number;
}

/**
 * Fails where the share of one of `expected` (id to weight) is off by more than chance allows: 4.5 standard deviations
 * of as many independent draws, which a fair policy exceeds in 7 of a million runs and an even one never.
 */
export function expectShares(
  scene: Scene,
  counts: Counts,
  expected: ReadonlyMap<string, number>,
  { during, slack = 0 }: Expectation,
): void {
  const ids = [...expected.keys()];
  const total = ids.reduce((sum, id) => sum + (counts.get(id) ?? 0), 0);
  const largest = Math.max(...expected.values());
  const weightOf = (id: string): number => (expected.get(id) ?? 0) / largest;
  const weights = ids.reduce((sum, id) => sum + weightOf(id), 0);
  for (const id of ids) {
    const share = weightOf(id) / weights;
    const got = total === 0 ? 0 : (counts.get(id) ?? 0) / total;
    const tolerance = shareTolerance(share, total) + slack;
    if (Math.abs(got - share) <= tolerance) continue;
    scene.fail(
      `${id} to get ${percent(share)} +- ${percent(tolerance)} of ${String(total)} picks ${during}`,
      `${percent(got)} (${ids.map((other) => `${other}: ${String(counts.get(other) ?? 0)}`).join(', ')})`,
    );
  }
}

/** The weights of the scene's list, by id. */
export function weightsOf(scene: Scene): ReadonlyMap<string, number> {
  return new Map(scene.list.map(({ instance }) => [instance.id, instance.weight]));
}

/**
 * What the shares of a load-aware policy may be off by. It evens out the attempts in flight per unit of weight, but
 * only in whole attempts: each instance may hold one too many or too few. One that counts the attempt to be made too,
 * `(pending + 1) / weight`, gives an instance `weight / mean weight - 1` attempts more than its share.
 */
export function inFlightSlack(scene: Scene, concurrency: number): number {
  const weights = scene.list.map(({ instance }) => instance.weight);
  const largest = Math.max(...weights);
  const mean = weights.reduce((sum, weight) => sum + weight / largest, 0) / weights.length;
  return Math.max(1, 1 / mean - 1) / concurrency;
}
