import { createHash } from 'node:crypto';
import type { InstanceSpec } from '../../src/types.js';

/**
 * Equal for lists of equal content, whatever their order: a node's check, a check's output or an index wake
 * a query up without changing anything that is published.
 */
export function fingerprint(instances: readonly InstanceSpec[]): string {
  const hash = createHash('sha256');
  for (const line of instances.map(describe).sort()) hash.update(line).update('\n');
  return hash.digest('base64');
}

function describe(instance: InstanceSpec): string {
  const metadata = Object.entries(instance.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const { id, host, port, protocol, weight, locality, tags } = instance;
  return JSON.stringify([
    id,
    host,
    port,
    protocol,
    weight,
    locality?.region,
    locality?.zone,
    tags,
    metadata,
  ]);
}
