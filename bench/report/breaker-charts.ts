import { barChart } from '../../scripts/pictures/bar-chart.js';
import { quartiles } from '../call/quartiles.js';
import { barOf, type Drawing } from './drawing.js';

interface Round {
  readonly later: { readonly cpuMs: number };
}

export function drawBreakers({
  breakers,
  rounds,
}: {
  readonly breakers: number;
  readonly rounds: Readonly<Record<string, readonly Round[]>>;
}): Drawing[] {
  const svg = barChart({
    title: 'Breakers that have nothing to do',
    subtitle: `CPU time of ${breakers.toLocaleString('en')} of them, ms per second.`,
    bars: Object.entries(rounds).map(([name, each]) =>
      barOf(name, quartiles(each.map(({ later }) => later.cpuMs)).median, ' ms', (bar) =>
        bar.startsWith('nothing'),
      ),
    ),
  });
  return [{ file: 'breakers.svg', alt: 'CPU time of idle breakers', svg }];
}
