import type { JobResult, Row } from './job-run.js';
import {
  CALL,
  FAILING,
  FENCED,
  GLUE,
  GLUE_WITH_SIGNAL,
  REJECTION,
  SIGNAL_BY_HAND,
  SIGNAL_READ,
  type Way,
} from './jobs.js';
import { quartiles, ratios } from './quartiles.js';

/** One line of what must be reached, and what was. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: number;
  readonly met: boolean;
}

/** Medians of ratios of the same round. */
export function goalsOf(jobs: readonly JobResult[]): Goal[] {
  const fails = FAILING.map((way) => overSum(jobs, way));
  const [first, last] = [FAILING[0] ?? CALL, FAILING.at(-1) ?? CALL];
  return [
    atMost('call over an async no-op, over fenced opossum alone', 2.5, over(jobs, CALL, FENCED)),
    atLeast(
      'call over an async no-op: the hand glue with AbortSignal.timeout over it',
      7,
      over(jobs, GLUE_WITH_SIGNAL, CALL),
    ),
    atLeast(
      'the same of a hand glue that cancels nothing, and so makes no signal',
      7,
      over(jobs, GLUE, CALL),
    ),
    atMost(
      'call with the signal read, over AbortController + signal + opossum',
      1.3,
      over(jobs, SIGNAL_READ, SIGNAL_BY_HAND),
    ),
    atMost(
      'a failing call, over a rejection with a new Error plus a call that succeeds',
      2,
      Math.max(...fails),
    ),
    atMost('a failing call, 100,000 calls in the window over none', 1.3, over(jobs, last, first)),
  ].filter(({ measured }) => Number.isFinite(measured));
}

function atMost(what: string, bound: number, value: number): Goal {
  return { what, goal: `<= ${bound}x`, measured: rounded(value), met: value <= bound };
}

function atLeast(what: string, bound: number, value: number): Goal {
  return { what, goal: `>= ${bound}x`, measured: rounded(value), met: value >= bound };
}

/** NaN when either was not measured. */
function over(jobs: readonly JobResult[], above: Way, below: Way): number {
  for (const { rows } of jobs) {
    const [a, b] = [rowOf(rows, above), rowOf(rows, below)];
    if (a !== undefined && b !== undefined) return quartiles(ratios(nsOf(a), nsOf(b))).median;
  }
  return NaN;
}

function overSum(jobs: readonly JobResult[], failing: Way): number {
  for (const { rows } of jobs) {
    const [fails, rejects, succeeds] = [failing, REJECTION, CALL].map((way) => rowOf(rows, way));
    if (fails === undefined || rejects === undefined || succeeds === undefined) continue;
    const success = nsOf(succeeds);
    const sums = nsOf(rejects).map((ns, i) => ns + (success[i] ?? NaN));
    return quartiles(ratios(nsOf(fails), sums)).median;
  }
  return NaN;
}

export function rowOf(rows: readonly Row[], { library, name, n }: Way): Row | undefined {
  return rows.find((row) => row.library === library && row.name === name && row.n === n);
}

function nsOf({ rounds }: Row): number[] {
  return rounds.map(({ ns }) => ns);
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
