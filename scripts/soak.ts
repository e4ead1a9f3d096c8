/**
 * Real load on real servers that really die, for a long time: `npm run soak`, ten minutes; `-- --minutes 0.5` and
 * `-- --seed 7 --rate 100` (calls per second) as one likes. Six server processes, each behind a proxy that can spoil the way to it; a client each
 * through axios, fetch, undici's interceptor and agent, and a plain function over undici, in this process. Servers are killed and frozen, links turn slow,
 * stall, cut and truncate, the source of the list breaks, one at a time and sometimes three.
 *
 * Prints what was seen as Markdown. Errors of calls are figures. Exits with 1 when a promise was broken: a call that
 * settles after its limit, a POST served twice or lost, a body that is not the right one, something left over.
 */
import { getEventListeners, setMaxListeners } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { memoryAdapter, seededRng } from 'fairlead/testing';
import { beforeDeath } from './before-death.js';
import { type Caller, makeCallers, MAX_ATTEMPTS } from './soak/callers.js';
import { FaultSchedule } from './soak/fault-schedule.js';
import { type Fleet, startFleet } from './soak/fleet.js';
import { heapGrowth, liveHeapBytes } from './soak/heap.js';
import { Load } from './soak/load.js';
import { LoopLag } from './soak/loop-lag.js';
import { MEANINGS, report } from './soak/report.js';
import { type Sabotage, sabotaged, SABOTAGES } from './soak/sabotage.js';
import { readServerLogs } from './soak/server-logs.js';
import { AttemptCounts } from './soak/tally.js';
import { Violations } from './soak/violations.js';

const SERVERS = 6;
/** Without faults: code is compiled, connections are made. */
const WARM_UP_MS = 2_000;
const PROGRESS_MS = 30_000;
/** After the load: longer than any limit of a call. */
const QUIET_MS = 5_000;
/** What is closed must be gone within this. */
const CLOSE_MS = 3_000;

const { values: wanted } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    sabotage: { type: 'string', default: '' },
  },
});
const durationMs = Number(wanted.minutes) * 60_000;
if (!(durationMs > 0)) throw new Error(`--minutes must be above 0: ${wanted.minutes}`);
const sabotage = new Set(wanted.sabotage.split(',').filter(isSabotage));
const heapEveryMs = Math.min(60_000, durationMs / 5);

process.exitCode = 1; // until all has been seen
const violations = new Violations();
process.on('unhandledRejection', (reason) => {
  violations.add('unhandled rejection', String(reason));
});
process.on('uncaughtException', (error) => {
  violations.add('uncaught exception', error.stack ?? error.message);
});
process.on('warning', (warning) => {
  violations.add('warning', `${warning.name}: ${warning.message}`);
});

await sleep(0); // what starting up still holds is let go
const resourcesBefore = resources();
const folder = mkdtempSync(join(tmpdir(), 'fairlead-soak-'));
const removeFolder = (): void => {
  rmSync(folder, { recursive: true, force: true });
};
const unhook = beforeDeath(removeFolder);
const fleet = await startFleet(SERVERS, folder);
try {
  await soak(fleet);
} catch (error) {
  violations.add(
    'the soak itself failed',
    error instanceof Error ? `${error.stack}` : String(error),
  );
}
await fleet.close();
unhook();
removeFolder();
await expectResources();
for (const line of violations.lines()) console.log(`BROKEN: ${line}`);
console.log(violations.size === 0 ? 'No promise was broken.' : '');
process.exitCode = violations.size === 0 ? 0 : 1;
// Fires only if something keeps the process.
setTimeout(() => {
  console.log(
    `BROKEN: the process does not end by itself: ${process.getActiveResourcesInfo().join()}`,
  );
  process.exit(1);
}, CLOSE_MS).unref();

