import { barChart } from '../../scripts/pictures/bar-chart.js';
import { quartiles } from '../call/quartiles.js';
import { barOf, type Drawing } from './drawing.js';

interface Bytes {
  readonly heap: number;
  readonly external: number;
}

interface Round {
  readonly neverCalled: Bytes;
  readonly called: Bytes;
}

/** What an instance takes that was called once, by subject, in KB of 1,024 bytes. */
export function drawMemory({
  rounds,
}: {
  readonly rounds: Readonly<Record<string, readonly Round[]>>;
}): Drawing[] {
  const chart = (file: string, title: string, of: (round: Round) => Bytes): Drawing => ({
    file,
    alt: `${title}: KB`,
    svg: barChart({
      title,
      subtitle: 'KB of heap and of what lies outside it. Medians.',
      bars: Object.entries(rounds).map(([name, each]) =>
        barOf(name, quartiles(each.map(of).map(kilobytes)).median, ' KB'),
      ),
    }),
  });
  return [
    chart('memory.svg', 'An instance that was never called', ({ neverCalled }) => neverCalled),
    chart('memory-called.svg', 'An instance that was called', ({ called }) => called),
  ];
}

function kilobytes({ heap, external }: Bytes): number {
  return (heap + external) / 1_024;
}
