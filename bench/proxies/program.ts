/** Finds nginx and haproxy, and fetches them where there are none: nothing is installed on the machine. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { libraryFolders, unpackPackage, withLibraries } from '../../scripts/debian/packages.mjs';
import { executableOnPath, explain, reason } from '../../scripts/find-program.mjs';

const run = promisify(execFile);

export interface ProgramName {
  /** Of the program, and of the Debian package that has it. */
  readonly name: 'haproxy' | 'nginx';
  /** Environment variable that may name its path. */
  readonly variable: string;
  /** Finds the version in what it prints at `-v`. */
  readonly version: RegExp;
}

/** One that runs here. */
export interface Program {
  readonly binary: string;
  readonly version: string;
  /** What it is to be started with: this process's own environment, and where its libraries are. */
  readonly env: NodeJS.ProcessEnv;
}

/** In this order: its variable, PATH, an earlier download, Debian's package. */
export async function findProgram(wanted: ProgramName): Promise<Program> {
  const { name, variable } = wanted;
  const tried: string[] = [];
  const attempt = async (
    what: string,
    find: () => Promise<Program>,
  ): Promise<Program | undefined> => {
    try {
      return await find();
    } catch (error) {
      tried.push(`${what}: ${reason(error)}`);
      return undefined;
    }
  };
  const missing = (): Error =>
    new Error(
      explain(`No ${name}, and the benchmark compares with it.`, tried, `Set ${variable}.`),
    );

  const named = process.env[variable];
  if (named !== undefined && named !== '') {
    const given = await attempt(`${variable} is ${JSON.stringify(named)}`, () =>
      check(wanted, path.resolve(named), []),
    );
    if (given === undefined) throw missing();
    return given;
  }
  const cached = path.join(cacheFolder(name), `${process.platform}-${process.arch}`);
  const found =
    (await attempt(`${name} on PATH`, async () =>
      // Where distributions keep servers, and what few users have on their PATH.
      check(wanted, await executableOnPath(name, ['/usr/sbin', '/usr/local/sbin']), []),
    )) ??
    (await attempt('earlier download', () => unpacked(wanted, cached))) ??
    (await attempt('Debian package', () => fetchProgram(wanted, cached)));
  if (found === undefined) throw missing();
  return found;
}

/** Not under node_modules, which `npm ci` empties. */
function cacheFolder(name: string): string {
  return fileURLToPath(new URL(`../../.cache/${name}`, import.meta.url));
}

async function check(
  { version }: ProgramName,
  binary: string,
  folders: readonly string[],
): Promise<Program> {
  const env = withLibraries(folders);
  const { stdout, stderr } = await run(binary, ['-v'], { env, timeout: 20_000 });
  const found = version.exec(stdout + stderr)?.[1];
  if (found === undefined) throw new Error('it runs, but is another program');
  return { binary, version: found, env };
}

async function unpacked(wanted: ProgramName, root: string): Promise<Program> {
  return check(wanted, path.join(root, 'usr/sbin', wanted.name), await libraryFolders(root));
}

/** Downloads into a private folder and moves the result into place in one step, so that runs may race. */
async function fetchProgram(wanted: ProgramName, cached: string): Promise<Program> {
  const folder = cacheFolder(wanted.name);
  await mkdir(folder, { recursive: true });
  const workDir = await mkdtemp(path.join(folder, 'tmp-'));
  try {
    const fresh = await unpackPackage(workDir, wanted.name);
    await unpacked(wanted, fresh);
    await rm(cached, { recursive: true, force: true }); // looked at before: it is broken
    await rename(fresh, cached);
    return await unpacked(wanted, cached);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
