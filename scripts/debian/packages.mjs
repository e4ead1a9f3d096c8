/**
 * Programs from the package sources of a Debian-like system: a package and whatever it needs that the machine lacks,
 * unpacked into a folder. No root, nothing installed, no service started.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { aptEnvironment, firstErrorLine, writeAptConfig } from './apt.mjs';

const run = promisify(execFile);

/**
 * @param {string} workDir an empty folder, removed by the caller.
 * @param {string} name of the package.
 * @returns {Promise<string>} the folder inside it that the packages were unpacked to.
 */
export async function unpackPackage(workDir, name) {
  if (process.platform !== 'linux') throw new Error('not a Debian-like system');
  const env = await aptEnvironment();
  const config = await writeAptConfig(workDir, SETTINGS, ['DPkg::Post-Invoke']);
  const options = { env, timeout: 300_000, maxBuffer: 16 * 1024 * 1024 };
  const apt = (...args) => run('apt-get', ['-c', config, '-q', ...args], options);
  try {
    await apt('update');
    await apt('install', '--download-only', '--no-install-recommends', '--yes', name);
    const archives = path.join(workDir, 'cache/archives');
    const packages = (await readdir(archives)).filter((file) => file.endsWith('.deb'));
    if (packages.length === 0) throw new Error(`apt takes ${name} for installed, yet none runs`);
    const root = path.join(workDir, 'root');
    for (const file of packages) await run('dpkg', ['-x', path.join(archives, file), root]);
    return root;
  } catch (error) {
    throw new Error(firstErrorLine(error), { cause: error });
  }
}

const SETTINGS = {
  // The lock of the package database is root's, and nothing is written to it.
  'Debug::NoLocking': 'true',
  // Containers throw the archives away.
  'Binary::apt-get::APT::Keep-Downloaded-Packages': 'true',
};

/** Folders of shared libraries below `root`, for LD_LIBRARY_PATH. */
export async function libraryFolders(root) {
  const folders = [];
  for (const parent of ['lib', 'usr/lib']) {
    const names = await readdir(path.join(root, parent)).catch(() => []);
    folders.push(...names.map((name) => path.join(root, parent, name)));
  }
  return folders;
}

/** This process's environment, with libraries found in `folders` before any others. */
export function withLibraries(folders) {
  const env = { ...process.env };
  if (folders.length > 0) {
    env['LD_LIBRARY_PATH'] = [...folders, env['LD_LIBRARY_PATH'] ?? []].flat().join(':');
  }
  return env;
}
