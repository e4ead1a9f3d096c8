import type { Goal } from '../call/goals.js';
import type { SceneName } from './faults.js';
import { TIMELINE } from './plan.js';
import type { RunRecord } from './records.js';
import { NGINX, OURS, PAIRS } from './subjects.js';

const ONE_AT_A_TIME: readonly SceneName[] = ['slow', 'failing', 'killed', 'stopped'];
const THREE: readonly SceneName[] = ['three at once', 'three, one stopped'];

/** For the four ways to call through Fairlead in its defaults: the worst of them counts, each by the median of its runs. */
export function goalsOf(runs: readonly RunRecord[], repeats: readonly RunRecord[]): Goal[] {
  const ours = (scene: SceneName): RunRecord[] =>
    runs.filter((run) => run.scene === scene && OURS.includes(run.subject));
  return [
    ...[...ONE_AT_A_TIME, ...THREE].flatMap((scene) => ofErrors(scene, ours(scene))),
    ...ONE_AT_A_TIME.flatMap((scene) => ofLatency(scene, 'in the fault', ours(scene), inFault)),
    ...THREE.flatMap((scene) => [
      ...ofLatency(scene, 'from 1 s after the fault', ours(scene), fromOneSecond),
      ...ofNginx(
        scene,
        ours(scene),
        runs.filter((run) => run.scene === scene && run.subject === NGINX),
      ),
    ]),
    ...ofRotation([...ONE_AT_A_TIME, ...THREE].flatMap(ours)),
    ...PAIRS.slice(0, 1).flatMap(([retries, none]) =>
      ofRetries(
        repeats.filter(({ subject }) => subject === retries),
        repeats.filter(({ subject }) => subject === none),
      ),
    ),
  ];
}

function ofErrors(scene: SceneName, runs: readonly RunRecord[]): Goal[] {
  if (runs.length === 0) return [];
  return [atMost(`errors, ${scene}`, 0, '0', worst(runs, errorsOf))];
}

function ofLatency(
  scene: SceneName,
  when: string,
  runs: readonly RunRecord[],
  ratio: (run: RunRecord) => number,
): Goal[] {
  if (runs.length === 0) return [];
  const what = `p99 ${when} over that without one, ${scene}`;
  return [atMost(what, 1.2, '<= 1.2x', worstMedian(runs, ratio))];
}

function ofNginx(
  scene: SceneName,
  runs: readonly RunRecord[],
  nginx: readonly RunRecord[],
): Goal[] {
  if (runs.length === 0 || nginx.length === 0) return [];
  const theirs = medianOf(nginx.map(({ during }) => during.p99));
  const value = worstMedian(runs, ({ during }) => during.p99 / theirs);
  return [atMost(`p99 in the fault over that of tuned nginx, ${scene}`, 1, '<= 1x', value)];
}

function ofRotation(runs: readonly RunRecord[]): Goal[] {
  if (runs.length === 0) return [];
  const out = worstMedian(runs, (run) => worst(run.outSeconds, (seconds) => seconds ?? Infinity));
  const back = worstMedian(runs, (run) => worst(run.backSeconds, (seconds) => seconds ?? Infinity));
  return [
    atMost('seconds until a bad instance is out of rotation', 0.25, '<= 0.25', out),
    // Of one that was never back no more is known than that: it is then the length of what was watched.
    back === Infinity
      ? {
          what: 'seconds until it is back to half its share (not by the end of the run)',
          goal: '<= 5',
          measured: TIMELINE.afterMs / 1_000,
          met: false,
        }
      : atMost('seconds until it is back to half its share', 5, '<= 5', back),
  ];
}

function ofRetries(retries: readonly RunRecord[], none: readonly RunRecord[]): Goal[] {
  if (retries.length === 0 || none.length === 0) return [];
  const least = Math.min(...none.map(errorsOf));
  return [
    atMost(
      `errors of the worst of ${retries.length} runs with retries, ${retries[0]?.scene ?? ''}`,
      least,
      `<= ${least}, those of the best with retries off`,
      worst(retries, errorsOf),
    ),
  ];
}

/** Over all of a run. */
export function errorsOf({ before, during, after }: RunRecord): number {
  return before.errors + during.errors + after.errors;
}

/** The p99 without a fault: half by what was before it, half by what was after, for clients get quicker as they run. */
function calmP99({ before, after }: RunRecord): number {
  return (before.p99 + after.p99) / 2;
}

export function inFault(run: RunRecord): number {
  return run.during.p99 / calmP99(run);
}

export function fromOneSecond(run: RunRecord): number {
  return run.settled.p99 / calmP99(run);
}

function atMost(what: string, limit: number, goal: string, value: number): Goal {
  return { what, goal, measured: Number(value.toFixed(3)), met: value <= limit };
}

function worst<T>(items: readonly T[], value: (item: T) => number): number {
  return Math.max(...items.map(value));
}

/** The worst of the subjects in the scenes, each by the median of its rounds. */
function worstMedian(runs: readonly RunRecord[], value: (run: RunRecord) => number): number {
  const rounds = new Map<string, number[]>();
  for (const run of runs) {
    const key = `${run.scene}: ${run.subject}`;
    rounds.set(key, [...(rounds.get(key) ?? []), value(run)]);
  }
  return worst([...rounds.values()], medianOf);
}

export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
