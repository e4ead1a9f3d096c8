/**
 * What 10,000 breakers cost that have nothing to do: `npm run bench -- breakers`. Takes some five minutes.
 *
 * Each subject makes its breakers in a process of its own, uses each once, and is then left alone: CPU time and lag of
 * the event loop over 5 s at once, and over 5 s again when the window of 10 s is over. Bytes are what the heap has grown
 * by after a forced collection; of a Fairlead breaker, the difference between a client with breakers and one without.
 * Runs the built package. Writes bench/results/breakers.json and breakers.md: medians of interleaved rounds.
 */
import { fork } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ClientOptions, createClient } from 'fairlead';
import { memoryAdapter } from 'fairlead/testing';
import CircuitBreaker from 'opossum';
import { figure, table } from './pick/markdown.js';
import { writeResults } from './write-results.js';

const ROUNDS = 3;
const BREAKERS = 10_000;
const IDLE_MS = 5_000;
const WINDOW_MS = 10_000;
/** Calls per breaker within one window, to see what it keeps of them. */
const BUSY_CALLS = 100;

interface Idle {
  /** CPU time of the process, ms per second. */
  readonly cpuMs: number;
  /** Of the event loop beyond a timer of 10 ms, in ms. */
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
}

interface Measured {
  readonly heapBytes: number;
  /** Outside the heap: external and array buffers. */
  readonly externalBytes: number;
  readonly busyBytes: number;
  readonly atOnce: Idle;
  readonly later: Idle;
}

/** Makes the breakers. @returns what uses each of them once. */
type Subject = () => Promise<() => Promise<void>>;

const WITHOUT = 'fairlead, no breakers';
const SUBJECTS: Readonly<Record<string, Subject>> = {
  nothing: () => Promise.resolve(() => Promise.resolve()),
  [WITHOUT]: () => fairlead({ breaker: false }),
  'fairlead, breakers': () => fairlead({ outlierDetection: false }),
  'fairlead, breakers and outlier detection': () => fairlead({}),
  'opossum, defaults': () => opossum(() => new CircuitBreaker(answer)),
  'opossum, fenced, one rotation for all': () => opossum(fenced),
};

async function fairlead(options: Partial<ClientOptions>): Promise<() => Promise<void>> {
  const instances = Array.from({ length: BREAKERS }, (_, i) => ({ host: '10.0.0.1', port: i + 1 }));
  const discovery = memoryAdapter(instances);
  const client = createClient({ service: 'bench', discovery, policy: 'round-robin', ...options });
  await client.ready();
  return async () => {
    for (let i = 0; i < BREAKERS; i++) client.pick().end('success');
    await Promise.resolve();
  };
}

interface Fired {
  fire(): Promise<unknown>;
}

function opossum(make: () => Fired): Promise<() => Promise<void>> {
  const breakers = Array.from({ length: BREAKERS }, make);
  return Promise.resolve(async () => {
    for (const breaker of breakers) await breaker.fire();
  });
}

const answer = (): Promise<number> => Promise.resolve(1);

/** Breakers that saw traffic within the window, each with the rotations that are left of it. */
const rotating = new Map<() => void, number>();
const BUCKETS = 10;
let rotation: NodeJS.Timeout | undefined;

/** As cheap as opossum can be had: no timeout, no percentiles, no snapshots, and one timer that rotates what was used. */
function fenced(): Fired {
  if (rotation === undefined) {
    rotation = setInterval(rotateAll, WINDOW_MS / BUCKETS);
    rotation.unref();
  }
  let rotate = (): void => undefined;
  const controller = {
    on: (_event: string, fn: () => void) => {
      rotate = fn;
    },
    removeListener: () => rotating.delete(rotate),
    listenerCount: () => 0,
  };
  const breaker = new CircuitBreaker(answer, {
    timeout: false,
    enableSnapshots: false,
    rollingPercentilesEnabled: false,
    rollingCountTimeout: WINDOW_MS,
    rollingCountBuckets: BUCKETS,
    volumeThreshold: 10,
    rotateBucketController: controller as unknown as EventEmitter,
  });
  return {
    fire: () => {
      rotating.set(rotate, BUCKETS);
      return breaker.fire();
    },
  };
}

function rotateAll(): void {
  for (const [rotate, left] of rotating) {
    rotate();
    if (left > 1) rotating.set(rotate, left - 1);
    else rotating.delete(rotate);
  }
}

async function measure(subject: Subject): Promise<Measured> {
  const before = await memory();
  const useAll = await subject();
  await useAll();
  const used = await memory();
  const atOnce = await idle();
  await sleep(WINDOW_MS + 1_000 - IDLE_MS);
  const quiet = await memory(); // collects, which V8 would do by itself a while after all the work
  const later = await idle();
  for (let i = 0; i < BUSY_CALLS; i++) await useAll();
  const busy = await memory();
  return {
    heapBytes: used.heapUsed - before.heapUsed,
    externalBytes: used.external + used.arrayBuffers - before.external - before.arrayBuffers,
    busyBytes: busy.heapUsed - quiet.heapUsed,
    atOnce,
    later,
  };
}

