/**
 * Finds a Consul binary for the tests and the demo, and fetches one when there is none:
 * CONSUL_BIN, `consul` on PATH, an earlier download, the Debian package, the official release.
 * Run as a program it prints the path.
 */
import { execFile } from 'node:child_process';
import { access, constants, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { executableOnPath, explain, reason, runAsProgram } from './find-program.mjs';
import { downloadDebianPackage } from './consul/debian-package.mjs';
import { downloadRelease } from './consul/release-archive.mjs';

const run = promisify(execFile);
const here = fileURLToPath(import.meta.url);

// Not under node_modules: `npm ci` empties that, and every clean install would download again.
const cacheDir = path.join(path.dirname(here), '..', '.cache', 'consul');
const cachedBinary = path.join(cacheDir, `${process.platform}-${process.arch}`, 'consul');

const downloads = [
  ['Debian package', downloadDebianPackage],
  ['official release', downloadRelease],
];

/**
 * @param {{ fetch?: boolean }} [options] `fetch: true` downloads one when none is at hand.
 * @returns {Promise<string>} absolute path of a binary that runs here.
 */
export async function findConsul({ fetch = false } = {}) {
  const named = process.env['CONSUL_BIN'];
  if (named !== undefined && named !== '') {
    const binary = path.resolve(named);
    await consulVersion(binary).catch((error) => {
      throw new Error(explainConsul([`CONSUL_BIN is ${JSON.stringify(named)}: ${reason(error)}`]));
    });
    return binary;
  }

  const tried = ['CONSUL_BIN is not set'];
  const attempt = async (what, find) => {
    try {
      const binary = await find();
      await consulVersion(binary);
      return binary;
    } catch (error) {
      tried.push(`${what}: ${reason(error)}`);
      return undefined;
    }
  };

  const present =
    (await attempt('consul on PATH', () => executableOnPath('consul'))) ??
    (await attempt('earlier download', async () => cachedBinary));
  if (present !== undefined) return present;
  if (fetch) {
    for (const [what, download] of downloads) {
      const binary = await attempt(what, () => install(download));
      if (binary !== undefined) return binary;
    }
  }
  throw new Error(explainConsul(tried));
}

/**
 * What `consul version` says of a binary, such as `1.8.7`. Fails when it does not run or is no Consul.
 *
 * @param {string} binary
 */
export async function consulVersion(binary) {
  await access(binary, constants.X_OK);
  const { stdout } = await run(binary, ['version'], { timeout: 20_000 });
  const version = /^Consul v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error('it runs, but is no Consul');
  return version;
}

/** Downloads into a private folder and moves the result into place in one step, so that runs may race. */
async function install(download) {
  await mkdir(path.dirname(cachedBinary), { recursive: true });
  const workDir = await mkdtemp(path.join(cacheDir, 'tmp-'));
  try {
    const fresh = await download(workDir);
    await consulVersion(fresh);
    const staged = path.join(workDir, 'staged');
    await copyFile(fresh, staged);
    await rename(staged, cachedBinary);
    return cachedBinary;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function explainConsul(tried) {
  return explain(
    'No Consul binary, and the integration tests need one.',
    tried,
    'Set CONSUL_BIN to the path of a Consul binary, or run only the tests that need none: npm run test:unit',
  );
}

await runAsProgram(import.meta.url, () => findConsul({ fetch: true }));
