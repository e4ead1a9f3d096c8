/** What the finders of programs that tests need (Consul, MariaDB) have in common. */
import { access, constants, realpath } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of the first executable file of that name on PATH, or in `more` folders after it. */
export async function executableOnPath(name, more = []) {
  const onPath = (process.env['PATH'] ?? '').split(path.delimiter).filter((dir) => dir !== '');
  for (const dir of [...onPath, ...more]) {
    const file = path.resolve(dir, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  throw new Error('not found');
}

/** Why a program could not be found, for people. */
export function reason(error) {
  if (error.code === 'ENOENT') return 'not found';
  if (error.code === 'EACCES') return 'not executable';
  return String(error.message).trim();
}

/** A message from what is missing, what was tried, and what helps. */
export function explain(missing, tried, help) {
  return [missing, ...tried.map((line) => `  - ${line.replaceAll('\n', '\n    ')}`), help].join(
    '\n',
  );
}

/** Where the module at `url` is run as a program, prints what `find` finds, or why it found nothing. */
export async function runAsProgram(url, find) {
  const [, script] = process.argv;
  if (script === undefined) return;
  if ((await realpath(script)) !== (await realpath(fileURLToPath(url)))) return;
  try {
    console.log(await find());
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
