import type { InstanceRecord, Load } from '../types.js';

/**
 * Attempts in flight per unit of weight, with the one to come: `(pending + next) / weight`. Right for long polls, streams
 * and calls of very uneven cost, where latency says little.
 *
 * Source: Envoy, LEAST_REQUEST, where `next` is always 1: the heavier of two idle instances wins every time. `next` is
 * less at a light one that was drawn, see `adaptiveLoad`, so that shares follow the weights at any rate of calls.
 */
export function leastRequest(): Load {
  return {
    name: 'leastRequest',
    of: queuePerCapacity,
  };
}

/** One function for every load: a pick inlines what it calls only while that is one and the same. */
function queuePerCapacity(
  { pending, capacity }: InstanceRecord,
  _nowMs: number,
  next = 1,
): number {
  return (pending + next) / capacity;
}
