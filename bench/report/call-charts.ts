import { barChart } from '../../scripts/pictures/bar-chart.js';
import { lineChart } from '../../scripts/pictures/line-chart.js';
import type { JobResult, Row } from '../call/job-run.js';
import { quartiles } from '../call/quartiles.js';
import { BARE, barOf, type Drawing, OTHERS, OURS, short, time } from './drawing.js';

export function drawCalls({ jobs }: { readonly jobs: readonly JobResult[] }): Drawing[] {
  const rowsOf = (name: string): readonly Row[] =>
    jobs.find((job) => job.name === name)?.rows ?? [];
  return [
    bars('call.svg', 'A call that succeeds', rowsOf('a call that succeeds')),
    bars('call-signal.svg', 'A call whose signal is read', rowsOf('the same with the signal read')),
    failures(rowsOf('a call that fails')),
  ].flat();
}

function bars(file: string, title: string, rows: readonly Row[]): Drawing[] {
  if (rows.length === 0) return [];
  const sorted = [...rows].sort((a, b) => nsOf(a) - nsOf(b));
  const svg = barChart({
    title,
    subtitle: 'ns per call, of a function that has an answer at once. Medians.',
    bars: sorted.map((row) =>
      barOf(`${row.library} ${row.name}`, nsOf(row), ' ns', (name) => name.startsWith('plain')),
    ),
  });
  return [{ file, alt: `${title}: ns per call`, svg }];
}

const FAILING = [
  { library: 'fairlead', name: 'call that fails', as: 'Fairlead', colour: OURS },
  { library: 'opossum', name: 'fire that fails, fenced', as: 'opossum fenced', colour: OTHERS },
  {
    library: 'opossum',
    name: 'fire that fails, percentiles on',
    as: 'opossum',
    colour: '#b5274b',
  },
] as const;

function failures(rows: readonly Row[]): Drawing[] {
  const plain = rows.find(({ name }) => name === 'rejection with a new Error');
  if (plain === undefined) return [];
  const lines = FAILING.map(({ library, name, as, colour }) => ({
    name: as,
    colour,
    points: rows
      .filter((row) => row.library === library && row.name === name && (row.n ?? 0) > 0)
      .map((row): readonly [number, number] => [row.n ?? 0, nsOf(row)]),
  }));
  const floor = [1_000, 100_000].map((n): readonly [number, number] => [n, nsOf(plain)]);
  const svg = lineChart({
    title: 'A call that fails',
    subtitle: 'By calls within the window before it. Logarithmic axes.',
    x: { label: 'calls within the window', min: 1_000, max: 100_000, step: 10, format: short },
    y: { label: 'time per call', min: 1_000, max: 100_000_000, step: 10, format: time },
    lines: [...lines, { name: 'new Error alone', colour: BARE, dashes: '2 3', points: floor }],
  });
  return [{ file: 'call-failing.svg', alt: 'ns per failing call by calls in the window', svg }];
}

function nsOf({ rounds }: Row): number {
  return quartiles(rounds.map(({ ns }) => ns)).median;
}
