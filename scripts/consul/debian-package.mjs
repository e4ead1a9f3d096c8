/**
 * Consul from Debian's `bullseye` suite (the last that has it), through the mirror this machine already uses.
 * Everything apt writes stays in one folder of ours: no root, nothing installed, no list of the machine touched.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { aptEnvironment, firstErrorLine, writeAptConfig } from '../debian/apt.mjs';
import { readMirrors } from './apt-sources.mjs';

const run = promisify(execFile);

/** apt checks the archive's signature; this catches a mirror that serves another build of the same version. */
const knownPackages = new Map([
  [
    'consul_1.8.7+dfsg1-2+b3_amd64.deb',
    'e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9',
  ],
]);

/**
 * @param {string} workDir an empty folder, removed by the caller.
 * @returns {Promise<string>} the unpacked binary inside it.
 */
export async function downloadDebianPackage(workDir) {
  if (process.platform !== 'linux') throw new Error('not a Debian-like system');
  const env = await aptEnvironment();
  const mirrors = await machineMirrors(env);
  if (mirrors.length === 0)
    throw new Error('the apt sources of this machine name no Debian mirror');

  let failure;
  for (const [number, mirror] of mirrors.slice(0, 3).entries()) {
    const dir = path.join(workDir, `mirror-${number}`);
    try {
      const deb = await fetchPackage(dir, mirror, env);
      await verify(deb);
      await run('dpkg', ['-x', deb, path.join(dir, 'root')], { env });
      return path.join(dir, 'root', 'usr', 'bin', 'consul');
    } catch (error) {
      failure ??= error;
    }
  }
  throw new Error(firstErrorLine(failure));
}

async function fetchPackage(dir, mirror, env) {
  const config = await writeConfig(dir, mirror);
  const options = { env, cwd: dir, timeout: 300_000, maxBuffer: 16 * 1024 * 1024 };
  await run('apt-get', ['-c', config, '-q', 'update'], options);
  await run('apt-get', ['-c', config, '-q', 'download', 'consul'], options);
  const deb = (await readdir(dir)).find((name) => name.endsWith('.deb'));
  if (deb === undefined) throw new Error('apt-get download left no package');
  return path.join(dir, deb);
}

async function writeConfig(dir, { uri, signedBy }) {
  const stanza = ['Types: deb', `URIs: ${uri}`, 'Suites: bullseye', 'Components: main'];
  // Package index only: a machine may be set up to fetch file lists and icons of every suite too.
  stanza.push('Targets: Packages');
  if (signedBy !== undefined) stanza.push(`Signed-By: ${signedBy}`);
  const sources = path.join(dir, 'debian.sources');
  await mkdir(dir, { recursive: true });
  // Mode 600: the address of a private mirror may carry credentials.
  await writeFile(sources, `${stanza.join('\n')}\n`, { mode: 0o600 });
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    // Without it an unreachable mirror is a warning, and only the next step fails, for a reason that misleads.
    'APT::Update::Error-Mode': 'any',
  };
  // The machine's default release does not exist in our sources.
  return writeAptConfig(dir, settings, ['APT::Default-Release']);
}

async function verify(deb) {
  const expected = knownPackages.get(decodeURIComponent(path.basename(deb)));
  if (expected === undefined) return;
  const actual = createHash('sha256')
    .update(await readFile(deb))
    .digest('hex');
  if (actual !== expected) {
    throw new Error(`${path.basename(deb)} has SHA-256 ${actual}, expected ${expected}`);
  }
}

async function machineMirrors(env) {
  const query = ['shell', 'LIST', 'Dir::Etc::sourcelist/f', 'PARTS', 'Dir::Etc::sourceparts/d'];
  const { stdout } = await run('apt-config', query, { env });
  const found = Object.fromEntries(
    [...stdout.matchAll(/^(LIST|PARTS)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
  const parts = found.PARTS ?? '';
  const names = await readdir(parts).catch(() => []);
  const files = [found.LIST ?? '', ...names.sort().map((name) => path.join(parts, name))];

  const mirrors = new Map();
  for (const file of files) {
    const format = /\.(list|sources)$/.exec(file)?.[1];
    if (format === undefined) continue;
    for (const mirror of readMirrors(await readText(file), format)) {
      mirrors.set(JSON.stringify(mirror), mirror);
    }
  }
  return [...mirrors.values()];
}

function readText(file) {
  return readFile(file, 'utf8').catch(() => '');
}
