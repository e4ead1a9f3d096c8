/** `fairlead/static`: a list of instances that is written down, not looked up. */
import { toInstance } from '../src/discovery.js';
import { InvalidInstanceError, InvalidOptionError, show } from '../src/errors.js';
import type { DiscoveryAdapter, Instance, InstanceSpec } from '../src/types.js';
import { checkKeys, isObject } from '../src/validate.js';
import { parseAddress, withoutSecret } from './static/address.js';

const SPEC_KEYS: readonly (keyof InstanceSpec)[] = [
  'host',
  'port',
  'id',
  'protocol',
  'weight',
  'priority',
  'locality',
  'tags',
  'metadata',
];

/**
 * A fixed list. Every service is answered with it, once and at once.
 *
 * @param entries instances, or addresses such as `'http://10.0.0.1:8080?weight=3&zone=a&tag=v2'`. The query may
 *   carry `weight`, `priority`, `zone`, `region`, `id` and any number of `tag`s; the port defaults to that of
 *   http and https; IPv6 stands in brackets. Weight 0 means draining, but not for the whole list.
 * @throws {InvalidInstanceError} `ERR_FAIRLEAD_INVALID_INSTANCE` naming the field, such as `entries[2].port`.
 * @throws {InvalidOptionError} `ERR_FAIRLEAD_INVALID_OPTION` for no list, an empty one, or an unknown key.
 * @example staticList(['http://10.0.0.1:8080?weight=3', { host: '10.0.0.2', port: 8080 }])
 */
export function staticList(entries: readonly (InstanceSpec | string)[]): DiscoveryAdapter {
  const instances = readEntries(entries);
  return {
    name: 'static',
    async *watch(_service, { signal }) {
      if (signal.aborted) return;
      yield { kind: 'instances', instances };
      await aborted(signal);
    },
  };
}

function readEntries(entries: unknown): readonly Instance[] {
  if (!Array.isArray(entries) || entries.length === 0) {
    throw noList(entries);
  }
  const byId = new Map<string, Instance>();
  entries.forEach((entry: unknown, index) => {
    const path = `entries[${String(index)}]`;
    const spec =
      typeof entry === 'string' ? parseAddress(entry, path) : checkKeys(path, entry, SPEC_KEYS);
    const instance = toInstance(spec, path);
    if (byId.has(instance.id)) {
      throw new InvalidInstanceError(`${path}.id`, 'unique in the list', instance.id);
    }
    byId.set(instance.id, instance);
  });
  const instances = [...byId.values()];
  if (instances.every(({ weight }) => weight === 0)) {
    throw new InvalidInstanceError('entries[0].weight', 'above 0 for at least one entry', 0);
  }
  return instances;
}

/** What was meant is likely one instance, or one list for each service. */
function noList(entries: unknown): InvalidOptionError {
  const expected = 'a non-empty array of instances or addresses';
  const value = typeof entries === 'string' ? withoutSecret(entries) : entries;
  let hint = '';
  if (typeof entries === 'string') {
    hint = " For one address: staticList(['http://10.0.0.1:8080']).";
  } else if (isObject(entries)) {
    hint =
      'host' in entries
        ? ' For one instance: staticList([{ host, port }]).'
        : " Each service has a list of its own: createClientPool({ services: { orders: { discovery: staticList(['http://10.0.0.1:8080']) } } }).";
  }
  const message = `Option "entries" must be ${expected}; got ${show(value)}.${hint}`;
  return new InvalidOptionError('entries', expected, value, message);
}

/** Holds no timer, so that an idle process may end. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
