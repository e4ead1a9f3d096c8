import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TwoCores } from './cores.js';
import { GROUPS, type GroupName } from './groups.js';

/** What a subject did in one round. */
export interface Round {
  readonly requests: number;
  readonly ms: number;
  /** CPU time of its process, all threads. */
  readonly cpuMs: number;
  /** That of the proxy that it sends through. */
  readonly proxyCpuMs?: number;
}

/** A round, with the CPU time that the backends took meanwhile. */
export interface Measured extends Round {
  readonly backendsCpuMs: number;
}

export interface Plan {
  readonly backends: number;
  readonly inFlight: number;
  /** Times that all subjects are begun anew, in new processes: how the compiler fares differs from one to the next. */
  readonly lives: number;
  /** Rounds of each subject in each life. */
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

/** Not measured: while the others had their turns connections were closed for having been idle. */
const LEAD_IN_MS = 60;

/** Runs the subjects of a group in turn, one at a time, forwards and backwards. @returns their rounds, by subject. */
export async function measure(
  group: GroupName,
  plan: Plan,
  cores: TwoCores | undefined,
): Promise<ReadonlyMap<string, readonly Measured[]>> {
  const names = Object.keys(await GROUPS[group].load());
  const measured = new Map<string, Measured[]>(names.map((name) => [name, []]));
  const [callersCore, backendsCore] =
    (GROUPS[group].cores === 'one a side' ? cores : undefined) ?? [];
  for (let life = 0; life < plan.lives; life++) {
    const backends = start(GROUPS[group].backends, [String(plan.backends)], backendsCore);
    const [ports] = (await message(backends)) as [number[]];
    const args = [plan.inFlight, ...ports].map(String);
    const workers: [string, ChildProcess][] = [];
    for (const name of names) {
      const worker = start(
        new URL('worker.ts', import.meta.url),
        [group, name, ...args],
        callersCore,
      );
      workers.push([name, worker]);
      await message(worker);
      await ask(worker, plan.warmUpMs);
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const [name, worker] of round % 2 === 0 ? workers : [...workers].reverse()) {
        await ask(worker, LEAD_IN_MS);
        const before = (await ask(backends, 0)) as number;
        const own = (await ask(worker, plan.roundMs)) as Round;
        const backendsCpuMs = ((await ask(backends, 0)) as number) - before;
        measured.get(name)?.push({ ...own, backendsCpuMs });
      }
    }
    for (const child of [backends, ...workers.map(([, worker]) => worker)]) {
      child.disconnect(); // it ends by that
      await once(child, 'exit');
    }
  }
  return measured;
}

/** @param core the only one that it may run on, with the processes that it starts. */
function start(file: URL, args: readonly string[], core?: number): ChildProcess {
  const path = fileURLToPath(file);
  if (core === undefined) return fork(path, args);
  return fork(path, args, {
    execPath: 'taskset',
    execArgv: ['--cpu-list', String(core), process.execPath, ...process.execArgv],
  });
}

async function ask(child: ChildProcess, what: number): Promise<unknown> {
  child.send(what);
  const [answer] = await message(child);
  return answer;
}

async function message(child: ChildProcess): Promise<unknown[]> {
  const ended = new AbortController();
  const onExit = (): void => ended.abort(new Error('a process ended before it had answered'));
  child.once('exit', onExit);
  try {
    return (await once(child, 'message', { signal: ended.signal })) as unknown[];
  } finally {
    child.off('exit', onExit);
  }
}
