/** A line chart as SVG text. */

export interface Line {
  readonly name: string;
  readonly colour: string;
  /** Pattern of dashes, so that lines differ without colour, too. Default: solid. */
  readonly dashes?: string;
  /** Points in the units of the axes, x rising. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis;
  /** A stretch of x to be shaded, with what happens in it. */
  readonly shaded: { readonly from: number; readonly to: number; readonly label: string };
  readonly lines: readonly Line[];
}

interface Axis {
  readonly label: string;
  readonly max: number;
  readonly step: number;
  readonly format: (value: number) => string;
}

const WIDTH = 760;
const HEIGHT = 414;
const LEFT = 64;
const RIGHT = 20;
const TOP = 106;
const BOTTOM = 48;

export function lineChart({ title, subtitle, x, y, shaded, lines }: Chart): string {
  const atX = (value: number): number => round(LEFT + (value / x.max) * (WIDTH - LEFT - RIGHT));
  const atY = (value: number): number =>
    round(HEIGHT - BOTTOM - (value / y.max) * (HEIGHT - TOP - BOTTOM));
  const floor = atY(0);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="#333">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="26" font-size="17" font-weight="600">${title}</text>`,
    `<text x="${LEFT}" y="46" fill="#666">${subtitle}</text>`,
    ...lines.map(({ name, colour, dashes }, i) => {
      const at = LEFT + i * 150;
      return `<line x1="${at}" y1="68" x2="${at + 26}" y2="68" ${stroke(colour, dashes)}/><text x="${at + 32}" y="72">${name}</text>`;
    }),
    `<rect x="${atX(shaded.from)}" y="${TOP}" width="${round(atX(shaded.to) - atX(shaded.from))}" height="${round(floor - TOP)}" fill="#f3f3f3"/>`,
    `<text x="${round((atX(shaded.from) + atX(shaded.to)) / 2)}" y="${TOP + 16}" text-anchor="middle" fill="#777">${shaded.label}</text>`,
    ...ticks(y).map(
      (value) =>
        `<line x1="${LEFT}" y1="${atY(value)}" x2="${WIDTH - RIGHT}" y2="${atY(value)}" stroke="#ddd"/><text x="${LEFT - 8}" y="${round(atY(value) + 4)}" text-anchor="end">${y.format(value)}</text>`,
    ),
    ...ticks(x).map(
      (value) =>
        `<text x="${atX(value)}" y="${round(floor + 18)}" text-anchor="middle">${x.format(value)}</text>`,
    ),
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 10}" text-anchor="end" fill="#666">${x.label}</text>`,
    `<text x="${LEFT}" y="${TOP - 9}" fill="#666">${y.label}</text>`,
    ...lines.map(({ colour, dashes, points }) => {
      const path = points.map(([px, py]) => `${atX(px)},${atY(py)}`).join(' ');
      return `<polyline points="${path}" fill="none" ${stroke(colour, dashes)}/>`;
    }),
    '</svg>',
  ].join('\n')}\n`;
}

function stroke(colour: string, dashes: string | undefined): string {
  const pattern = dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`;
  return `stroke="${colour}" stroke-width="2.2" stroke-linejoin="round"${pattern}`;
}

function ticks({ max, step }: Axis): number[] {
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
