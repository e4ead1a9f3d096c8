import { Worker } from './crew.js';
import type { Job } from './jobs.js';
import { median } from './measure.js';

export const SIZES = [3, 10, 100, 1_000, 10_000] as const;
export const ROUNDS = 7;
const ROUND_MS = 15;
const WARM_UP_MS = 100;
const LARGEST = 10_000;

/** Room for all that a count of bytes allocates. */
const BYTES_FLAGS = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'];

/** What was measured of one subject. `byN` holds a figure per size. */
export interface Row {
  readonly library: string;
  readonly name: string;
  /** Name of the peer that does most nearly the same; only for a policy of Fairlead's. */
  readonly peer?: string;
  /** ns per pick, median of the rounds. */
  readonly ns: ByN;
  readonly bytes: ByN;
  /** ms to make it from a list of 10,000. */
  readonly buildMs: number;
  /** ms to take in one change to a list of 10,000; absent where there is no such thing. */
  readonly updateMs?: number;
}
export type ByN = Readonly<Record<number, number>>;

export interface JobResult extends Pick<Job, 'name' | 'note'> {
  readonly rows: readonly Row[];
}

/** Measures all who do a job in turns, round by round: a slow moment of the machine hits them alike. */
export async function runJob(job: Job, rounds: number): Promise<JobResult> {
  const policies = Object.entries(job.policies);
  const subjects = [
    ...policies.map(([name, peer]) => ({ library: 'fairlead', name, peer })),
    ...policies.map(([name]) => ({ library: 'fairlead client', name })),
    ...job.peers,
  ];
  const bytes = await Promise.all(subjects.map(countBytes));
  const workers = await Promise.all(
    subjects.map(({ library, name }) => Worker.start(library, name, [])),
  );
  const buildMs: number[] = [];
  for (const n of SIZES) {
    for (const [i, worker] of workers.entries()) buildMs[i] = await worker.do('prepare', n, 0);
  }
  const samples = subjects.map(() => new Map<number, number[]>());
  for (let round = 0; round < rounds; round++) {
    for (const n of SIZES) {
      for (const [i, worker] of workers.entries()) {
        const ns = await worker.do('time', n, ROUND_MS);
        samples[i]?.set(n, [...(samples[i].get(n) ?? []), ns]);
      }
    }
  }
  const updateMs: number[] = [];
  for (const worker of workers) updateMs.push(await worker.do('update', LARGEST, 0));
  for (const worker of workers) worker.dismiss();

  const rows = subjects.map((subject, i) => ({
    ...subject,
    ns: byN((n) => median(samples[i]?.get(n) ?? [])),
    bytes: bytes[i] ?? {},
    buildMs: rounded(buildMs[i] ?? NaN),
    ...(Number.isFinite(updateMs[i]) ? { updateMs: rounded(updateMs[i] ?? NaN) } : {}),
  }));
  return { name: job.name, note: job.note, rows };
}

/** Bytes per pick, in a process of its own with the flags that takes. */
export async function countBytes(subject: { library: string; name: string }): Promise<ByN> {
  const worker = await Worker.start(subject.library, subject.name, BYTES_FLAGS);
  const counted = new Map<number, number>();
  for (const n of SIZES) {
    await worker.do('prepare', n, 0);
    counted.set(n, await worker.do('bytes', n, WARM_UP_MS));
  }
  worker.dismiss();
  return byN((n) => counted.get(n) ?? NaN);
}

function byN(figure: (n: number) => number): ByN {
  return Object.fromEntries(SIZES.map((n) => [n, rounded(figure(n))]));
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
