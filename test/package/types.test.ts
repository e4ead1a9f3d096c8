import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js');

// The consumer's package.json has no `type`, so its .ts files are CommonJS.
const modes = [
  { mode: 'CommonJS, node16', extension: 'ts', module: 'node16', moduleResolution: 'node16' },
  { mode: 'ESM, node16', extension: 'mts', module: 'node16', moduleResolution: 'node16' },
  { mode: 'ESM, bundler', extension: 'ts', module: 'esnext', moduleResolution: 'bundler' },
];

test.for(modes)(
  '$mode: the core compiles without the types of axios, consul, opossum and p-retry',
  async (mode) => {
    expect(await compile(inject('core'), ['core'], mode)).toBe('');
  },
);

test.for(modes)('$mode: all of it compiles beside the peers', async (mode) => {
  expect(await compile(inject('full'), ['core', 'axios', 'clients'], mode)).toBe('');
});

/** What the compiler has to say about `names` of a consumer: nothing when all is well. */
async function compile(
  folder: string,
  names: string[],
  mode: (typeof modes)[number],
): Promise<string> {
  const { extension, module, moduleResolution } = mode;
  const files = names.map((name) => `${name}.${extension}`);
  if (extension !== 'ts') {
    for (const name of names) {
      await copyFile(join(folder, `${name}.ts`), join(folder, `${name}.${extension}`));
    }
  }
  const config = join(folder, `tsconfig.${moduleResolution}.${extension}.json`);
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'ES2022',
    lib: ['ES2022'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  await writeFile(config, JSON.stringify({ compilerOptions, files }));
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, '-p', config], { cwd: folder }, (error, stdout, stderr) => {
      resolve(error === null ? '' : `${error.message}\n${stdout}${stderr}`);
    });
  });
}
