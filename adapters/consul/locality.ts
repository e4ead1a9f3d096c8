import type { Locality } from '../../src/types.js';
import { isObject } from '../../src/validate.js';
import { text } from './fields.js';

/** Key of a node's metadata that names its zone. */
export const ZONE_META = 'zone';

/** By this rule instances and agents are placed: a locality (Consul 1.17 and later), else the node's metadata. */
export function readZone(locality: unknown, nodeMeta: unknown, key: string): string | undefined {
  return (
    text(isObject(locality) ? locality['Zone'] : undefined) ??
    text(isObject(nodeMeta) ? nodeMeta[key] : undefined)
  );
}

/** The place of an instance; the region of a node's metadata is always named `region`. */
export function readLocality(locality: unknown, nodeMeta: unknown, zoneMeta: string): Locality {
  const region =
    text(isObject(locality) ? locality['Region'] : undefined) ??
    text(isObject(nodeMeta) ? nodeMeta['region'] : undefined);
  const zone = readZone(locality, nodeMeta, zoneMeta);
  return { ...(region === undefined ? {} : { region }), ...(zone === undefined ? {} : { zone }) };
}
