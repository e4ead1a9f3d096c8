/** The pictures of docs/reliability.md on storms. */
import { lineChart } from '../pictures/line-chart.js';
import { attemptsPerCall, PHASES, successRatio, sum } from '../../test/simulation/storm-cases.js';
import type { StormSecond } from '../../test/simulation/storm.js';
import { type CaseName, runOf } from './cases.js';

const LINES: readonly (readonly [CaseName, name: string, colour: string, dashes?: string])[] = [
  ['four', 'with budget', '#1668b8'],
  ['fourNoBudget', 'without', '#b5274b', '8 3'],
];

/** The pictures, by file name. */
export async function drawStorm(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    [
      'storm-attempts.svg',
      await chart('A storm: attempts per call', attemptsPerCall, {
        label: 'attempts per call',
        max: 4,
        step: 1,
        format: String,
      }),
    ],
    [
      'storm-success.svg',
      await chart('A storm: calls that succeed', successRatio, {
        label: 'calls that succeed',
        max: 1,
        step: 0.25,
        format: (share) => `${String(share * 100)} %`,
      }),
    ],
  ]);
}

async function chart(
  title: string,
  measure: (seconds: readonly StormSecond[]) => number,
  y: Parameters<typeof lineChart>[0]['y'],
): Promise<string> {
  const { calm, half, all, after } = PHASES;
  const lines = [];
  for (const [name, label, colour, dashes] of LINES) {
    const run = await runOf(name);
    const points = run.map((second, i): readonly [number, number] => [
      i + 0.5,
      Math.min(y.max, sum([second], 'calls') === 0 ? 0 : measure([second])),
    ]);
    lines.push({ name: label, colour, points, ...(dashes !== undefined && { dashes }) });
  }
  return lineChart({
    title,
    subtitle: `At most 4 attempts; every instance fails half of its requests for ${String(half)} s, then all for ${String(all)} s.`,
    x: { label: 'seconds', max: calm + half + all + after, step: 10, format: String },
    y,
    shaded: { from: calm, to: calm + half + all, label: 'all instances fail' },
    lines,
  });
}
