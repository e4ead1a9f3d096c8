/** A process that measures one subject: `tsx worker.ts <name> <n> <idle ms>`, over IPC. Run with --expose-gc. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bytes, bytesInUse, eachSince } from './heap.js';
import { addresses, type Prepared, type Subject } from './subject.js';

/** Of one subject, in one process. Bytes are those of each instance. */
export interface Measured {
  readonly neverCalled: Bytes;
  readonly called: Bytes;
  readonly underTraffic: Bytes | undefined;
  /** CPU time with nothing to do, ms per second. */
  readonly idleCpuMs: number;
  /** Pools that have a connection, where there are any. */
  readonly pools: number;
}

/** Calls per instance: enough to fail now and then. */
const CALLS_EACH = 100;
/** After so long V8 has done what it does when there is nothing else. */
const SETTLE_MS = 500;

const [name = '', count = '', idleMs = ''] = process.argv.slice(2);
process.send?.(await measure(await load(name), Number(count), Number(idleMs)));
process.exit();

async function load(wanted: string): Promise<Subject> {
  const lists = wanted.startsWith('fairlead')
    ? (await import('./fairlead.js')).fairlead
    : wanted.startsWith('opossum')
      ? (await import('./opossum.js')).opossum
      : wanted.startsWith('moleculer')
        ? (await import('./moleculer.js')).moleculer
        : (await import('./pools.js')).pools;
  const found = lists.find((subject) => subject.name === wanted);
  if (found === undefined) throw new Error(`no subject "${wanted}"`);
  return found;
}

async function measure(subject: Subject, n: number, idleMs: number): Promise<Measured> {
  await rehearse(subject, n);
  const input = addresses(n);
  const before = await bytesInUse();
  const prepared = await subject.prepare(input);
  const neverCalled = eachSince(before, await bytesInUse(), n);
  await prepared.callEach();
  const called = eachSince(before, await bytesInUse(), n);
  const pools = name.startsWith('FairleadAgent')
    ? (await import('./pools.js')).connected.size
    : NaN;
  await prepared.traffic?.(CALLS_EACH * n);
  const underTraffic =
    prepared.traffic === undefined ? undefined : eachSince(before, await bytesInUse(), n);
  const idleCpuMs = await idle(idleMs);
  await prepared.close();
  if (input.length !== n) throw new Error('kept until now, so that it is in both readings');
  return { neverCalled, called, underTraffic, idleCpuMs, pools };
}

/** Once before, on another list: what V8 makes of the code is no memory of the instances. */
async function rehearse(subject: Subject, n: number): Promise<void> {
  const prepared: Prepared = await subject.prepare(addresses(n));
  await prepared.callEach();
  await prepared.traffic?.(n);
  await prepared.close();
  if (name.startsWith('FairleadAgent')) (await import('./pools.js')).connected.clear();
}

async function idle(forMs: number): Promise<number> {
  await sleep(SETTLE_MS);
  const startedAt = performance.now();
  const start = process.cpuUsage();
  await sleep(forMs);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / (performance.now() - startedAt);
}
