/**
 * What a new list of 10,000 instances costs, beside the libraries that take one in, and what a longer list does to the cost
 * of a call: `npm run bench -- update`. Takes some three minutes; `--quick` a half.
 *
 * Runs the built package. What is handed over is said in update/lists.ts, how it is measured in update/fairlead.ts and
 * update/growth.ts. Writes bench/results/update.json and update.md when all was measured in full.
 */
import { parseArgs } from 'node:util';
import { describeMachine } from './pick/machine.js';
import { Worker } from './update/crew.js';
import type { Cost } from './update/fairlead.js';
import type { Way } from './update/growth.js';
import { CHANGES } from './update/lists.js';
import { PEERS } from './update/peers.js';
import { goalsOf, type Measured, type Plan, report } from './update/report.js';
import { writeResults } from './write-results.js';

const { values: wanted } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
});
const plan: Plan = {
  instances: 10_000,
  rounds: wanted.quick ? 5 : 25,
  growthRounds: wanted.quick ? 5 : 25,
  sizes: [10, 100, 1_000, 10_000],
};

const measured: Measured = {
  updates: await updates(),
  peers: await peers(),
  growth: await growth(),
};
const machine = describeMachine(['@grpc/grpc-js', 'moleculer', 'undici']);
const goals = goalsOf(measured);
const markdown = report(machine, plan, measured);
console.log(markdown);
console.table(goals);

if (!wanted.quick) {
  const results = { machine, plan, goals, ...measured };
  await writeResults('update', results, markdown);
}

/** A client for each: one whose instances warm up rebuilds its picker for that. The first two are for the code to become warm. */
async function updates(): Promise<Record<string, Cost[]>> {
  const costs: Record<string, Cost[]> = {};
  const crew = await Promise.all(
    CHANGES.map(async ({ name }) => ({ name, worker: await Worker.start('updates') })),
  );
  for (let round = -2; round < plan.rounds; round++) {
    for (const { name, worker } of crew) {
      const cost = await worker.do<Cost>(name);
      if (round >= 0) (costs[name] ??= []).push(cost);
    }
  }
  for (const { worker } of crew) worker.dismiss();
  return costs;
}

async function peers(): Promise<Measured['peers']> {
  const all = [];
  for (const peer of PEERS) {
    const worker = await Worker.start('peer', peer.library, peer.name);
    const [one, share]: [Cost[], Cost[]] = [[], []];
    for (let round = -1; round < 5; round++) {
      const ofOne = await worker.do<Cost>(1);
      const ofShare = await worker.do<Cost>(peer.told === 'by a list' ? 1 : plan.instances / 100);
      if (round < 0) continue;
      one.push(ofOne);
      share.push(ofShare);
    }
    worker.dismiss();
    all.push({ ...peer, one, share });
  }
  return all;
}

async function growth(): Promise<Measured['growth']> {
  const found: Record<Way, Record<number, number[]>> = {
    call: {},
    'call, by hand': {},
    'pick and end': {},
    'pick and end, by hand': {},
  };
  const crew = await Promise.all(
    plan.sizes.map(async (n) => ({ n, worker: await Worker.start('growth', String(n)) })),
  );
  for (let round = -2; round < plan.growthRounds; round++) {
    for (const way of Object.keys(found) as Way[]) {
      for (const { n, worker } of crew) {
        const ns = await worker.do<number>(way);
        if (round >= 0) (found[way][n] ??= []).push(ns);
      }
    }
  }
  for (const { worker } of crew) worker.dismiss();
  return found;
}
