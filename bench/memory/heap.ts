import { setTimeout as sleep } from 'node:timers/promises';

/** Bytes of the heap, and outside it, once all that is dead has been collected. */
export interface Bytes {
  readonly heap: number;
  /** External memory, array buffers included. */
  readonly external: number;
}

export async function bytesInUse(): Promise<Bytes> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with --expose-gc');
  for (let i = 0; i < 4; i++) {
    gc();
    await sleep(5); // finalizers, and what frees buffers
  }
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, external };
}

/** What has come since `before`, for each of `n`. */
export function eachSince(before: Bytes, now: Bytes, n: number): Bytes {
  return {
    heap: (now.heap - before.heap) / n,
    external: (now.external - before.external) / n,
  };
}
