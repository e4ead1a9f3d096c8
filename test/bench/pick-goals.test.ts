import { expect, it } from 'vitest';
import { goalsOf } from '../../bench/pick/goals.js';
import type { JobResult, Row } from '../../bench/pick/job-run.js';

function row(library: string, name: string, ...ns: [number, number, number, number]): Row {
  const byN = Object.fromEntries([10, 100, 1_000, 10_000].map((n, i) => [n, ns[i] ?? NaN]));
  return { library, name, ns: byN, bytes: byN, buildMs: 1 };
}

const job = (...rows: Row[]): JobResult => ({ name: 'job', note: '', rows });
const measuredBy = (jobs: readonly JobResult[]): Record<string, readonly [number, boolean]> =>
  Object.fromEntries(goalsOf(jobs).map(({ what, measured, met }) => [what, [measured, met]]));

it('goes by the floor of the same job, size by size, and by the growth', () => {
  const measured = measuredBy([
    job(
      row('fairlead', 'p2c', 20, 20, 25, 42),
      row('floor', 'P2C by hand, Math.random', 1, 1, 1, 1),
      row('floor', 'P2C by hand, xorshift', 10, 10, 10, 20),
    ),
    job(
      row('fairlead', 'adaptive', 40, 40, 40, 40),
      row('fairlead client', 'adaptive', 1, 1, 1, 1),
      row('floor', 'P2C by hand, xorshift', 8, 10, 20, 40),
    ),
  ]);
  expect(measured).toEqual({
    'pick, `p2c`, n = 10, over P2C by hand': [2, true],
    'pick, `p2c`, n = 100, over P2C by hand': [2, true],
    'pick, `p2c`, n = 1,000, over P2C by hand': [2.5, false],
    'pick, `p2c`, n = 10,000, over P2C by hand': [2.1, false],
    'pick, `p2c`, n = 10,000 over n = 10': [2.1, false],
    'pick, `adaptive`, n = 10, over P2C by hand': [5, false],
    'pick, `adaptive`, n = 100, over P2C by hand': [4, true],
    'pick, `adaptive`, n = 1,000, over P2C by hand': [2, true],
    'pick, `adaptive`, n = 10,000, over P2C by hand': [1, true],
    'pick, `adaptive`, n = 10,000 over n = 10': [1, true],
  });
});

it('has no goal for what was not measured', () => {
  expect(goalsOf([job(row('fairlead', 'p2c', 1, 1, 1, 1))])).toEqual([]);
});
