/**
 * What the wrappers cost end to end, beside the bare clients and their peers: `npm run bench -- http`. Takes some nine
 * minutes; `--quick` a half, `--only undici` (or sidecar, axios, fetch, grpc) that group. haproxy and nginx are fetched from
 * Debian's packages where there are none.
 *
 * Runs the built package. Writes bench/results/http.json and http.md when all groups ran in full.
 */
import { parseArgs } from 'node:util';
import { twoCores } from './http/cores.js';
import { goalsOf, type Rounds } from './http/goals.js';
import { GROUPS, type GroupName, isGroup } from './http/groups.js';
import { report, type Results } from './http/report.js';
import { measure, type Plan } from './http/rounds.js';
import { describeMachine } from './pick/machine.js';
import { HAPROXY } from './proxies/haproxy.js';
import { NGINX } from './proxies/nginx.js';
import { findProgram } from './proxies/program.js';
import { writeResults } from './write-results.js';

const { values: wanted } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

const plan: Plan = {
  backends: 4,
  inFlight: 64,
  ...(wanted.quick
    ? { lives: 1, rounds: 3, roundMs: 250, warmUpMs: 1_000 }
    : { lives: 3, rounds: 7, roundMs: 400, warmUpMs: 5_000 }),
};
const only = (name: GroupName): boolean => wanted.only === '' || wanted.only === name;
const PACKAGES = ['undici', 'axios', 'axios-retry', 'opossum', 'p-retry', '@grpc/grpc-js'];

const proxies = [await findProgram(HAPROXY), await findProgram(NGINX)]; // fetched before anything is measured
const cores = await twoCores();
const possible = (name: GroupName): boolean => {
  const isPossible = GROUPS[name].cores === 'any' || cores !== undefined;
  if (!isPossible) console.error(`${name} is left out: it needs two cores, and taskset.`);
  return isPossible;
};

const groups = new Map<GroupName, Rounds>();
for (const name of Object.keys(GROUPS).filter(isGroup).filter(only).filter(possible)) {
  groups.set(name, await measure(name, plan, cores));
}

const machine = describeMachine(PACKAGES);
const [haproxy, nginx] = proxies.map(({ version }) => version);
const versions = {
  ...machine.versions,
  "undici of Node's fetch": process.versions['undici'] ?? '?',
  haproxy: haproxy ?? '?',
  nginx: nginx ?? '?',
};
const results: Results = {
  machine: { ...machine, versions },
  plan,
  goals: goalsOf(groups),
  groups,
};
const markdown = report(results);
console.log(markdown);

if (!wanted.quick && wanted.only === '') {
  const named = [...groups].map(([name, subjects]) => ({
    name,
    title: GROUPS[name].title,
    bare: GROUPS[name].bare,
    subjects: [...subjects].map(([subject, rounds]) => ({ name: subject, rounds })),
  }));
  await writeResults('http', { ...results, groups: named }, markdown);
}
