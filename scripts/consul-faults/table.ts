/** The side by side, as a Markdown table. */
import type { FaultFigures, WatcherFigures } from './figures.js';

/** Header and rows, without padding. */
export function faultTable(all: readonly FaultFigures[]): string[] {
  return [
    '| fault | Fairlead: list | right after | requests | what it says | npm `watch()`: list | right after | requests | what it says |',
    '|---|---|---:|---:|---|---|---:|---:|---|',
    ...all.map((figures) => {
      const sides = [figures.fairlead, figures.npm].flatMap((side) => cellsOf(side, figures));
      return `| ${[`${figures.fault} (${seconds(figures.lastedMs)})`, ...sides].join(' | ')} |`;
    }),
  ];
}

/** One line of figures, for the log of a test. */
export function faultLine(figures: FaultFigures): string {
  const { fault, lastedMs, fairlead, npm } = figures;
  const told = ([who, side]: readonly [string, WatcherFigures]): string => {
    const [list, right, requests, says] = cellsOf(side, figures);
    const { sockets, timers } = side.left;
    return `${who}: ${list}, right after ${right}, ${requests} requests, left ${sockets}+${timers}, says: ${says}`;
  };
  const sides = (
    [
      ['Fairlead', fairlead],
      ['watch()', npm],
    ] as const
  ).map(told);
  return `${fault} (${seconds(lastedMs)}) | ${sides.join(' | ')}`;
}

function cellsOf(
  side: WatcherFigures,
  { isForGood }: Pick<FaultFigures, 'isForGood'>,
): [list: string, right: string, requests: string, says: string] {
  return [listCell(side), rightCell(side, isForGood), String(side.requests), saysCell(side)];
}

function listCell({ hadList, emptyMs, lackingMs }: WatcherFigures): string {
  const wrong = [
    ...(emptyMs > 50 ? [`empty for ${seconds(emptyMs)}`] : []),
    ...(lackingMs > 50 ? [`incomplete for ${seconds(lackingMs)}`] : []),
  ];
  if (wrong.length > 0) return `**${wrong.join(', ')}**`;
  return hadList ? 'kept' : 'none yet';
}

function rightCell(
  { rightAfterMs, waitedMs, isAlive }: WatcherFigures,
  isForGood: boolean,
): string {
  if (!isAlive) return '**never: it ended**';
  if (isForGood) return 'only when reconfigured';
  return rightAfterMs === undefined
    ? `**not within ${Math.round(waitedMs / 1_000)} s**`
    : seconds(rightAfterMs);
}

const LONGEST = 110;

function saysCell({ statuses, events }: WatcherFigures): string {
  const said =
    statuses.find((text) => /^(stale|refused|waiting): |: held: /.test(text)) ??
    statuses.find((text) => text.includes(': last fault: ')) ??
    events[0];
  if (said === undefined) return 'nothing';
  // Ports and tokens differ from run to run; a line break or a bar would break the table.
  const text = said.replace(/127\.0\.0\.1:\d+/g, '127.0.0.1').replace(/[\s|]+/g, ' ');
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 3)}...`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
