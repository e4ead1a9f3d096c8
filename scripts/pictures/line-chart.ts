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
  readonly shaded?: { readonly from: number; readonly to: number; readonly label: string };
  readonly lines: readonly Line[];
}

interface Axis {
  readonly label: string;
  /** Default: 0. Above it, the axis is logarithmic. */
  readonly min?: number;
  readonly max: number;
  /** From one tick to the next; of a logarithmic axis, how many times as much. */
  readonly step: number;
  readonly format: (value: number) => string;
}

const WIDTH = 760;
const HEIGHT = 414;
const LEFT = 64;
const RIGHT = 20;
const TOP = 106;
const BOTTOM = 48;
/** Names of lines in a row, and how far apart the rows are. */
const NAMES = 4;
const ROW = 20;

export function lineChart({ title, subtitle, x, y, shaded, lines }: Chart): string {
  const top = TOP + ROW * (Math.ceil(lines.length / NAMES) - 1);
  const atX = (value: number): number => round(LEFT + part(value, x) * (WIDTH - LEFT - RIGHT));
  const atY = (value: number): number =>
    round(HEIGHT - BOTTOM - part(value, y) * (HEIGHT - top - BOTTOM));
  const floor = atY(y.min ?? 0);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="#333">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="26" font-size="17" font-weight="600">${title}</text>`,
    `<text x="${LEFT}" y="46" fill="#666">${subtitle}</text>`,
    ...lines.map(({ name, colour, dashes }, i) => {
      const at = LEFT + (i % NAMES) * (lines.length > NAMES ? 170 : 150);
      const y = 68 + ROW * Math.floor(i / NAMES);
      return `<line x1="${at}" y1="${y}" x2="${at + 26}" y2="${y}" ${stroke(colour, dashes)}/><text x="${at + 32}" y="${y + 4}">${name}</text>`;
    }),
    ...(shaded === undefined
      ? []
      : [
          `<rect x="${atX(shaded.from)}" y="${top}" width="${round(atX(shaded.to) - atX(shaded.from))}" height="${round(floor - top)}" fill="#f3f3f3"/>`,
          `<text x="${round((atX(shaded.from) + atX(shaded.to)) / 2)}" y="${top + 16}" text-anchor="middle" fill="#777">${shaded.label}</text>`,
        ]),
    ...ticks(y).map(
      (value) =>
        `<line x1="${LEFT}" y1="${atY(value)}" x2="${WIDTH - RIGHT}" y2="${atY(value)}" stroke="#ddd"/><text x="${LEFT - 8}" y="${round(atY(value) + 4)}" text-anchor="end">${y.format(value)}</text>`,
    ),
    ...ticks(x).map(
      (value) =>
        `<text x="${atX(value)}" y="${round(floor + 18)}" text-anchor="middle">${x.format(value)}</text>`,
    ),
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 10}" text-anchor="end" fill="#666">${x.label}</text>`,
    `<text x="${LEFT}" y="${top - 9}" fill="#666">${y.label}</text>`,
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

/** How far along its axis a value is, 0 to 1. */
function part(value: number, { min = 0, max }: Axis): number {
  return min === 0 ? value / max : Math.log(value / min) / Math.log(max / min);
}

function ticks({ min = 0, max, step }: Axis): number[] {
  if (min === 0) return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
  const steps = Math.floor(Math.log(max / min) / Math.log(step) + 1e-9);
  return Array.from({ length: steps + 1 }, (_, i) => min * step ** i);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
