import type { Goal } from '../call/goals.js';
import type { JobResult, Row } from './job-run.js';
import { FLOOR } from './jobs.js';

/** Sizes that the goals are for: below, a policy may look at all there are. */
const SIZES = [10, 100, 1_000, 10_000] as const;

/** What must be reached, and what was: medians, beside the floor that was measured in the same rounds. */
export function goalsOf(jobs: readonly JobResult[]): Goal[] {
  return [
    ...besideFloor(jobs, 'p2c', 2),
    ...besideFloor(jobs, 'p2c, equal weights', 2),
    ...besideFloor(jobs, 'adaptive', 4),
  ];
}

function besideFloor(jobs: readonly JobResult[], name: string, bound: number): Goal[] {
  for (const { rows } of jobs) {
    const policy = find(rows, { library: 'fairlead', name });
    const floor = find(rows, FLOOR);
    if (policy === undefined || floor === undefined) continue;
    const over = (n: number): number => (policy.ns[n] ?? NaN) / (floor.ns[n] ?? NaN);
    const growth = (policy.ns[10_000] ?? NaN) / (policy.ns[10] ?? NaN);
    return [
      ...SIZES.map((n) =>
        atMost(
          `pick, \`${name}\`, n = ${n.toLocaleString('en')}, over P2C by hand`,
          bound,
          over(n),
        ),
      ),
      atMost(`pick, \`${name}\`, n = 10,000 over n = 10`, 2, growth),
    ];
  }
  return [];
}

function find(
  rows: readonly Row[],
  { library, name }: Pick<Row, 'library' | 'name'>,
): Row | undefined {
  return rows.find((row) => row.library === library && row.name === name);
}

function atMost(what: string, bound: number, value: number): Goal {
  return {
    what,
    goal: `<= ${bound}x`,
    measured: Number(value.toPrecision(3)),
    met: value <= bound,
  };
}
