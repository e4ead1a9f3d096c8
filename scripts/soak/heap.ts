import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of live objects. Takes some 50 ms. */
export function liveHeapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** A heap may grow by 5 %, or by what compiled code and caches fill up with, whichever is more. */
const GROWTH_RATIO = 0.05;
const GROWTH_BYTES = 3 * 1_048_576;

/**
 * @param marks live bytes at equal distances, all under load; the first still warms up.
 * @returns by how much the heap has grown more than it may; 0 when it is flat.
 */
export function heapGrowth(marks: readonly number[]): number {
  const [, first, ...later] = marks;
  const last = later.at(-1);
  if (first === undefined || last === undefined) return 0;
  // Bodies in flight come and go: a leak would lift the lower of the last two as well.
  const settled = Math.min(last, later.at(-2) ?? last);
  return Math.max(0, settled - first - Math.max(GROWTH_BYTES, first * GROWTH_RATIO));
}
