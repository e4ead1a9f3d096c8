/** The `ts` blocks of a Markdown page as programs that a compiler can read. */

export interface SnippetProgram {
  /** Of the snippet, on the page: from 1, without its fences. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** The snippet after all those before it, each in a scope within the one before. Its lines are those of the page. */
  readonly text: string;
}

const FENCE = /^```(\w*)/;
const IMPORT = /^import (type )?([^'"]+) from '([^']+)';(?: *\/\/.*)?$/;

/** A snippet sees what those before it have imported and declared, and may declare it anew. */
export function programsOf(page: string): SnippetProgram[] {
  const lines = page.split('\n');
  const imports = new Imports();
  const programs: SnippetProgram[] = [];
  const body: string[] = [];
  let depth = 0;
  for (let line = 0; line < lines.length; line++) {
    const kind = FENCE.exec(lines[line] ?? '')?.[1];
    if (kind === undefined) {
      body.push('');
      continue;
    }
    const firstLine = line + 1;
    let end = firstLine;
    while (end < lines.length && !FENCE.test(lines[end] ?? '')) end++;
    const isCode = kind === 'ts';
    body.push(isCode ? '{' : '');
    for (const text of lines.slice(firstLine, end)) {
      body.push(!isCode || imports.add(text) ? '' : text);
    }
    if (isCode) {
      depth++;
      const text = [imports.text, ...body.slice(1), `${'}'.repeat(depth)}export {};`].join('\n');
      programs.push({ firstLine: firstLine + 1, lastLine: end, text });
    }
    body.push('');
    line = end;
  }
  return programs;
}

/** Imports of all snippets on one line, each name once: a later snippet may import what an earlier one had. */
class Imports {
  readonly #statements = new Set<string>();

  get text(): string {
    return [...this.#statements].join('');
  }

  /** @returns whether `line` is an import. */
  add(line: string): boolean {
    const match = IMPORT.exec(line);
    if (match === null) return false;
    const [, type = '', what = '', from = ''] = match;
    const [outside = '', names] = what.split(/\{|\}/);
    const parts = [
      ...outside.split(',').map((name) => name.trim()),
      ...(names?.split(',') ?? []).map((name) => `{ ${name.trim()} }`),
    ];
    for (const part of parts) {
      if (part !== '') this.#statements.add(`import ${type}${part} from '${from}';`);
    }
    return true;
  }
}
