import { Worker } from '../pick/crew.js';
import type { Job, Way } from './jobs.js';
import type { Round } from './time-calls.js';

export interface Plan {
  /** Times that all are begun anew, in new processes: how the compiler fares differs from one to the next. */
  readonly lives: number;
  /** Rounds of each in each life. */
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

export interface Row extends Omit<Way, 'bytes'> {
  readonly rounds: readonly Round[];
  /** Allocated per call, where that can be counted. */
  readonly bytes?: number;
}

export interface JobResult extends Pick<Job, 'name' | 'note' | 'by' | 'base'> {
  readonly rows: readonly Row[];
}

const WORKER = new URL('./worker.ts', import.meta.url);
/** Room for all that a count of bytes allocates. */
const BYTES_FLAGS = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];

/** Measures all ways in turns, forwards and backwards: a slow moment of the machine hits them alike. */
export async function runJob(job: Job, plan: Plan): Promise<JobResult> {
  const rounds = job.ways.map((): Round[] => []);
  for (let life = 0; life < plan.lives; life++) {
    const workers: (readonly [Worker, Way, Round[]])[] = [];
    for (const [i, way] of job.ways.entries()) {
      const worker = await Worker.start(way.library, way.name, [], WORKER);
      workers.push([worker, way, rounds[i] ?? []]);
      await worker.do('prepare', job.isAnew === true ? 0 : (way.n ?? 0), 0);
      await worker.do('time', 0, plan.warmUpMs);
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (const [worker, way, own] of round % 2 === 0 ? workers : workers.toReversed()) {
        if (job.isAnew === true && way.n !== undefined) await worker.do('prepare', way.n, 0);
        own.push(await worker.do<Round>('time', 0, plan.roundMs));
      }
    }
    for (const [worker] of workers) worker.dismiss();
  }
  const rows = await Promise.all(
    job.ways.map(async ({ bytes, ...way }, i): Promise<Row> => {
      const counted = bytes === 'uncounted' ? {} : { bytes: await countBytes(way, plan) };
      return { ...way, rounds: rounds[i] ?? [], ...counted };
    }),
  );
  const { name, note, by, base } = job;
  return { name, note, by, base, rows };
}

/** In a process of its own, with the flags that takes. */
async function countBytes({ library, name, n = 0 }: Way, { warmUpMs }: Plan): Promise<number> {
  const worker = await Worker.start(library, name, BYTES_FLAGS, WORKER);
  await worker.do('prepare', n, 0);
  const bytes = await worker.do('bytes', 0, warmUpMs);
  worker.dismiss();
  return Math.round(bytes);
}
