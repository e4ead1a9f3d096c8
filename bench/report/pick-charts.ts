import { lineChart } from '../../scripts/pictures/line-chart.js';
import type { JobResult, Row } from '../pick/job-run.js';
import { type Drawing, OTHERS, OURS, short, time } from './drawing.js';

const SHOWN: readonly Shown[] = [
  { library: 'fairlead', name: 'round-robin', colour: OURS, dashes: '2 3' },
  { library: 'fairlead', name: 'p2c', colour: OURS, dashes: '8 3' },
  { library: 'fairlead', name: 'adaptive', colour: OURS },
  { library: 'fairlead', name: 'maglev', colour: OURS, dashes: '12 3 2 3' },
  { library: 'floor', name: 'P2C by hand, xorshift', as: 'P2C by hand', colour: '#c77c11' },
  { library: 'grpc-js', name: 'weighted_round_robin', as: 'grpc-js weighted', colour: OTHERS },
  {
    library: 'undici',
    name: 'BalancedPool',
    as: 'undici BalancedPool',
    colour: OTHERS,
    dashes: '8 3',
  },
  { library: 'moleculer', name: 'Latency', as: 'moleculer Latency', colour: '#b5274b' },
];

interface Shown {
  readonly library: string;
  readonly name: string;
  readonly as?: string;
  readonly colour: string;
  readonly dashes?: string;
}

export function drawPicks({ jobs }: { readonly jobs: readonly JobResult[] }): Drawing[] {
  const rows = jobs.flatMap((job) => job.rows);
  const lines = SHOWN.flatMap(({ library, name, as, ...style }) => {
    const row = rows.find((each) => each.library === library && each.name === name);
    return row === undefined ? [] : [{ name: as ?? name, points: pointsOf(row), ...style }];
  });
  if (lines.length === 0) return [];
  const most = Math.max(...lines.flatMap(({ points }) => points.map(([, ns]) => ns)));
  const svg = lineChart({
    title: 'A pick, by number of instances',
    subtitle: 'Logarithmic axes; Fairlead in blue, the choice alone.',
    x: { label: 'instances', min: 1, max: 10_000, step: 10, format: short },
    y: {
      label: 'time per pick',
      min: 1,
      max: 10 ** Math.ceil(Math.log10(most)),
      step: 10,
      format: time,
    },
    lines,
  });
  return [{ file: 'pick.svg', alt: 'ns per pick by number of instances', svg }];
}

function pointsOf({ ns }: Row): (readonly [number, number])[] {
  return Object.entries(ns).map(([n, value]) => [Number(n), value]);
}
