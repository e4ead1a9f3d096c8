import { setImmediate } from 'node:timers/promises';
import type { Prepared } from './subject.js';

/** What calls took in one round. */
export interface Round {
  readonly calls: number;
  /** Of one call, by the clock: collections and turns of the event loop included. */
  readonly ns: number;
  /** CPU time of one call, on all threads. */
  readonly cpuNs: number;
}

/** Calls between two turns of the event loop take about this long. */
const BATCH_MS = 0.5;

/** Makes calls for `forMs`. Timers and what is collected have their turn now and then. */
export async function timeCalls(run: Prepared['run'], forMs: number): Promise<Round> {
  let calls = 0;
  let batch = 1;
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  for (;;) {
    const batchMs = performance.now();
    calls += await run(batch);
    if (performance.now() - startMs >= forMs) break;
    if (performance.now() - batchMs < BATCH_MS) batch *= 2;
    await setImmediate();
  }
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  return { calls, ns: (tookMs * 1e6) / calls, cpuNs: ((user + system) * 1e3) / calls };
}
