import { barChart } from '../../scripts/pictures/bar-chart.js';
import { barOf, type Drawing } from './drawing.js';

/** A chart that a result brings along, as `charts` of its JSON. */
export interface GivenChart {
  readonly title: string;
  readonly subtitle: string;
  /** With a space before it. */
  readonly unit: string;
  /** Values by name. */
  readonly bars: Readonly<Record<string, number>>;
}

export function drawGiven(
  name: string,
  { charts }: { readonly charts?: readonly GivenChart[] },
): Drawing[] {
  return (charts ?? []).map(({ title, subtitle, unit, bars }, i) => ({
    file: i === 0 ? `${name}.svg` : `${name}-${i + 1}.svg`,
    alt: title,
    svg: barChart({
      title,
      subtitle,
      bars: Object.entries(bars).map(([bar, value]) => barOf(bar, value, unit)),
    }),
  }));
}
