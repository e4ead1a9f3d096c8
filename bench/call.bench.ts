/**
 * What a call costs that succeeds, is retried, or fails, beside other ways to make one: `npm run bench -- call`. Takes
 * some four minutes; `--quick` a half, `--only retry` the jobs whose names hold that.
 *
 * Runs the built package: a loader that compiles on the fly makes closures several times dearer. Who is measured beside
 * whom is said in call/jobs.ts, how in call/job-run.ts (rounds) and call/time-calls.ts. Writes bench/results/call.json
 * and call.md when all jobs ran in full.
 */
import { parseArgs } from 'node:util';
import { goalsOf } from './call/goals.js';
import { type JobResult, type Plan, runJob } from './call/job-run.js';
import { JOBS } from './call/jobs.js';
import { report, type Results } from './call/report.js';
import { describeMachine } from './pick/machine.js';
import { writeResults } from './write-results.js';

const { values: wanted } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

const plan: Plan = wanted.quick
  ? { lives: 1, rounds: 5, roundMs: 20, warmUpMs: 150 }
  : { lives: 3, rounds: 7, roundMs: 50, warmUpMs: 300 };

const jobs: JobResult[] = [];
for (const job of JOBS) {
  if (job.name.includes(wanted.only)) jobs.push(await runJob(job, plan));
}
const results: Results = {
  machine: describeMachine(['opossum', 'p-retry', 'load-balancers', 'cockatiel', 'moleculer']),
  plan,
  goals: goalsOf(jobs),
  jobs,
};
console.log(report(results));

if (!wanted.quick && wanted.only === '') {
  await writeResults('call', results, report(results));
}
