import { text } from './fields.js';

/**
 * What names an entry and the instance made of it. Service ids are unique on their node only, and node names in their
 * datacenter. What a peer exports comes from another cluster, whose datacenter may have the name of ours.
 */
export function entryId(
  service: Record<string, unknown>,
  node: Record<string, unknown>,
  nodeName: string,
  serviceId: string,
): string {
  const peer = text(service['PeerName']) ?? text(node['PeerName']);
  const datacenter = text(node['Datacenter']) ?? '-';
  return [...(peer === undefined ? [] : [`peer:${peer}`]), datacenter, nodeName, serviceId].join(
    '/',
  );
}
