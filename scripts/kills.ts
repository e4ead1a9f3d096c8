/**
 * Twice the load that three servers can bear, and one of them killed every second: `npm run kills`, a minute;
 * `-- --seconds 10`, `--clients axios,fetch,undici` and `--seed 7` as one likes.
 *
 * A server works on so many requests at once, each for the same time, and lets the others wait. Each client keeps 64 calls in
 * flight, and all together twice as many as the three servers can work on at once: 200 % of what they can bear while
 * all are up, 300 % while one is down. Each client has all the defaults, and knows nothing of the others. The servers log
 * each request as they begin to work on it, in a way that a kill cannot undo.
 *
 * Prints what was seen as Markdown. Exits with 1 when a promise was broken: an idempotent call that failed, a POST
 * that ran twice, a POST that failed though nobody can have received it, an answer that the log knows nothing of.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRng } from 'fairlead/testing';
import { beforeDeath } from './before-death.js';
import { CALLERS, makeCaller } from './kills/callers.js';
import { startFleet } from './kills/fleet.js';
import { Killer } from './kills/killer.js';
import { Load } from './kills/load.js';
import { checkPromises } from './kills/promises.js';
import { report } from './kills/report.js';
import { RetryCounts } from './kills/retry-counts.js';
import { readServerLog } from './kills/server-log.js';
import { Violations } from './soak/violations.js';

const SERVERS = 3;
const IN_FLIGHT = 64;
/** Long beside what a request costs this machine, so that it is the servers' slots that are short, and not CPU time. */
const WORK_MS = 50;

/** However busy the machine is, and short the run. */
const LEAST_KILLS = 3;

/** What breaks a promise on purpose, so that it can be seen to be noticed. */
const SABOTAGES = ['repeat-posts', 'no-retries', 'forget'] as const;

const { values: wanted } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: CALLERS.join(',') },
    seed: { type: 'string', default: '1' },
    sabotage: { type: 'string', default: '' },
  },
});
const seconds = Number(wanted.seconds);
if (!(seconds > 0)) throw new Error(`--seconds must be above 0: ${wanted.seconds}`);
const names = oneOf('clients', CALLERS, wanted.clients);
const sabotage = oneOf('sabotage', SABOTAGES, wanted.sabotage);
const slots = Math.floor((IN_FLIGHT * names.length) / 2 / SERVERS);

const broken = new Violations();
process.exitCode = 1; // until all has been seen
process.on('unhandledRejection', (reason) => {
  broken.add('unhandled rejection', String(reason));
});

const folder = mkdtempSync(join(tmpdir(), 'fairlead-kills-'));
const removeFolder = (): void => {
  rmSync(folder, { recursive: true, force: true });
};
const unhook = beforeDeath(removeFolder);
const logFile = join(folder, 'servers.log');
const forget = sabotage.includes('forget');
const fleet = await startFleet(SERVERS, { logFile, slots, workMs: WORK_MS, forget });

const ports = fleet.members.map(({ port }) => port);
const options = sabotage.includes('no-retries') ? ({ retry: false } as const) : {};
const rng = seededRng(Number(wanted.seed));
const loads = names.map((name) => {
  const caller = makeCaller(name, ports, options);
  return new Load(caller, rng, sabotage.includes('repeat-posts'));
});
const counts = new Map(loads.map((load) => [load, new RetryCounts(load.caller.client)]));
await Promise.all(loads.map(({ caller }) => caller.client.ready()));

const killer = new Killer(fleet, rng, () => Math.min(...loads.map((load) => load.oldestMs)));
const stop = new AbortController();
const startMs = performance.now();
const running = loads.map((load) => load.run(IN_FLIGHT, stop.signal));
const killing = killer.run(stop.signal);
await Promise.all([sleep(seconds * 1_000), killer.atLeast(LEAST_KILLS)]);
stop.abort();
await Promise.all([...running, killing]);
const tookS = (performance.now() - startMs) / 1_000;

for (const { caller } of loads) {
  await caller.client.close();
  await caller.close();
}
await fleet.close();
const log = await readServerLog(logFile);
unhook();
removeFolder();

checkPromises(loads, log, broken);
const setting = { inFlight: IN_FLIGHT, servers: SERVERS, slots, workMs: WORK_MS };
console.log(`${report({ loads, counts, log, killer, seconds: tookS, ...setting })}\n`);
for (const line of broken.lines()) console.log(`BROKEN: ${line}`);
if (broken.size === 0) console.log('No promise was broken.');
process.exitCode = broken.size === 0 ? 0 : 1;

function oneOf<T extends string>(option: string, known: readonly T[], given: string): T[] {
  const names = given.split(',').filter((name) => name !== '');
  return names.map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined) throw new Error(`--${option} is of ${known.join(', ')}: ${name}`);
    return found;
  });
}
