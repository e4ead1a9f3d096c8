/**
 * What the wrappers cost end to end, beside the bare clients: `npm run bench:http`. Takes some three minutes;
 * `-- --only undici` (or axios, fetch), `--lives 1` and `--rounds 5` as one likes.
 *
 * Runs the built package. Writes bench/results/http.json and http.md, but for a part (`--only`).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Group, report } from './http/report.js';
import { type Measured, measure, type Plan } from './http/rounds.js';

const { values: wanted } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    lives: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '12' },
  },
});

const GROUPS: readonly Group[] = [
  {
    bare: 'undici Pools',
    others: [
      'undici, fairleadInterceptor',
      'undici BalancedPool',
      'undici request(url), one Agent',
    ],
    goal: 0.93,
  },
  { bare: 'axios', others: ['axios, wrapAxios'], goal: 0.95 },
  { bare: 'fetch', others: ['fetch, wrapFetch'], goal: 0.93 },
];

const plan: Plan = {
  backends: 4,
  inFlight: 64,
  lives: Number(wanted.lives),
  rounds: Number(wanted.rounds),
  roundMs: 400,
  warmUpMs: 2_000,
};

const groups = GROUPS.filter(({ bare }) => bare.startsWith(wanted.only));
const measured = new Map<string, readonly Measured[]>();
for (const { bare, others } of groups) {
  for (const [name, rounds] of await measure([bare, ...others], plan)) measured.set(name, rounds);
}

const require = createRequire(import.meta.url);
const versionOf = (name: string): string =>
  (require(`${name}/package.json`) as { readonly version: string }).version;
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  axios: versionOf('axios'),
  undici: versionOf('undici'),
};
const markdown = report({
  where: `${machine.cpu}, ${machine.cores} cores, Node ${machine.node} (its fetch is undici ${process.versions['undici'] ?? '?'}); axios ${machine.axios}, undici ${machine.undici}`,
  plan,
  groups,
  measured,
});
console.log(markdown);
if (wanted.only === '') {
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const results = { machine, plan, rounds: Object.fromEntries(measured) };
  await writeFile(new URL('http.json', folder), `${JSON.stringify(results, undefined, 2)}\n`);
  await writeFile(new URL('http.md', folder), markdown);
}
