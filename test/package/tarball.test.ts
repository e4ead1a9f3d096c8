import { readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import tsupConfig from '../../tsup.config.js';

interface Manifest {
  readonly version: string;
  readonly main: string;
  readonly types: string;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Path inside the package to content. */
const files = new Map<string, string>();
let manifest: Manifest;

beforeAll(() => {
  const folder = join(inject('core'), 'node_modules', 'fairlead');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1).replaceAll('\\', '/'), readFileSync(path, 'utf8'));
  }
  manifest = JSON.parse(content('package.json')) as Manifest;
});

function content(path: string): string {
  const text = files.get(path);
  if (text === undefined) throw new Error(`${path} is not in the tarball`);
  return text;
}

describe('what is in it', () => {
  test('the build, the manifest and the papers, nothing else', () => {
    const papers = ['CHANGELOG.md', 'LICENSE', 'README.md', 'THIRD-PARTY-LICENSES.md'];
    const others = [...files.keys()].filter(
      (path) => !/^dist\/[\w-]+\.(js|cjs|js\.map|cjs\.map|d\.ts|d\.cts)$/.test(path),
    );
    expect(others.sort()).toEqual([...papers, 'package.json']);
  });

  test('the bundled packages are named in THIRD-PARTY-LICENSES.md', () => {
    const bundled = new Set(
      [...files]
        .filter(([path]) => path.endsWith('.map'))
        .flatMap(([, text]) => [...text.matchAll(/node_modules\/((?:@[^/"]+\/)?[^/"]+)\//g)])
        .map(([, name]) => name),
    );
    expect([...bundled].sort()).toEqual(['is-network-error', 'p-retry']);
    for (const name of bundled) expect(content('THIRD-PARTY-LICENSES.md')).toContain(`## ${name}`);
  });

  test('no path of the machine that built it', () => {
    const here = [fileURLToPath(new URL('../../', import.meta.url)), join(homedir(), '/')];
    for (const [path, text] of files) {
      for (const folder of here) expect(text.includes(folder), `${path}: ${folder}`).toBe(false);
      if (!path.endsWith('.map')) continue;
      for (const source of (JSON.parse(text) as { sources: string[] }).sources) {
        expect(source, path).toMatch(/^\.\.\/(src|adapters|node_modules)\//);
      }
    }
  });
});

describe('the doors', () => {
  test('exports, tsup entries and files agree', () => {
    const configs = Array.isArray(tsupConfig) ? tsupConfig : [];
    expect(configs.map(({ format }) => format)).toEqual(['esm', 'cjs']);
    for (const { entry } of configs) {
      const expected: Record<string, unknown> = { './package.json': './package.json' };
      for (const name of Object.keys(entry ?? {})) {
        expected[name === 'index' ? '.' : `./${name}`] = {
          import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
          require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
        };
      }
      expect(manifest.exports).toEqual(expected);
    }
    for (const path of targets(manifest)) expect([...files.keys()]).toContain(path);
  });

  test('types come first in every condition', () => {
    for (const target of Object.values(manifest.exports)) {
      if (typeof target !== 'object' || target === null) continue;
      for (const condition of Object.values(target)) {
        expect(Object.keys(condition as object)[0]).toBe('types');
      }
    }
  });

  test('every built file can be reached from a door', () => {
    const reached = new Set(targets(manifest).flatMap((path) => [...reach(path).files]));
    const built = [...files.keys()].filter((path) => /\.(js|cjs|ts|cts)$/.test(path));
    expect(built.filter((path) => !reached.has(path))).toEqual([]);
  });
});

/** What each door may lead to outside the package. Declarations of the core name no other package. */
const peers: Readonly<Record<string, readonly string[]>> = {
  axios: ['axios'],
  consul: ['consul'],
  undici: ['undici'],
  grpc: ['@grpc/grpc-js'],
};
const doors = [
  'index',
  'testing',
  'static',
  'fetch',
  'axios',
  'undici',
  'http',
  'grpc',
  'server',
  'consul',
];

describe('what it leads to', () => {
  test.each(doors)('%s.js: the dependencies and its own peer', (door) => {
    const allowed = ['js-xxhash', 'opossum', 'p-retry', ...(peers[door] ?? [])];
    expect(packagesOf(`dist/${door}.js`).filter((name) => !allowed.includes(name))).toEqual([]);
  });

  test.each(doors)('%s.cjs: the same without p-retry, which is ESM only', (door) => {
    const allowed = ['js-xxhash', 'opossum', ...(peers[door] ?? [])];
    expect(packagesOf(`dist/${door}.cjs`).filter((name) => !allowed.includes(name))).toEqual([]);
  });

  test.each(doors.flatMap((door) => [`${door}.d.ts`, `${door}.d.cts`]))(
    '%s: declarations of its own',
    (file) => {
      const allowed = peers[file.split('.', 1)[0] ?? '']?.filter((name) => name !== 'consul') ?? [];
      expect(packagesOf(`dist/${file}`).filter((name) => !allowed.includes(name))).toEqual([]);
    },
  );

  test('the core does need js-xxhash, opossum and p-retry: the walk sees what there is', () => {
    expect(packagesOf('dist/index.js')).toEqual(['js-xxhash', 'opossum', 'p-retry']);
    expect(packagesOf('dist/index.cjs')).toEqual(['js-xxhash', 'opossum']);
  });

  test.each(['consul.js', 'consul.cjs'])('%s loads consul on first use, not at import', (file) => {
    const importers = [...reach(`dist/${file}`).files].map(content).join('\n');
    expect(importers).toMatch(/import\(['"]consul['"]\)/);
    expect(importers).not.toMatch(/from ['"]consul['"]|require\(['"]consul['"]\)/);
  });
});

describe('how it is built', () => {
  test.each(['.js', '.cjs'])('each class exists once in the %s files', (extension) => {
    const names = [...files]
      .filter(([path]) => path.endsWith(extension))
      .flatMap(([, text]) => [...text.matchAll(/^(?:var (\w+) = )?class (\w+)?/gm)])
      .map(([, variable, name]) => variable ?? name);
    expect(names).toContain('FairleadError');
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('optional chaining is left to the engine', () => {
    for (const [path, text] of files) {
      if (/\.c?js$/.test(path))
        expect(/_optionalChain|_nullishCoalesce/.test(text), path).toBe(false);
    }
  });
});

function targets({ main, types, exports }: Manifest): string[] {
  const found = [main, types];
  const walk = (node: unknown): void => {
    if (typeof node === 'string') found.push(node);
    else if (typeof node === 'object' && node !== null) Object.values(node).forEach(walk);
  };
  walk(exports);
  return found.map((path) => posix.normalize(path));
}

/** Everything that loading `start` can load: files of the package, and packages that are not Node's own. */
function reach(start: string): { readonly files: Set<string>; readonly packages: Set<string> } {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const queue = [start];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (path === 'package.json') continue;
    const specifiers = content(path).matchAll(
      /(?:\bfrom\s*|\bimport\s*|\b(?:import|require)\(\s*)(['"])([^'"\n]+)\1/g,
    );
    for (const [, , specifier = ''] of specifiers) {
      if (specifier.startsWith('.')) queue.push(resolved(path, specifier));
      else if (!specifier.startsWith('node:')) packages.add(specifier);
    }
  }
  return { files: seen, packages };
}

/** A declaration file names the script beside which its target lies. */
function resolved(from: string, specifier: string): string {
  const path = posix.join(posix.dirname(from), specifier);
  return /\.d\.c?ts$/.test(from) ? path.replace(/\.(c?)js$/, '.d.$1ts') : path;
}

function packagesOf(path: string): string[] {
  return [...reach(path).packages].sort();
}
