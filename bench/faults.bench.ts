/**
 * What callers notice of an instance that goes bad, through Fairlead and through its peers: `npm run bench -- faults`.
 * Takes some twenty minutes; `--quick`, two, and three faults at once only.
 *
 * - `--only "Fairlead, undici"`, `--fault slow`: parts of it; `--rounds 3`: Fairlead so often, each peer once.
 * - `--repeat 10`: instead, clients with retries and without through three faults at once, that often.
 * - `--state file --minutes 3`: makes as many runs as it can in that time, and goes on from there the next time.
 *
 * Runs the built package. Writes bench/results/faults.json and faults.md, but for a part.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { isSceneName } from './faults/faults.js';
import { type Figures, figuresOf, isDisturbed } from './faults/figures.js';
import { goalsOf } from './faults/goals.js';
import { fullPlan, QUICK, repeatPlan, SHORT, TIMELINE } from './faults/plan.js';
import { Records, type RunRecord } from './faults/records.js';
import { report } from './faults/report.js';
import { run } from './faults/run.js';
import { describeMachine } from './pick/machine.js';
import { writeResults } from './write-results.js';

/** How often a run in which the machine was busy with something else is made again, at most. */
const TRIES_AGAIN = 2;

const { values: wanted } = parseArgs({
  options: {
    only: { type: 'string' },
    fault: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    repeat: { type: 'string' },
    state: { type: 'string' },
    minutes: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
if (wanted.fault !== undefined && !isSceneName(wanted.fault)) {
  throw new Error(`no such fault: ${wanted.fault}`);
}
const timeline = wanted.quick ? QUICK : wanted.repeat === undefined ? TIMELINE : SHORT;
const scene = wanted.fault ?? (wanted.quick ? 'three at once' : undefined);
const wish = { only: wanted.only, scene };
const plan =
  wanted.repeat === undefined
    ? fullPlan({ ...wish, rounds: Number(wanted.rounds) })
    : repeatPlan({ ...wish, rounds: Number(wanted.repeat) });
const records = await Records.open(wanted.state);
const untilMs = performance.now() + Number(wanted.minutes ?? Infinity) * 60_000;

for (const job of records.missing(plan)) {
  if (performance.now() > untilMs) break;
  const measure = async (): Promise<Figures> =>
    figuresOf(job.subject, job.scene, await run(job.subject, job.scene, timeline));
  let figures = await measure();
  for (let again = 0; isDisturbed(figures) && again < TRIES_AGAIN; again++) {
    figures = await measure();
  }
  await records.add({ ...figures, round: job.round });
  const { before, during, after, lag } = figures;
  console.log(
    `${job.scene}: ${job.subject}: ${before.errors}, ${during.errors}, ${after.errors} errors, p99 ${[before, during, after].map(({ p99 }) => p99.toFixed(1)).join(', ')} ms, lag p99 ${lag.p99.toFixed(1)} ms`,
  );
}

const machine = describeMachine([
  '@grpc/grpc-js',
  'axios',
  'axios-retry',
  'load-balancers',
  'opossum',
  'p-retry',
  'undici',
]);
const isWhole = wanted.only === undefined && wanted.fault === undefined && !wanted.quick;
const isDone = records.missing(plan).length === 0;
const file = new URL('./results/faults.json', import.meta.url);
const kept = await readKept();
const done = records.of(plan);
const runs = wanted.repeat === undefined ? done : kept.runs;
const repeats = wanted.repeat === undefined ? kept.repeats : done;
const goals = goalsOf(runs, repeats);
const markdown = report({
  where: whereOf(),
  timeline: wanted.quick ? QUICK : TIMELINE,
  runs,
  repeats,
  goals,
});
if (!isDone) console.log(`${records.missing(plan).length} runs are yet to be made.`);
else console.log(markdown);
if (isDone && isWhole) {
  await writeResults('faults', { machine, plan: TIMELINE, goals, runs, repeats }, markdown);
}

/** The other half of what was measured: of the plan that is not carried out now. */
async function readKept(): Promise<{ runs: readonly RunRecord[]; repeats: readonly RunRecord[] }> {
  if (!isWhole) return { runs: [], repeats: [] };
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { runs: RunRecord[]; repeats: RunRecord[] };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { runs: [], repeats: [] };
    throw error;
  }
}

function whereOf(): string {
  const { cpu, cores, node, versions } = machine;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, Node ${node}; ${packages.join(', ')}`;
}
