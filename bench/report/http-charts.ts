import { barChart } from '../../scripts/pictures/bar-chart.js';
import { quartiles, ratios } from '../call/quartiles.js';
import { perSecond } from '../http/goals.js';
import type { Measured } from '../http/rounds.js';
import { barOf, type Drawing } from './drawing.js';

interface Group {
  readonly name: string;
  readonly title: string;
  readonly bare: string;
  readonly subjects: readonly { readonly name: string; readonly rounds: readonly Measured[] }[];
}

/** One chart per group of subjects that were measured beside one another. */
export function drawHttp({ groups }: { readonly groups?: readonly Group[] }): Drawing[] {
  return (groups ?? []).flatMap(({ name, title, bare, subjects }) => {
    const base = subjects.find((subject) => subject.name === bare)?.rounds.map(perSecond) ?? [];
    const bars = subjects.map((subject) => {
      const over = quartiles(ratios(subject.rounds.map(perSecond), base)).median;
      return barOf(subject.name, over, '', (each) => each === bare);
    });
    const svg = barChart({
      title: `Requests per second: ${title}`,
      subtitle: `Beside ${bare}, which is 1. Medians of rounds that followed one another.`,
      bars,
      mark: { at: 1, label: '1' },
    });
    return [{ file: `http-${name}.svg`, alt: `Requests per second beside ${bare}`, svg }];
  });
}
