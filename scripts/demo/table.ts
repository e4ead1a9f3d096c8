import type { ClientSnapshot, InstanceSnapshot } from '../../src/index.js';

const COLUMNS = ['instance', 'weight', 'share', 'in flight', 'ewma', 'success', 'breaker'] as const;

/** What the widest row needs; on a narrower terminal rows would wrap, and could not be drawn over. */
const WIDTH = 72;

/** Renders the live table. Shares are of the attempts since the table before. */
export class LiveTable {
  readonly #names: ReadonlyMap<number, string>;
  #before = new Map<string, number>();
  #drawnLines = 0;

  constructor(
    names: ReadonlyMap<number, string>,
    private readonly out: NodeJS.WriteStream,
  ) {
    this.#names = names;
  }

  /** On a terminal the table is drawn over itself; elsewhere each one is a plain line. */
  draw(seconds: number, event: string, snapshot: ClientSnapshot): void {
    const rows = this.#rows(snapshot);
    const time = `${seconds.toFixed(1).padStart(5)} s`;
    if (!this.out.isTTY || this.out.columns < WIDTH) {
      const shares = rows.map(([name, , share, , , , breaker]) =>
        breaker === 'closed' ? `${name} ${share}` : `${name} ${share} (${breaker})`,
      );
      this.out.write(`${time}  ${shares.join('  ')}${event === '' ? '' : `  <- ${event}`}\n`);
      return;
    }
    const lines = [`${time}  ${event}`, ...align([COLUMNS, ...rows]), ''];
    if (this.#drawnLines > 0) this.out.moveCursor(0, -this.#drawnLines);
    this.out.clearScreenDown();
    this.out.write(lines.join('\n'));
    this.#drawnLines = lines.length - 1;
  }

  #rows({ instances }: ClientSnapshot): readonly Row[] {
    const since = new Map(
      instances.map(({ id, attempts }) => [id, attempts - (this.#before.get(id) ?? 0)]),
    );
    this.#before = new Map(instances.map(({ id, attempts }) => [id, attempts]));
    const total = [...since.values()].reduce((sum, count) => sum + count, 0);
    const shareOf = (id: string): number => (total === 0 ? 0 : (since.get(id) ?? 0) / total);
    return instances
      .map((instance) => toRow(instance, this.nameOf(instance), shareOf(instance.id)))
      .sort(([a], [b]) => a.localeCompare(b));
  }

  nameOf({ url }: Pick<InstanceSnapshot, 'url'>): string {
    return this.#names.get(Number(new URL(url).port)) ?? url;
  }
}

type Row = readonly [string, string, string, string, string, string, string];

function toRow(instance: InstanceSnapshot, name: string, share: number): Row {
  return [
    name,
    String(instance.weight),
    `${(share * 100).toFixed(0).padStart(3)} %`,
    String(instance.pending),
    instance.ewmaMs === undefined ? '-' : `${instance.ewmaMs.toFixed(1)} ms`,
    `${(instance.successRatio * 100).toFixed(0).padStart(3)} %`,
    instance.breaker,
  ];
}

/** Columns padded to their widest cell. */
export function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