async function soak({ members }: Fleet): Promise<void> {
  const rng = seededRng(Number(wanted.seed));
  const lag = new LoopLag();
  const source = memoryAdapter();
  const schedule = new FaultSchedule(members, source, seededRng(Number(wanted.seed) + 1));
  const callers = makeCallers(source);
  const counts = new AttemptCounts();
  for (const { client } of callers) counts.listenTo(client);
  await Promise.all(callers.map(({ client }) => client.ready()));
  const posted = postLog();
  const load = new Load({
    callers: callers.map((caller) => sabotaged(caller, sabotage)),
    rng,
    lag,
    violations,
    faults: () => schedule.active,
    onPosted: posted.add,
  });
  setMaxListeners(0, load.longLived.signal); // one per call in flight is meant
  const stop = new AbortController();
  const heapMarks: number[] = [];
  const startMs = performance.now();
  const heapTimer = setInterval(() => heapMarks.push(liveHeapBytes()), heapEveryMs);
  const progressTimer = setInterval(() => {
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
    const failed = [...load.tallies.values()].reduce((sum, tally) => sum + tally.failed, 0);
    const broken = violations.size === 0 ? '' : `; BROKEN: ${violations.lines().join('; ')}`;
    const figures = `${String(load.calls)} calls, ${String(failed)} failed, ${String(load.inFlight)} in flight`;
    console.log(`${seconds} s: ${figures}; wrong now: ${schedule.active || 'nothing'}${broken}`);
  }, PROGRESS_MS);
  const running = load.run(Number(wanted.rate), stop.signal);
  await sleep(WARM_UP_MS);
  const mended = schedule.run(stop.signal);
  await sleep(durationMs - WARM_UP_MS);
  heapMarks.push(liveHeapBytes());
  clearInterval(heapTimer);
  clearInterval(progressTimer);
  stop.abort();
  await Promise.all([running, mended]);
  if (!(await load.settled(QUIET_MS))) {
    violations.add('calls that never settled', String(load.inFlight));
  }
  await sleep(500); // bodies that are cancelled let go of their instance
  liveHeapBytes();
  await sleep(100); // what was collected tells those who watch it
  const leftovers = leftIn(callers, load);
  leftovers.push(...(await closeAll(callers, members)));
  lag.stop();
  for (const what of leftovers) violations.add('left over', what);
  const grown = heapGrowth(heapMarks);
  if (grown > 0) violations.add('heap grows', `${(grown / 1_048_576).toFixed(1)} MiB too much`);
  for (const [name, { causes }] of load.tallies) {
    for (const [cause, { count }] of causes) {
      if (cause in MEANINGS) continue;
      violations.add(
        'failed for no reason of this run',
        `${name}, ${cause}, ${String(count)} times`,
      );
    }
  }
  const served = await readServerLogs(members.map(({ logFile }) => logFile));
  for (const [id, times] of served.posts) {
    if (times > 1) violations.add('POST served more than once', `${id}, ${String(times)} times`);
  }
  for (const [id, times] of served.gets) {
    if (times > MAX_ATTEMPTS)
      violations.add('more attempts than allowed', `${id}, ${String(times)}`);
  }
  for (const id of posted.all()) {
    if (!served.posts.has(id)) violations.add('POST answered by nobody', id);
  }
  const findings = { load, counts, injected: schedule.injected, served: served.requests };
  const rest = { heapMarks, heapEveryMs, lag, durationMs, leftovers };
  console.log(`\n${report({ ...findings, ...rest })}\n`);
}

/** What must be at rest once all calls have settled, and is not. */
function leftIn(callers: readonly Caller[], load: Load): string[] {
  const listeners = getEventListeners(load.longLived.signal, 'abort').length;
  const derived = derivedFrom(load.longLived.signal);
  return [
    ...(listeners > 0 ? [`${String(listeners)} listeners on the long-lived signal`] : []),
    ...(derived > 0 ? [`${String(derived)} signals derived from the long-lived one`] : []),
    ...callers.flatMap(({ name, client }) => {
      const { inFlight, queued, instances } = client.snapshot();
      const pending = instances.reduce((sum, instance) => sum + instance.pending, 0);
      const counts = { 'calls in flight': inFlight, queued, 'attempts pending': pending };
      return Object.entries(counts)
        .filter(([, count]) => count > 0)
        .map(([what, count]) => `${name}: ${String(count)} ${what}`);
    }),
  ];
}

/** `AbortSignal.any` leaves a trace of each signal it made at those it was made of: nodejs/node#55351, #64476. */
function derivedFrom(signal: AbortSignal): number {
  for (const key of Object.getOwnPropertySymbols(signal)) {
    if (key.description !== 'kDependantSignals') continue;
    return (Reflect.get(signal, key) as { size?: number } | undefined)?.size ?? 0; // Node's own kind of set
  }
  return 0;
}

/** Closes clients and connections. @returns what does not close. */
async function closeAll(callers: readonly Caller[], members: Fleet['members']): Promise<string[]> {
  const left: string[] = [];
  for (const { name, client, close } of callers) {
    const closed = client.close().then(() => true);
    const limit = new AbortController();
    const late = sleep(CLOSE_MS, false, { signal: limit.signal }).catch(() => false);
    if (!(await Promise.race([closed, late]))) left.push(`${name}: close() does not resolve`);
    limit.abort();
    await close();
  }
  const open = (): number => members.reduce((sum, { proxy }) => sum + proxy.open, 0);
  for (const endMs = performance.now() + CLOSE_MS; open() > 0 && performance.now() < endMs;) {
    await sleep(10);
  }
  if (open() > 0) left.push(`${String(open())} connections`);
  return left;
}

/** Ids of POSTs that succeeded, on disk: in memory they would look like a leak. */
function postLog(): { readonly add: (id: string) => void; readonly all: () => string[] } {
  const file = join(folder, 'posted.log');
  return {
    add: (id) => {
      appendFileSync(file, `${id}\n`);
    },
    all: () => readFileSync(file, 'utf8').split('\n').filter(Boolean),
  };
}

/** What keeps the process alive, counted by kind. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

async function expectResources(): Promise<void> {
  const more = (): string[] =>
    [...resources()]
      .filter(([name, count]) => count > (resourcesBefore.get(name) ?? 0))
      .map(([name, count]) => `${name} ${String(count)}`);
  const endMs = performance.now() + CLOSE_MS;
  while (more().length > 0 && performance.now() < endMs) await new Promise(setImmediate);
  if (more().length > 0) violations.add('left over', more().join(', '));
}

function isSabotage(name: string): name is Sabotage {
  return SABOTAGES.some((known) => known === name);
}
