/** Bars from left to right, one below the other, as SVG text. */

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** What is written at its end. */
  readonly label: string;
  readonly colour: string;
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: readonly Bar[];
  /** Where bars of a logarithmic axis begin, above 0; without it the axis is linear, from 0. */
  readonly logFrom?: number;
  /** A line across all bars. */
  readonly mark?: { readonly at: number; readonly label: string };
}

const WIDTH = 760;
const LEFT = 290;
/** Of one letter, about. */
const LETTER = 7.2;
const TOP = 66;
const STEP = 25;

export function barChart({ title, subtitle, bars, logFrom, mark }: BarChart): string {
  const height = TOP + bars.length * STEP + (mark === undefined ? 12 : 30);
  const right = 20 + LETTER * Math.max(...bars.map(({ label }) => label.length));
  const most = Math.max(...bars.map(({ value }) => value), mark?.at ?? 0);
  const part = (value: number): number => {
    if (logFrom === undefined) return value / most;
    return Math.log(Math.max(value, logFrom) / logFrom) / Math.log(most / logFrom);
  };
  const widthOf = (value: number): number => round(part(value) * (WIDTH - LEFT - right));
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#333">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" fill="#fff"/>`,
    `<text x="20" y="26" font-size="17" font-weight="600">${escaped(title)}</text>`,
    `<text x="20" y="46" fill="#666">${escaped(subtitle)}</text>`,
    ...bars.map(({ name, value, label, colour }, i) => {
      const y = TOP + i * STEP;
      const width = Math.max(1, widthOf(value));
      return `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${escaped(name)}</text><rect x="${LEFT}" y="${y + 2}" width="${width}" height="16" fill="${colour}"/><text x="${round(LEFT + width + 6)}" y="${y + 14}">${escaped(label)}</text>`;
    }),
    ...(mark === undefined ? [] : markAt(LEFT + widthOf(mark.at), mark.label, height)),
    '</svg>',
  ].join('\n')}\n`;
}

function markAt(x: number, label: string, height: number): string[] {
  return [
    `<line x1="${x}" y1="${TOP - 4}" x2="${x}" y2="${height - 24}" stroke="#333" stroke-dasharray="3 3"/>`,
    `<text x="${x}" y="${height - 9}" text-anchor="middle" fill="#666">${escaped(label)}</text>`,
  ];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
