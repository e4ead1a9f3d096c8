// eslint-disable-next-line no-restricted-imports -- a load, not the time: what uses it is handed the reading.
import { performance } from 'node:perf_hooks';

/** For how long an event loop has worked and waited, in ms since it began. */
export interface LoopTimes {
  readonly active: number;
  readonly idle: number;
}

/**
 * The times of this thread's event loop; both 0 until it has begun to turn. The part of active time is what limits a
 * server in JavaScript: it has one thread however many cores there are, so it is full at 1 while the CPU of the machine,
 * or of the container, may stand at a fraction. It also grows while others have the core, which CPU time does not show.
 *
 * Source: Node's `performance.eventLoopUtilization`; T. Norris, "Event Loop Utilization in Node.js" (NodeSource).
 */
export function eventLoopTimes(): LoopTimes {
  return performance.eventLoopUtilization();
}
