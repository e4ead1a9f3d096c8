/** The figures of docs/reliability.md on storms, as a Markdown table. */
import {
  attemptsPerCall,
  phasesOf,
  secondsToNormal,
  successRatio,
  wastedRatio,
} from '../../test/simulation/storm-cases.js';
import { type CaseName, runOf } from './cases.js';

const ROWS: readonly (readonly [what: string, name: CaseName])[] = [
  ['no retries', 'none'],
  ['2 attempts', 'two'],
  ['3 attempts (the default)', 'defaults'],
  ['4 attempts', 'four'],
  ['4 attempts, no breakers', 'fourNoBreaker'],
  ['4 attempts, **no budget**', 'fourNoBudget'],
  ['4 attempts, **no budget**, no breakers', 'fourNothing'],
];

/** Header and rows, without padding. */
export async function stormTable(): Promise<string[]> {
  const lines = [
    '| | attempts per call: half fail | all fail | calls that succeed: half fail | last 10 s | work for nobody, all fail | normal again after |',
    '|---|---:|---:|---:|---:|---:|---:|',
  ];
  for (const [what, name] of ROWS) {
    const { half, all, after } = phasesOf(await runOf(name));
    const seconds = secondsToNormal(after);
    const cells = [
      attemptsPerCall(half).toFixed(2),
      attemptsPerCall(all).toFixed(2),
      percent(successRatio(half)),
      percent(successRatio(after.slice(-10))),
      percent(wastedRatio(all)),
      seconds === undefined ? 'not within 20 s' : `${String(seconds)} s`,
    ];
    lines.push(`| ${what} | ${cells.join(' | ')} |`);
  }
  return lines;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}
