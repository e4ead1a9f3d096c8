import { expect, it } from 'vitest';
import { goalsOf } from '../../bench/call/goals.js';
import type { JobResult, Row } from '../../bench/call/job-run.js';
import { quartiles, ratios } from '../../bench/call/quartiles.js';

function row(library: string, name: string, ns: readonly number[], n?: number): Row {
  const rounds = ns.map((each) => ({ calls: 1, ns: each, cpuNs: each }));
  return { library, name, rounds, ...(n !== undefined && { n }) };
}

function job(rows: readonly Row[]): JobResult {
  return { name: 'a job', note: '', by: 'ns', base: { library: '', name: '' }, rows };
}

it('holds medians of ratios of the same round against the goals, of what was measured', () => {
  const jobs = [
    job([
      row('opossum', 'fire, fenced', [100, 200, 400]),
      row('fairlead', 'call', [240, 500, 1_040]), // 2.4, 2.5, 2.6
      row('glue', 'p-retry + opossum + load-balancers', [1_440, 3_400, 7_280]), // 6, 6.8, 7
    ]),
  ];
  expect(goalsOf(jobs)).toEqual([
    {
      what: 'call over an async no-op, over fenced opossum alone',
      goal: '<= 2.5x',
      measured: 2.5,
      met: true,
    },
    {
      what: 'the same of a hand glue that cancels nothing, and so makes no signal',
      goal: '>= 7x',
      measured: 6.8,
      met: false,
    },
  ]);
});

it('compares a failing call with a rejection and a success of the same round, at its worst', () => {
  const fails = (ns: number, n: number): Row => row('fairlead', 'call that fails', [ns], n);
  const goals = goalsOf([
    job([
      row('plain', 'rejection with a new Error', [300]),
      row('fairlead', 'call', [100]),
      fails(700, 0),
      fails(720, 1_000),
      fails(800, 10_000),
      fails(770, 100_000),
    ]),
  ]);
  expect(goals.map(({ measured, met }) => [measured, met])).toEqual([
    [2, true],
    [1.1, true],
  ]);
});

it('takes quartiles and ratios', () => {
  expect(quartiles([4, 1, 3, 2])).toEqual({ low: 2, median: 3, high: 4 });
  expect(ratios([2, 9, 5], [1, 3])).toEqual([2, 3]);
});
