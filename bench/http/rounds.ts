import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a subject did in one round. */
export interface Round {
  readonly requests: number;
  readonly ms: number;
  /** CPU time of its process, all threads. */
  readonly cpuMs: number;
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

/** Runs these subjects in turn, one at a time, forwards and backwards. @returns their rounds, by subject. */
export async function measure(
  names: readonly string[],
  plan: Plan,
): Promise<ReadonlyMap<string, readonly Measured[]>> {
  const measured = new Map<string, Measured[]>(names.map((name) => [name, []]));
  for (let life = 0; life < plan.lives; life++) {
    const backends = start(new URL('backends.ts', import.meta.url), [String(plan.backends)]);
    const [ports] = (await message(backends)) as [number[]];
    const args = [plan.inFlight, ...ports].map(String);
    const workers: [string, ChildProcess][] = [];
    for (const name of names) {
      const worker = start(new URL('worker.ts', import.meta.url), [name, ...args]);
      workers.push([name, worker]);
      await message(worker);
      await ask(worker, plan.warmUpMs);
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const [name, worker] of round % 2 === 0 ? workers : [...workers].reverse()) {
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

function start(file: URL, args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(file), args);
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
