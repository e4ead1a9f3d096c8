import { barChart } from '../../scripts/pictures/bar-chart.js';
import { quartiles } from '../call/quartiles.js';
import { barOf, type Drawing } from './drawing.js';

interface Part {
  readonly calls: number;
  readonly errors: number;
  readonly p99: number;
}

interface Run {
  readonly subject: string;
  readonly scene: string;
  readonly during: Part;
}

const SCENES: readonly (readonly [scene: string, file: string, title: string])[] = [
  ['slow', 'faults-slow.svg', 'One of four is slow'],
  ['stopped', 'faults-stopped.svg', 'One of four is stopped'],
  ['three at once', 'faults-three.svg', 'Three at once: killed, slow, failing'],
];

/** The latency of one call in a hundred while the fault lasts, by subject. */
export function drawFaults({ runs }: { readonly runs: readonly Run[] }): Drawing[] {
  return SCENES.flatMap(([scene, file, title]) => {
    const here = runs.filter((run) => run.scene === scene);
    if (here.length === 0) return [];
    const subjects = [...new Set(here.map(({ subject }) => subject))];
    const bars = subjects.map((subject) => {
      const own = here.filter((run) => run.subject === subject).map(({ during }) => during);
      const bar = barOf(subject, quartiles(own.map(({ p99 }) => p99)).median, ' ms');
      const errors = quartiles(own.map((part) => part.errors / part.calls)).median;
      return errors === 0 ? bar : { ...bar, label: `${bar.label}, ${percent(errors)} errors` };
    });
    const svg = barChart({
      title,
      subtitle: 'p99 of the latency during the fault, from when a call was due. Logarithmic.',
      bars: bars.sort((a, b) => a.value - b.value),
      logFrom: 1,
    });
    return [{ file, alt: `${title}: p99 during the fault`, svg }];
  });
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
