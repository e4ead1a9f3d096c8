/**
 * `npm run bench -- <name> [options]` builds the package and runs `<name>.bench.ts` with the options; without a name
 * it runs all that docs/performance.md is made of, one after the other, and makes that page anew.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MEASURED, NAMES, usage, wantedOf } from './names.js';

const { name, options, problem } = wantedOf(process.argv.slice(2));
if (problem !== undefined) {
  console.error(problem);
  process.exitCode = 1;
} else if (name === 'help') {
  console.log(usage());
} else if (name === 'report') {
  await run('report.ts', options);
} else {
  await npm('build');
  if (name === 'consul') await npm('consul');
  for (const each of name === undefined ? MEASURED : [name]) {
    console.log(`\n== ${each}: ${NAMES[each]}\n`);
    await run(`${each}.bench.ts`, options);
  }
  if (name === undefined && options.length === 0) await run('report.ts', []);
}

/** In a process of its own, of the same loader and settings as this one. */
function run(file: string, options: readonly string[]): Promise<void> {
  return ended(fork(fileURLToPath(new URL(file, import.meta.url)), options), file);
}

function npm(script: string): Promise<void> {
  return ended(spawn('npm', ['run', '--silent', script], { stdio: 'inherit' }), script);
}

async function ended(child: ChildProcess, what: string): Promise<void> {
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${what} ended with ${code ?? 'a signal'}`);
}
