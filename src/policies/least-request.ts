import type { InstanceRecord, Load } from '../types.js';

/**
 * Attempts in flight per unit of weight, with the one to come: `(pending + 1) / weight`. Right for long polls, streams and
 * calls of very uneven cost, where latency says little.
 *
 * Source: Envoy, LEAST_REQUEST.
 */
export function leastRequest(): Load {
  return {
    name: 'leastRequest',
    of: queuePerCapacity,
  };
}

/** One function for every load: a pick inlines what it calls only while that is one and the same. */
function queuePerCapacity({ pending, capacity }: InstanceRecord): number {
  return (pending + 1) / capacity;
}
