import { isObject } from '../../src/validate.js';
import { entryId } from './entry-id.js';

/** What the right to read an entry hangs on. */
export interface Place {
  readonly node: string;
  readonly service: string;
}

/** By the id of the instance that an entry is read to. */
export type Places = ReadonlyMap<string, Place>;

/** The place of each entry, whether or not it can be used. */
export function placesOf(entries: readonly unknown[]): Places {
  const places = new Map<string, Place>();
  for (const entry of entries) {
    if (!isObject(entry) || !isObject(entry['Node']) || !isObject(entry['Service'])) continue;
    const { Node: node } = entry['Node'];
    const { ID: id, Service: service } = entry['Service'];
    if (typeof node !== 'string' || typeof id !== 'string' || typeof service !== 'string') continue;
    places.set(entryId(entry['Service'], entry['Node'], node, id), { node, service });
  }
  return places;
}
