/** Runs every example against the built package; each must end by itself, and well, within a minute. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startConsulAgent } from './consul-agent.js';

const TIME_LIMIT_MS = 60_000;
/** Needs database servers: `npm run test:databases` runs it. */
const NEEDS_DATABASES = 'mysql.ts';
const folder = fileURLToPath(new URL('../examples/', import.meta.url));

const examples = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && name !== NEEDS_DATABASES)
  .sort();
if (examples.length === 0) throw new Error('there are no examples');

await using agent = await startConsulAgent();
const failed: string[] = [];
for (const name of examples) {
  console.log(`\n# examples/${name}`);
  const startedMs = performance.now();
  const failure = await run(path.join(folder, name), {
    // Without the paths of tsconfig.json, `fairlead` is what package.json exports.
    TSX_TSCONFIG_PATH: path.join(folder, 'tsconfig.built.json'),
    CONSUL_HTTP_ADDR: agent.url,
  });
  if (failure !== undefined) failed.push(name);
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  console.log(`# ${failure ?? 'ended well'} after ${seconds} s`);
}
console.log(`\n${examples.length - failed.length} of ${examples.length} examples ended well.`);
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

/** What went wrong, or `undefined`. */
function run(file: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', file], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), TIME_LIMIT_MS);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (signal !== null) resolve(`killed by ${signal}: it did not end by itself`);
      else resolve(code === 0 ? undefined : `exit code ${String(code)}`);
    });
  });
}
