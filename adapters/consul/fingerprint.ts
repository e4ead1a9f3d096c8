import { createHash } from 'node:crypto';
import type { InstanceSpec } from '../../src/types.js';

/**
 * Equal for lists of equal content, whatever their order: a node's check, a check's output or an index wake
 * a query up without changing anything that is published.
 *
 * @param lines one of each instance, by {@link lineOf}.
 */
export function fingerprintOf(lines: readonly string[]): string {
  const hash = createHash('sha256');
  for (const line of [...lines].sort()) hash.update(line).update('\n');
  return hash.digest('base64');
}

/** All that is published of an instance. */
export function lineOf(instance: InstanceSpec): string {
  const metadata = Object.entries(instance.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const { id, host, port, protocol, weight, priority, locality, tags } = instance;
  return JSON.stringify([
    id,
    host,
    port,
    protocol,
    weight,
    priority,
    locality?.region,
    locality?.zone,
    tags,
    metadata,
  ]);
}
