/**
 * MariaDB from the package sources of a Debian-like system: the server's package and whatever it needs that the machine
 * lacks. Everything apt writes stays in one folder of ours: no root, nothing installed, no service started.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

// The program and its system tables, without the service, its user and the clients.
const PACKAGE = 'mariadb-server-core';

/**
 * @param {string} workDir an empty folder, removed by the caller.
 * @returns {Promise<string>} the folder inside it that the packages were unpacked to.
 */
export async function downloadDebianPackages(workDir) {
  if (process.platform !== 'linux') throw new Error('not a Debian-like system');
  const config = await writeConfig(workDir);
  const options = {
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 300_000,
    maxBuffer: 16 * 1024 * 1024,
  };
  const apt = (...args) => run('apt-get', ['-c', config, '-q', ...args], options);
  try {
    await apt('update');
    await apt('install', '--download-only', '--no-install-recommends', '--yes', PACKAGE);
    const archives = path.join(workDir, 'cache/archives');
    const packages = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
    if (packages.length === 0) throw new Error(`apt takes ${PACKAGE} for installed, yet none runs`);
    const root = path.join(workDir, 'root');
    for (const name of packages) await run('dpkg', ['-x', path.join(archives, name), root]);
    return root;
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error('not a Debian-like system', { cause: error });
    throw new Error(firstErrorLine(error), { cause: error });
  }
}

/** apt's own settings and sources hold, with lists, caches and locks of our own. */
async function writeConfig(workDir) {
  const own = (name) => path.join(workDir, name);
  await mkdir(own('state/lists/partial'), { recursive: true });
  await mkdir(own('cache/archives/partial'), { recursive: true });
  const settings = {
    'Dir::State': own('state/'),
    'Dir::State::lists': own('state/lists/'),
    // What is installed already is not fetched again.
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::State::extended_states': own('state/extended_states'),
    'Dir::Cache': own('cache/'),
    'Dir::Cache::archives': own('cache/archives/'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    // The lock of the package database is root's, and nothing is written to it.
    'Debug::NoLocking': 'true',
  };
  const lines = [
    // Hooks of the machine would clean its caches; containers' throw the archives away.
    '#clear APT::Update;',
    '#clear DPkg::Post-Invoke;',
    '#clear Acquire::Languages;',
    'Binary::apt-get::APT::Keep-Downloaded-Packages "true";',
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
  ];
  await writeFile(own('apt.conf'), `${lines.join('\n')}\n`);
  return own('apt.conf');
}

function firstErrorLine(error) {
  const text = `${error.stderr ?? ''}\n${error.message}`.split('\n').map((line) => line.trim());
  const line = text.find((one) => one.startsWith('E:')) ?? text.find((one) => one !== '') ?? '';
  return line.replaceAll(/\/\/[^/@\s]*@/g, '//***@');
}
