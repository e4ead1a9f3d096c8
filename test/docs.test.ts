import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { programsOf } from './support/snippets.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const pages = [
  'README.md',
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe('programsOf', () => {
  const page = [
    '# A page',
    '```ts',
    "import { a } from 'one';",
    'const x = a;',
    '```',
    '```sh',
    'npm ci',
    '```',
    '```ts',
    "import { a, b } from 'one';",
    'const x = await b(a);',
    '```',
  ].join('\n');

  it('makes a program of each snippet and those before it, imports first, with the lines of the page', () => {
    expect(programsOf(page)).toEqual([
      {
        firstLine: 3,
        lastLine: 4,
        text: "import { a } from 'one';\n{\n\nconst x = a;\n}export {};",
      },
      {
        firstLine: 10,
        lastLine: 11,
        text: [
          "import { a } from 'one';import { b } from 'one';",
          '{',
          '',
          'const x = a;',
          '',
          '',
          '',
          '',
          '{',
          '',
          'const x = await b(a);',
          '}}export {};',
        ].join('\n'),
      },
    ]);
  });
});

describe('the snippets of README.md and docs/', () => {
  /** By file name, beside the page so that packages are found from there. */
  const programs = new Map(
    pages.flatMap((page) =>
      programsOf(readFileSync(root + page, 'utf8')).map((program) => {
        const name = `${root}${page}.${String(program.firstLine)}.ts`;
        return [name, { page, ...program }] as const;
      }),
    ),
  );

  it('are found', () => {
    expect(programs.size).toBeGreaterThan(50);
  });

  it('compile, each after those before it on its page', () => {
    const wrong: string[] = [];
    for (const { file, start, messageText } of diagnosticsOf(programs)) {
      const name = file?.fileName ?? '';
      const program = programs.get(name);
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
      const text = ts.flattenDiagnosticMessageText(messageText, '\n');
      if (program === undefined) wrong.push(`${name}:${String(line)} ${text}`);
      // What is wrong in those before was said of them.
      else if (line === 1 || (line >= program.firstLine && line <= program.lastLine))
        wrong.push(`${program.page}:${String(line)} ${text}`);
    }
    expect(wrong).toEqual([]);
  }, 120_000);
});

function diagnosticsOf(
  programs: ReadonlyMap<string, { readonly text: string }>,
): readonly ts.Diagnostic[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (name) => ts.sys.readFile(name));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => programs.has(name) || fileExists.call(host, name);
  host.readFile = (name) => programs.get(name)?.text ?? readFile.call(host, name);
  host.getSourceFile = (name, target, ...others) => {
    const text = programs.get(name)?.text;
    if (text === undefined) return getSourceFile.call(host, name, target, ...others);
    return ts.createSourceFile(name, text, target, true);
  };
  const program = ts.createProgram([...programs.keys()], options, host);
  return [...programs.keys()].flatMap((name) => {
    const source = program.getSourceFile(name);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  });
}