async function memory(): Promise<NodeJS.MemoryUsage> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with --expose-gc');
  for (let i = 0; i < 3; i++) {
    gc();
    await sleep(20);
  }
  return process.memoryUsage();
}

async function idle(): Promise<Idle> {
  await sleep(200);
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const start = process.cpuUsage();
  await sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(start);
  lag.disable();
  return {
    cpuMs: (user + system) / IDLE_MS,
    lagP99Ms: lag.percentile(99) / 1e6 - 10,
    lagMaxMs: lag.max / 1e6 - 10,
  };
}

function inProcess(name: string): Promise<Measured> {
  const child = fork(fileURLToPath(import.meta.url), [name], {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (measured: Measured) => {
      resolve(measured);
      child.kill();
    });
    child.once('exit', () => {
      reject(new Error(`${name}: exited`));
    });
  });
}

function medianOf(rounds: readonly Measured[]): Measured {
  const of = (value: (measured: Measured) => number): number =>
    rounds.map(value).sort((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? NaN;
  const idleOf = (period: (measured: Measured) => Idle): Idle => ({
    cpuMs: of((measured) => period(measured).cpuMs),
    lagP99Ms: of((measured) => period(measured).lagP99Ms),
    lagMaxMs: of((measured) => period(measured).lagMaxMs),
  });
  return {
    heapBytes: of(({ heapBytes }) => heapBytes),
    externalBytes: of(({ externalBytes }) => externalBytes),
    busyBytes: of(({ busyBytes }) => busyBytes),
    atOnce: idleOf(({ atOnce }) => atOnce),
    later: idleOf(({ later }) => later),
  };
}

async function main(): Promise<void> {
  const rounds: Record<string, Measured[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of Object.keys(SUBJECTS)) {
      const measured = await inProcess(name);
      (rounds[name] ??= []).push(measured);
    }
  }
  const medians = Object.entries(rounds).map(([name, all]) => [name, medianOf(all)] as const);
  const { version } = createRequire(import.meta.url)('opossum/package.json') as { version: string };
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const markdown = report(
    `${machine.cpu ?? 'unknown'}, ${machine.cores} cores, Node ${machine.node}; opossum ${version}`,
    medians,
  );
  console.log(markdown);
  const results = { machine, opossum: version, breakers: BREAKERS, rounds };
  await writeResults('breakers', results, markdown);
}

function report(where: string, medians: readonly (readonly [string, Measured])[]): string {
  const without = medians.find(([name]) => name === WITHOUT)?.[1];
  const each = (
    name: string,
    bytes: (measured: Measured) => number,
    measured: Measured,
  ): string => {
    if (name === 'nothing' || name === WITHOUT || without === undefined) return '';
    const beside = name.startsWith('fairlead') ? bytes(without) : 0;
    return figure(Math.round((bytes(measured) - beside) / BREAKERS));
  };
  const head = [
    `${figure(BREAKERS)} breakers`,
    'CPU ms/s at once',
    'later',
    'lag p99 ms at once',
    'later',
    'lag max ms at once',
    'later',
    'bytes each',
    'outside the heap',
    `more after ${BUSY_CALLS} calls`,
  ];
  const rows = medians.map(([name, measured]) => [
    name,
    ...[measured.atOnce, measured.later].map(({ cpuMs }) => figure(cpuMs)),
    ...[measured.atOnce, measured.later].map(({ lagP99Ms }) => lagP99Ms.toFixed(1)),
    ...[measured.atOnce, measured.later].map(({ lagMaxMs }) => lagMaxMs.toFixed(1)),
    each(name, ({ heapBytes }) => heapBytes, measured),
    each(name, ({ externalBytes }) => externalBytes, measured),
    each(name, ({ busyBytes }) => busyBytes, measured),
  ]);
  return `# What breakers cost that have nothing to do

${where}.

Medians of ${ROUNDS} interleaved rounds, each subject in a process of its own. ${figure(BREAKERS)} breakers are made, each is used once, and then left alone: measured over 5 s at once, and over 5 s later, when the window of 10 s is over. Lag is what the event loop was late by for a timer of 10 ms. Bytes are heap per breaker after a forced collection; of Fairlead's the client without breakers is taken off. The last column is what ${BUSY_CALLS} calls at each within one window add to that; below 0 the heap has been tidied more than they add.

${table(head, rows)}

\`opossum, fenced\`: no timeout, snapshots or percentiles, and one timer that rotates the breakers used within the last 10 s.
`;
}

const name = process.argv[2];
const subject = SUBJECTS[name ?? ''];
if (subject === undefined) await main();
else process.send?.(await measure(subject));
