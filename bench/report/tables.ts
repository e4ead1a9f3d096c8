/** A table of a Markdown page, with the heading it stands under. */
export interface Table {
  readonly heading: string;
  /** As it stands there. */
  readonly text: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The tables of a page, in its order. */
export function tablesOf(markdown: string): Table[] {
  const tables: Table[] = [];
  let heading = '';
  let lines: string[] = [];
  for (const line of [...markdown.split('\n'), '']) {
    if (line.startsWith('|')) {
      lines.push(line);
      continue;
    }
    if (line.startsWith('#')) heading = line.replace(/^#+ */, '');
    const [head, rule, ...rows] = lines;
    if (head !== undefined && rule !== undefined) {
      tables.push({
        heading: heading,
        text: lines.join('\n'),
        head: cellsOf(head),
        rows: rows.map(cellsOf),
      });
    }
    lines = [];
  }
  return tables;
}

/** No cell of ours holds a bar. */
function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
