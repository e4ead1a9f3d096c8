import type { Instance } from './types.js';
import { isObject } from './validate.js';

/**
 * True for an entry of a snapshot that says of an instance just what is known of it: such an entry is valid, and brings
 * nothing new. Of every field that {@link Instance} has, defaults included.
 */
export function saysTheSame(spec: unknown, known: Instance): boolean {
  if (spec === known) return true;
  if (!isObject(spec)) return false;
  return (
    spec['host'] === known.host &&
    spec['port'] === known.port &&
    (spec['protocol'] ?? 'http') === known.protocol &&
    (spec['weight'] ?? 1) === known.weight &&
    (spec['priority'] ?? 0) === known.priority &&
    isSameId(spec['id'], known) &&
    isSameLocality(spec['locality'], known) &&
    isSameTags(spec['tags'], known) &&
    isSameMetadata(spec['metadata'], known)
  );
}

/** Without one it is the address, with which the URL ends. */
function isSameId(given: unknown, { id, url, protocol }: Instance): boolean {
  if (given !== undefined && given !== null) return given === id;
  return url.length === protocol.length + '://'.length + id.length && url.endsWith(id);
}

function isSameLocality(given: unknown, { locality: { region, zone } }: Instance): boolean {
  if (given === undefined) return region === undefined && zone === undefined;
  return isObject(given) && given['region'] === region && given['zone'] === zone;
}

function isSameTags(given: unknown, { tags }: Instance): boolean {
  if (given === undefined) return tags.length === 0;
  return (
    Array.isArray(given) && given.length === tags.length && tags.every((tag, i) => tag === given[i])
  );
}

function isSameMetadata(given: unknown, { metadata }: Instance): boolean {
  if (given === metadata) return true;
  const keys = Object.keys(metadata);
  if (given === undefined) return keys.length === 0;
  return (
    isObject(given) &&
    keys.length === Object.keys(given).length &&
    keys.every((key) => given[key] === metadata[key])
  );
}

/** True where each entry says the same as the known instance of its place. */
export function sayTheSame(
  specs: readonly unknown[],
  known: ReadonlyMap<string, Instance>,
): boolean {
  if (specs.length !== known.size) return false;
  let index = 0;
  for (const instance of known.values()) {
    if (!saysTheSame(specs[index], instance)) return false;
    index++;
  }
  return true;
}

/** What was known before, asked for by the entries of a list that is much the same. */
export class KnownInstances {
  readonly #inOrder: readonly Instance[];
  /** Who is expected next. */
  #next = 0;

  constructor(private readonly byId: ReadonlyMap<string, Instance>) {
    this.#inOrder = [...byId.values()];
  }

  /** The instance of which the entry says what is known; `undefined` where it brings anything new. */
  find(spec: unknown): Instance | undefined {
    // In order, but that one may have left. To ask by id, which may have to be made up, costs several times as much.
    for (let index = this.#next; index <= this.#next + 1; index++) {
      const instance = this.#inOrder[index];
      if (instance === undefined || !saysTheSame(spec, instance)) continue;
      this.#next = index + 1;
      return instance;
    }
    const instance = this.byId.get(idOf(spec));
    if (instance === undefined) return undefined; // one that joins the others
    this.#next++;
    return saysTheSame(spec, instance) ? instance : undefined;
  }
}

/** The id of an entry that need not be valid. */
function idOf(spec: unknown): string {
  if (!isObject(spec)) return '';
  const { id, host, port } = spec;
  if (typeof id === 'string') return id;
  return typeof host === 'string' && typeof port === 'number' ? `${host}:${String(port)}` : '';
}
