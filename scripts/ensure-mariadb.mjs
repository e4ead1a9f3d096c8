/**
 * Finds a MariaDB server for the tests with databases, and fetches one when there is none: MARIADBD_BIN, `mariadbd` on
 * PATH, an earlier download, Debian's packages. Run as a program it prints the path.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { executableOnPath, explain, reason, runAsProgram } from './find-program.mjs';
import { downloadDebianPackages } from './mariadb/debian-packages.mjs';

const run = promisify(execFile);
const here = fileURLToPath(import.meta.url);

// Not under node_modules: `npm ci` empties that, and every clean install would download again.
const cacheDir = path.join(path.dirname(here), '..', '.cache', 'mariadb');
const cachedRoot = path.join(cacheDir, `${process.platform}-${process.arch}`);

/**
 * @param {{ fetch?: boolean }} [options] `fetch: true` downloads one when none is at hand.
 * @returns {Promise<import('./ensure-mariadb.mjs').MariadbProgram>} a server that runs here.
 */
export async function findMariadb({ fetch = false } = {}) {
  const named = process.env['MARIADBD_BIN'];
  if (named !== undefined && named !== '') {
    return await check({ binary: path.resolve(named) }).catch((error) => {
      throw new Error(
        explainMariadb([`MARIADBD_BIN is ${JSON.stringify(named)}: ${reason(error)}`]),
      );
    });
  }

  const tried = ['MARIADBD_BIN is not set'];
  const attempt = async (what, find) => {
    try {
      return await check(await find());
    } catch (error) {
      tried.push(`${what}: ${reason(error)}`);
      return undefined;
    }
  };
  const program =
    (await attempt('mariadbd on PATH', findOnPath)) ??
    (await attempt('earlier download', () => unpacked(cachedRoot))) ??
    (fetch ? await attempt('Debian packages', install) : undefined);
  if (program === undefined) throw new Error(explainMariadb(tried));
  return program;
}

/** Fails when it does not run, is no MariaDB, or came without the SQL that a new data folder is made with. */
async function check({ binary, libraries }) {
  await access(binary, constants.X_OK);
  const env = { ...process.env };
  if (libraries !== undefined) {
    env['LD_LIBRARY_PATH'] = [...libraries, env['LD_LIBRARY_PATH'] ?? []].flat().join(':');
  }
  const { stdout } = await run(binary, ['--no-defaults', '--version'], { env, timeout: 20_000 });
  const version = /(\d+\.\d+\.\d+)-MariaDB/.exec(stdout)?.[1];
  if (version === undefined) throw new Error('it runs, but is no MariaDB');
  return { binary, version, env, ...(await findShare(binary)) };
}

/** What belongs to a server of a distribution, a release archive or Homebrew; its SQL begins with `mariadb_` since 11. */
async function findShare(binary) {
  const prefix = path.join(path.dirname(await realpath(binary)), '..');
  for (const name of ['share/mariadb', 'share/mysql', 'share']) {
    const folder = path.join(prefix, name);
    const files = await readdir(folder).catch(() => []);
    const found = ['system_tables', 'performance_tables', 'system_tables_data'].map((table) =>
      files.find((file) => file === `mariadb_${table}.sql` || file === `mysql_${table}.sql`),
    );
    if (found.every((file) => file !== undefined)) {
      return { share: folder, systemTables: found.map((file) => path.join(folder, file)) };
    }
  }
  throw new Error(`the SQL of its system tables is nowhere in ${path.join(prefix, 'share')}`);
}

async function findOnPath() {
  // Where distributions keep servers, and what few users have on their PATH.
  return { binary: await executableOnPath('mariadbd', ['/usr/sbin', '/usr/libexec']) };
}

/** The program in a folder that Debian's packages were unpacked to, with the libraries that came with it. */
async function unpacked(root) {
  const libraries = [];
  for (const parent of ['lib', 'usr/lib']) {
    const names = await readdir(path.join(root, parent)).catch(() => []);
    libraries.push(...names.map((name) => path.join(root, parent, name)));
  }
  return { binary: path.join(root, 'usr/sbin/mariadbd'), libraries };
}

/** Downloads into a private folder and moves the result into place in one step, so that runs may race. */
async function install() {
  await mkdir(cacheDir, { recursive: true });
  const workDir = await mkdtemp(path.join(cacheDir, 'tmp-'));
  try {
    const fresh = await downloadDebianPackages(workDir);
    await check(await unpacked(fresh));
    await rm(cachedRoot, { recursive: true, force: true }); // looked at before: it is broken
    await rename(fresh, cachedRoot);
    return await unpacked(cachedRoot);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function explainMariadb(tried) {
  return explain(
    'No MariaDB server, and the tests with databases need one.',
    tried,
    'Install MariaDB 10.6 or later, or set MARIADBD_BIN to the path of its server (mariadbd).',
  );
}

await runAsProgram(import.meta.url, async () => (await findMariadb({ fetch: true })).binary);
