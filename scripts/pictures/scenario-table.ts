/** The figures of docs/policies.md, as a Markdown table. */
import type { PolicyName } from 'fairlead';
import {
  ambientErrors,
  blackHole,
  canary,
  coldJoiner,
  heavyTail,
  slowPair,
} from '../../test/simulation/scenarios.js';

const POLICIES: readonly PolicyName[] = ['round-robin', 'p2c', 'peak-ewma', 'adaptive'];
const SEEDS = [1, 2, 3];

type Measure = (policy: PolicyName, seed: number) => Promise<number>;
const ROWS: readonly (readonly [what: string, unit: '%' | 'ms', measure: Measure])[] = [
  ['black hole, share of calls, n = 2', '%', (policy, seed) => blackHole(policy, 2, seed)],
  ['black hole, n = 3', '%', (policy, seed) => blackHole(policy, 3, seed)],
  ['black hole, n = 10', '%', (policy, seed) => blackHole(policy, 10, seed)],
  ['2 slow of 4, share of calls', '%', slowPair],
  ['cold joiner, first 0.5 s', '%', async (...run) => (await coldJoiner(...run)).early],
  [
    'its part of its fair share, 12 s after',
    '%',
    async (...run) => (await coldJoiner(...run)).later,
  ],
  ['canary due 5 %, 20 calls/s', '%', (policy, seed) => canary(policy, 20, seed)],
  ['canary due 5 %, 300 calls/s', '%', (policy, seed) => canary(policy, 300, seed)],
  ['heavy tail, share that queues, n = 8', '%', (policy, seed) => heavyTail(policy, 8, seed)],
  ['ambient errors, p99, n = 4', 'ms', (policy, seed) => ambientErrors(policy, 4, seed)],
  ['ambient errors, p99, n = 10', 'ms', (policy, seed) => ambientErrors(policy, 10, seed)],
];

/** Header and rows, without padding. */
export async function scenarioTable(): Promise<string[]> {
  const lines = [
    `| medians of ${String(SEEDS.length)} seeds | ${POLICIES.join(' | ')} |`,
    `|---|${POLICIES.map(() => '---:').join('|')}|`,
  ];
  for (const [what, unit, measure] of ROWS) {
    const cells: string[] = [];
    for (const policy of POLICIES) {
      const figures: number[] = [];
      for (const seed of SEEDS) figures.push(await measure(policy, seed));
      const median = figures.sort((a, b) => a - b)[1] ?? NaN;
      cells.push(unit === '%' ? percent(median) : `${median.toFixed(0)} ms`);
    }
    lines.push(`| ${what} | ${cells.join(' | ')} |`);
  }
  return lines;
}

function percent(share: number): string {
  return share < 0.0001 ? '0 %' : `${(share * 100).toPrecision(3)} %`;
}
