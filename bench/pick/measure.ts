import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

type Pick = (times: number) => number;
/** Or calls, which are awaited. */
type Work = (times: number) => number | Promise<number>;

/** Picks per sample are as many as take about this long: reading the clock does not show. */
const SAMPLE_MS = 0.25;
/** Bytes allocated per measurement at most, well within the 256 MB that the worker's young generation holds. */
const BYTES_BUDGET = 64 * 1024 * 1024;
const ATTEMPTS = 10;

/** Median time of a pick over samples that fill `forMs`, in ns. */
export function nsPerPick(pick: Pick, forMs: number): number {
  let times = 1;
  while (timed(pick, times) < SAMPLE_MS) times *= 2;
  const samples: number[] = [];
  const end = performance.now() + forMs;
  do samples.push((timed(pick, times) * 1e6) / times);
  while (performance.now() < end || samples.length < 3);
  return median(samples);
}

/**
 * Bytes allocated per pick, as the growth of the heap over picks without a collection in between: the worker runs
 * with a young generation larger than all they allocate, and a count that was interrupted all the same is repeated.
 */
export async function bytesPerPick(pick: Work): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with --expose-gc');
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ['gc'] });
  const growth = async (times: number): Promise<number> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      gc({ type: 'minor' });
      await observed();
      collections = 0;
      const before = process.memoryUsage().heapUsed;
      const sum = pick(times);
      consume(typeof sum === 'number' ? sum : await sum);
      const grown = process.memoryUsage().heapUsed - before;
      await observed();
      if (collections === 0) return grown;
    }
    throw new Error('collections falsify the count of bytes');
  };

  gc();
  const probe = Math.max(1, (await growth(50)) / 50);
  const times = Math.ceil(Math.min(200_000, BYTES_BUDGET / probe));
  const samples: number[] = [];
  for (let i = 0; i < 3; i++) {
    const reading = await growth(0);
    samples.push(((await growth(times)) - reading) / times);
  }
  observer.disconnect();
  return Math.max(0, median(samples));
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Lets the observer be told of the collections that were. */
async function observed(): Promise<void> {
  for (let i = 0; i < 3; i++) await setImmediate();
}

function timed(pick: Pick, times: number): number {
  const start = performance.now();
  consume(pick(times));
  return performance.now() - start;
}

/** Uses the sum of the picks, so that no pick can be left out. */
function consume(sum: number): void {
  if (Number.isNaN(sum)) throw new Error('a pick without a port');
}
