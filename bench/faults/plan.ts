import { type SceneName, SCENES } from './faults.js';
import type { Timeline } from './run.js';
import { castOf, OURS, PAIRS } from './subjects.js';

/** One run to be made. */
export interface Job {
  readonly subject: string;
  readonly scene: SceneName;
  /** From 1. */
  readonly round: number;
}

/** Few enough calls that the machine's two cores have little to do, for the dearest client too. */
export const TIMELINE: Timeline = {
  backends: 4,
  workMs: 2,
  perSecond: 500,
  warmUpMs: 2_000,
  beforeMs: 3_000,
  faultMs: 6_000,
  afterMs: 6_000,
};

export const QUICK: Timeline = { ...TIMELINE, beforeMs: 2_000, faultMs: 2_000, afterMs: 2_000 };

/** Where errors alone are counted. */
export const SHORT: Timeline = { ...TIMELINE, beforeMs: 1_000, afterMs: 2_000 };

export interface Wish {
  readonly only: string | undefined;
  readonly scene: SceneName | undefined;
  readonly rounds: number;
}

/**
 * Every subject through every scene, Fairlead in so many rounds, the peers in one. Subjects take turns, so that a slow
 * moment of the machine hits not one alone.
 */
export function fullPlan({ only, scene, rounds }: Wish): Job[] {
  const scenes = scene === undefined ? (Object.keys(SCENES) as SceneName[]) : [scene];
  return inTurns(rounds, (round) =>
    scenes.flatMap((each) =>
      castOf(each)
        .filter((subject) => only === undefined || subject === only)
        .filter((subject) => round === 1 || OURS.includes(subject))
        .map((subject) => ({ subject, scene: each, round })),
    ),
  );
}

/** Clients with and without retries, through one scene again and again. */
export function repeatPlan({ only, scene = 'three at once', rounds }: Wish): Job[] {
  return inTurns(rounds, (round) =>
    PAIRS.flat()
      .filter((subject) => only === undefined || subject === only)
      .map((subject) => ({ subject, scene, round })),
  );
}

function inTurns(rounds: number, jobsOf: (round: number) => Job[]): Job[] {
  return Array.from({ length: rounds }, (_, i) => jobsOf(i + 1)).flat();
}
