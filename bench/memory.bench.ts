/**
 * What an instance costs in memory, never called, called and under traffic, and what 10,000 of them cost that have nothing
 * to do: `npm run bench -- memory`. Takes some three minutes; `--quick` a half.
 *
 * Runs the built package. How it is measured is said in memory/worker.ts. Writes bench/results/memory.json and memory.md
 * when all was measured in full.
 */
import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { goalsOf, type Plan, report } from './memory/report.js';
import type { Measured } from './memory/worker.js';
import { describeMachine } from './pick/machine.js';
import { writeResults } from './write-results.js';

const SUBJECTS = [
  'fairlead, defaults',
  'fairlead, outlier detection off',
  'fairlead, breakers off',
  'opossum, defaults',
  'opossum, fenced',
  'moleculer, registry alone',
  'undici Pools, made at once',
  'FairleadAgent, 50 instances called',
] as const;

const { values: wanted } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});
const plan: Plan = wanted.quick
  ? { instances: 10_000, rounds: 1, idleMs: 500 }
  : { instances: 10_000, rounds: 3, idleMs: 3_000 };

const rounds = new Map<string, Measured[]>();
for (let round = 0; round < plan.rounds; round++) {
  for (const name of SUBJECTS) {
    if (!name.includes(wanted.only)) continue;
    rounds.set(name, [...(rounds.get(name) ?? []), await measured(name)]);
  }
}
const machine = describeMachine(['opossum', 'moleculer', 'undici']);
const all = Object.fromEntries(rounds);
const goals = goalsOf(all);
console.log(report(machine, plan, all));
console.table(goals);

if (!wanted.quick && wanted.only === '') {
  const results = { machine, plan, goals, rounds: all };
  await writeResults('memory', results, report(machine, plan, all));
}

/** In a process of its own. */
function measured(name: string): Promise<Measured> {
  const file = new URL('./memory/worker.ts', import.meta.url);
  const child = fork(file, [name, String(plan.instances), String(plan.idleMs)], {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (message: Measured) => {
      resolve(message);
    });
    child.once('exit', (code) => {
      reject(new Error(`${name}: exited with ${String(code)}`));
    });
  });
}
