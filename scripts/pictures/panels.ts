/** Diagrams of one client and the instances it sends to, side by side in panels, as SVG text. */

/**
 * `out`: gets no calls, for its breaker or a health check is against it; `doubted`: gets some all the same. `idle`: is
 * well, and gets none.
 */
export type Look = 'busy' | 'idle' | 'out' | 'doubted';

export interface Group {
  readonly label: string;
  readonly instances: readonly Look[];
  /** Part of the calls that goes to the group, 0 to 1. */
  readonly share: number;
}

export interface Panel {
  readonly caption: string;
  readonly groups: readonly Group[];
}

export interface PanelPicture {
  readonly title: string;
  readonly subtitle: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 760;
const MARGIN = 20;
const TOP = 66;
const GROUP = { height: 56, gap: 14, left: 108, width: 124 };
const CLIENT = { width: 58, height: 32 };
const BLUE = '#1668b8';
const RED = '#b5274b';
const GREY = '#8a8a8a';

const LOOKS: Readonly<Record<Look, { fill: string; stroke: string; cross?: string }>> = {
  busy: { fill: BLUE, stroke: BLUE },
  idle: { fill: '#fff', stroke: GREY },
  out: { fill: '#fff', stroke: RED, cross: RED },
  doubted: { fill: BLUE, stroke: RED, cross: '#fff' },
};

export function panelPicture({ title, subtitle, panels }: PanelPicture): string {
  const most = Math.max(...panels.map(({ groups }) => groups.length));
  const bottom = TOP + 46 + most * (GROUP.height + GROUP.gap);
  const width = (WIDTH - 2 * MARGIN) / panels.length;
  return svg(bottom + 30, title, subtitle, [
    ...panels.flatMap((panel, i) => drawPanel(panel, MARGIN + i * width, bottom)),
    ...legend(panels, bottom + 14),
  ]);
}

export interface WebPicture {
  readonly title: string;
  readonly subtitle: string;
  readonly clients: readonly string[];
  readonly instances: readonly string[];
  /** By client, the instances it uses. */
  readonly uses: readonly (readonly string[])[];
}

/** Several clients, and the instances that each of them uses. */
export function webPicture({ title, subtitle, clients, instances, uses }: WebPicture): string {
  const yOf = (i: number, count: number): number => round(TOP + 24 + ((i + 0.5) * 230) / count);
  const lines = uses.flatMap((used, i) =>
    used.map((id) => {
      const to = yOf(instances.indexOf(id), instances.length);
      return `<line x1="258" y1="${yOf(i, clients.length)}" x2="487" y2="${to}" stroke="${BLUE}" stroke-width="1.4" opacity="0.75"/>`;
    }),
  );
  const count = (id: string): number => uses.filter((used) => used.includes(id)).length;
  return svg(TOP + 270, title, subtitle, [
    ...lines,
    ...clients.map((name, i) => clientBox(200, yOf(i, clients.length) - 13, name, 26)),
    ...instances.flatMap((id, i) => {
      const y = yOf(i, instances.length);
      return [
        circle(498, y, 'busy'),
        `<text x="518" y="${round(y + 4)}">${id} <tspan fill="#666">(${count(id)})</tspan></text>`,
      ];
    }),
  ]);
}

function drawPanel({ caption, groups }: Panel, left: number, bottom: number): string[] {
  const top = TOP + 40;
  const step = GROUP.height + GROUP.gap;
  const middle = top + (groups.length * step - GROUP.gap) / 2;
  const rule =
    left === MARGIN
      ? []
      : [`<line x1="${left}" y1="${TOP}" x2="${left}" y2="${bottom - 10}" stroke="#ddd"/>`];
  const x = left + 10;
  return [
    ...rule,
    `<text x="${x}" y="${TOP + 12}" font-weight="600">${caption}</text>`,
    ...groups.flatMap(({ label, instances, share }, i) => {
      const y = top + i * step;
      const toY = y + GROUP.height / 2;
      const [fromX, toX] = [x + CLIENT.width, left + GROUP.left];
      return [
        `<rect x="${toX}" y="${y}" width="${GROUP.width}" height="${GROUP.height}" rx="8" fill="#f6f7f9" stroke="#c9ccd1"/>`,
        `<text x="${toX + 10}" y="${y + 17}" font-size="11.5" fill="#555">${label}</text>`,
        shareText(share, toX + GROUP.width - 10, y + 17),
        ...instances.map((look, j) => circle(toX + 20 + j * 27, y + 37, look)),
        share > 0
          ? `<line x1="${fromX}" y1="${round(middle)}" x2="${toX}" y2="${toY}" stroke="${BLUE}" stroke-width="${round(1 + 5 * share)}"/>`
          : `<line x1="${fromX}" y1="${round(middle)}" x2="${toX}" y2="${toY}" stroke="${GREY}" stroke-dasharray="2 4"/>`,
      ];
    }),
    clientBox(x, middle - CLIENT.height / 2, 'client', CLIENT.height),
  ];
}

function shareText(share: number, x: number, y: number): string {
  const percent = `${+(share * 100).toFixed(1)} %`;
  const weight = share > 0 ? ' font-weight="600"' : '';
  return `<text x="${x}" y="${y}" text-anchor="end" font-size="12"${weight} fill="${share > 0 ? BLUE : GREY}">${percent}</text>`;
}

function clientBox(x: number, y: number, name: string, height: number): string {
  return `<rect x="${x}" y="${round(y)}" width="${CLIENT.width}" height="${height}" rx="6" fill="#333"/><text x="${x + CLIENT.width / 2}" y="${round(y + height / 2 + 4)}" text-anchor="middle" fill="#fff" font-size="12">${name}</text>`;
}

function circle(x: number, y: number, look: Look): string {
  const { fill, stroke, cross } = LOOKS[look];
  const ring = `<circle cx="${x}" cy="${y}" r="10" fill="${fill}" stroke="${stroke}" stroke-width="2"/>`;
  if (cross === undefined) return ring;
  return `${ring}<path d="M${x - 4} ${y - 4}l8 8m0 -8l-8 8" stroke="${cross}" stroke-width="2"/>`;
}

/** What the circles of a picture mean: those that occur in it. */
function legend(panels: readonly Panel[], y: number): string[] {
  const looks = new Set(panels.flatMap(({ groups }) => groups.flatMap((group) => group.instances)));
  return MEANINGS.filter(([look]) => looks.has(look)).flatMap(([look, text], i) => {
    const x = MARGIN + 20 + i * 180;
    return [
      circle(x, y - 4, look),
      `<text x="${x + 18}" y="${y}" font-size="12" fill="#666">${text}</text>`,
    ];
  });
}

const MEANINGS: readonly (readonly [Look, string])[] = [
  ['busy', 'takes calls'],
  ['idle', 'well, and gets none'],
  ['out', 'out'],
  ['doubted', 'bad, and used all the same'],
];

function svg(height: number, title: string, subtitle: string, body: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#333">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" fill="#fff"/>`,
    `<text x="${MARGIN}" y="26" font-size="17" font-weight="600">${title}</text>`,
    `<text x="${MARGIN}" y="46" fill="#666">${subtitle}</text>`,
    ...body,
    '</svg>',
  ].join('\n')}\n`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
