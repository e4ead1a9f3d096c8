/**
 * What a pick costs in time and in memory, by policy and size of the list, beside the libraries that do the same job:
 * `npm run bench -- pick`. Takes some three minutes; `npm run bench -- pick "at random"` runs that job alone, `--quick` fewer
 * rounds.
 *
 * Runs the built package: a loader that compiles on the fly makes closures several times dearer. How it is measured
 * is said in pick/crew.ts (processes), pick/job-run.ts (rounds) and pick/measure.ts (time and bytes). Writes
 * bench/results/pick.json and pick.md when all jobs ran in full.
 */
import { parseArgs } from 'node:util';
import { controls } from './pick/controls.js';
import { goalsOf } from './pick/goals.js';
import { countBytes, type JobResult, ROUNDS, runJob } from './pick/job-run.js';
import { JOBS } from './pick/jobs.js';
import { describeMachine } from './pick/machine.js';
import { report, type Results } from './pick/report.js';
import { writeResults } from './write-results.js';

const {
  values: { quick },
  positionals: [wanted],
} = parseArgs({ options: { quick: { type: 'boolean', default: false } }, allowPositionals: true });
const rounds = quick ? 3 : ROUNDS;

const [leaseBytes = NaN, ...counted] = await Promise.all(
  [{ library: 'fairlead lease', name: 'lease' }, ...controls].map(
    async ({ library, name }) => (await countBytes({ library, name }))[10],
  ),
);
const checked = controls.map(({ name, bytes }, i) => ({ name, bytes, counted: counted[i] ?? NaN }));
for (const control of checked) {
  if (Math.abs(control.counted - control.bytes) <= 1) continue;
  throw new Error(`control "${control.name}": ${control.counted} bytes, not ${control.bytes}`);
}

const jobs: JobResult[] = [];
for (const job of JOBS) {
  if (wanted !== undefined && job.name !== wanted) continue;
  jobs.push(await runJob(job, rounds));
}
const machine = describeMachine();
const goals = goalsOf(jobs);
const results: Results = { machine, rounds, goals, controls: checked, leaseBytes, jobs };
console.log(report(results));

if (wanted === undefined && !quick) {
  await writeResults('pick', results, report(results));
}
