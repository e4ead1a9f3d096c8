import type { InstanceRecord, Load } from '../types.js';

/**
 * Attempts in flight per unit of weight: `pending / weight`. Right for long polls, streams and calls of
 * very uneven cost, where latency says little.
 *
 * Envoy's LEAST_REQUEST uses `(pending + 1) / weight`. Without the 1, idle instances tie whatever their
 * weight, and `p2c` then keeps its weighted draw: shares follow the weights at any concurrency, where with
 * the 1 the heavier of two idle instances would win every time.
 */
export function leastRequest(): Load {
  return {
    name: 'leastRequest',
    of: pendingPerCapacity,
  };
}

/** One function for every load: a pick inlines what it calls only while that is one and the same. */
function pendingPerCapacity({ pending, capacity }: InstanceRecord): number {
  return pending / capacity;
}
