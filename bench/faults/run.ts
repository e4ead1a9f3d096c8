import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { measuredFlags } from '../process-flags.js';
import { startHaproxy } from '../proxies/haproxy.js';
import { startNginx } from '../proxies/nginx.js';
import type { Proxy } from '../proxies/types.js';
import { Buckets, bucketOf } from './buckets.js';
import { mend, type SceneName, strike } from './faults.js';
import { type Backend, type Fleet, startFleet } from './fleet.js';
import { SUBJECTS } from './subjects.js';
import type { Traffic } from './traffic.js';
import type { Done, Order } from './worker.js';

export interface Timeline {
  readonly backends: number;
  /** That the work on each request takes. */
  readonly workMs: number;
  /** Calls per second. */
  readonly perSecond: number;
  readonly warmUpMs: number;
  /** Without a fault, after the warm-up. */
  readonly beforeMs: number;
  readonly faultMs: number;
  readonly afterMs: number;
}

/** All that was seen of one run. */
export interface Seen {
  readonly calls: Done['calls'];
  /** When it was warm, by the wall clock. */
  readonly warmMs: number;
  readonly faultFromMs: number;
  readonly faultToMs: number;
  /** The backends that were struck come first, as the scene names them. */
  readonly traffic: Traffic;
}

/** A killed backend needs a moment to be up again. */
const SPARE_MS = 300;
const SETTLE_MS = 2_500;
const STARTERS = { nginx: startNginx, haproxy: startHaproxy };

/** One subject through one scene, with backends of its own. */
export async function run(name: string, scene: SceneName, timeline: Timeline): Promise<Seen> {
  const subject = SUBJECTS[name];
  if (subject === undefined) throw new Error(`no such subject: ${name}`);
  const { backends, workMs } = timeline;
  const fleet = await startFleet(backends, subject.protocol ?? 'http', workMs);
  let proxy: Proxy | undefined;
  let worker: ChildProcess | undefined;
  try {
    const ports = fleet.backends.map(({ port }) => port);
    if (subject.proxy !== undefined) {
      proxy = await STARTERS[subject.proxy]({ ports, profile: 'tuned' });
    }
    const { perSecond, warmUpMs, beforeMs, faultMs, afterMs } = timeline;
    const forMs = warmUpMs + beforeMs + faultMs + SPARE_MS + afterMs;
    const order: Order = {
      ports,
      proxyUrl: proxy?.url,
      perSecond,
      forMs,
      settleMs: SETTLE_MS,
    };
    const file = fileURLToPath(new URL('worker.ts', import.meta.url));
    worker = fork(file, [name, JSON.stringify(order)], { execArgv: measuredFlags() });
    await message(worker);
    return await through(scene, timeline, fleet, worker);
  } finally {
    worker?.kill();
    await Promise.all([proxy?.stop(), fleet.close()]);
  }
}

async function through(
  scene: SceneName,
  { warmUpMs, beforeMs, faultMs }: Timeline,
  { backends }: Fleet,
  worker: ChildProcess,
): Promise<Seen> {
  const done = message(worker) as Promise<Done>;
  done.catch(() => undefined); // told below
  worker.send('go');
  const warmMs = Date.now() + warmUpMs;
  await sleep(warmUpMs + beforeMs);
  const victims = busiestFirst(backends);
  const faultFromMs = await strike(scene, victims);
  await sleep(faultFromMs + faultMs - Date.now());
  const faultToMs = await mend(scene, victims);
  const { calls, attempts } = await done;
  const byPort = new Map(backends.map(({ port }) => [port, new Buckets()]));
  for (const { port, bucket, count } of attempts) byPort.get(port)?.add(bucket, count);
  const traffic = victims.map(({ port, arrivals }) => ({
    arrivals,
    attempts: attempts.length === 0 ? undefined : byPort.get(port),
  }));
  return { calls, warmMs, faultFromMs, faultToMs, traffic };
}

/** A fault where nobody goes would hurt nobody: it strikes those that got most in the last second. */
function busiestFirst(backends: readonly Backend[]): Backend[] {
  const now = bucketOf(Date.now());
  const lately = ({ arrivals }: Backend): number => arrivals.sum(now - 10, now);
  return backends.toSorted((a, b) => lately(b) - lately(a));
}

/** The next one. @throws when it ends before. */
async function message(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const onExit = (): void => ended.abort(new Error('a subject ended before it had answered'));
  child.once('exit', onExit);
  try {
    const [first] = (await once(child, 'message', { signal: ended.signal })) as unknown[];
    return first;
  } finally {
    child.off('exit', onExit);
  }
}
