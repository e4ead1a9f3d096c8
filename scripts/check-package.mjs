// Packs the library as `npm publish` would and lets publint and attw judge the tarball.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (command, ...args) => {
  execFileSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
};

const folder = mkdtempSync(join(tmpdir(), 'fairlead-pack-'));
try {
  run('npm', 'pack', '--pack-destination', folder);
  const tarballs = readdirSync(folder);
  if (tarballs.length !== 1) throw new Error(`npm pack left ${String(tarballs.length)} files`);
  const tarball = join(folder, tarballs[0]);
  run('npx', '--no-install', 'publint', '--strict', tarball);
  run('npx', '--no-install', 'attw', '--profile', 'node16', tarball);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
