import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const root = fileURLToPath(new URL('../../', import.meta.url));

declare module 'vitest' {
  interface ProvidedContext {
    /** A project that installed the tarball, and of third-party types has Node's alone. */
    readonly core: string;
    /** A project that installed the tarball with all the peers beside it. */
    readonly full: string;
  }
}

/** Packs the built package once and installs the tarball as two kinds of users would. */
export default function setup(project: TestProject): () => void {
  if (!existsSync(join(root, 'dist', 'index.cjs'))) {
    throw new Error('dist/ is missing; `npm run test:package` builds first.');
  }
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-package-'));
  const cleanUp = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    npm(root, 'pack', '--ignore-scripts', '--pack-destination', folder);
    const [tarball = 'no tarball'] = readdirSync(folder);

    const core = join(folder, 'core');
    cpSync(join(root, 'test', 'package', 'consumers'), core, { recursive: true });
    writeFileSync(join(core, 'package.json'), '{ "name": "consumer", "private": true }\n');
    install(core, join(folder, tarball), atLockedVersion('@types/node'));

    const full = join(folder, 'full');
    cpSync(core, full, { recursive: true });
    install(
      full,
      ...['axios', 'consul', 'undici', '@grpc/grpc-js'].map((name) => atLockedVersion(name)),
    );

    dropTypes(join(core, 'node_modules', 'p-retry'));
    dropTypes(join(core, 'node_modules', 'is-network-error'));

    project.provide('core', core);
    project.provide('full', full);
  } catch (error) {
    cleanUp();
    throw error;
  }
  return cleanUp;
}

/** Consumers compile against what this checkout compiles against. */
function atLockedVersion(name: string): string {
  const file = join(root, 'node_modules', name, 'package.json');
  return `${name}@${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
}

function dropTypes(folder: string): void {
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.d.ts')) rmSync(join(folder, file));
  }
}

function install(cwd: string, ...packages: string[]): void {
  npm(cwd, 'install', '--prefer-offline', '--no-audit', '--no-fund', ...packages);
}

function npm(cwd: string, ...args: string[]): void {
  try {
    execFileSync('npm', args, { cwd, stdio: 'pipe', shell: process.platform === 'win32' });
  } catch (error) {
    const { stderr } = error as { readonly stderr?: Buffer };
    throw new Error(`npm ${args.join(' ')} failed:\n${String(stderr)}`, { cause: error });
  }
}
