import { InvalidOptionError } from '../../src/errors.js';
import { checkBoolean, checkString, isObject } from '../../src/validate.js';
import { parseJsonList } from './json-list.js';
import { checkForPreparedQuery, parseNodes } from './prepared-query.js';
import type { EntriesOf } from './reply.js';

/** What every read asks for, in Consul's own words. */
export interface ReadPlan {
  /** Below `/v1`, with `{service}`. */
  readonly path: string;
  /** The part of every query that never changes; the datacenter is not in it. */
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  /** Whether it can wait for a change. */
  readonly blocks: boolean;
  /** What an agent must be to understand it; without that it would ignore it silently. */
  readonly needs: readonly AgentNeed[];
  /**
   * What a reply without entries says: that there is no such service; or only that no instance of it lives, for a
   * prepared query leaves the others out itself.
   */
  readonly emptyMeans: 'not-found' | 'no-instances';
  readonly entriesOf: EntriesOf;
}

export interface AgentNeed {
  readonly option: string;
  /** The first version that has it: `'1.14.0'`. */
  readonly since: string;
  readonly enterprise: boolean;
}

/** Reads the options that say what is asked for. */
export function readPlan(given: Record<string, unknown>): ReadPlan {
  const query: Query = {};
  if (given['near'] !== undefined) query['near'] = checkString('near', given['near']);
  if (checkBoolean('preparedQuery', given['preparedQuery'] ?? false)) {
    checkForPreparedQuery(given);
    return {
      path: '/query/{service}/execute',
      query,
      blocks: false,
      needs: [],
      emptyMeans: 'no-instances',
      entriesOf: parseNodes,
    };
  }
  if (given['filter'] !== undefined) query['filter'] = checkString('filter', given['filter']);
  const tags = readTags(given['tags'] ?? []);
  if (tags.length > 0) query['tag'] = tags;
  const nodeMeta = readNodeMeta(given['nodeMeta'] ?? {});
  if (nodeMeta.length > 0) query['node-meta'] = nodeMeta;
  return {
    path: '/health/service/{service}',
    query,
    blocks: true,
    needs: readTenancy(given, query),
    emptyMeans: 'not-found',
    entriesOf: parseJsonList,
  };
}

type Query = Record<string, string | readonly string[]>;

/** Options that an agent may be too old for, or of the wrong edition. */
const TENANCY = [
  { option: 'namespace', parameter: 'ns', since: '1.7.0', enterprise: true },
  { option: 'partition', parameter: 'partition', since: '1.11.0', enterprise: true },
  // A beta in 1.13.
  { option: 'peer', parameter: 'peer', since: '1.14.0', enterprise: false },
] as const;

/** Adds them to `query`; gives what they need. */
function readTenancy(given: Record<string, unknown>, query: Query): readonly AgentNeed[] {
  const named = TENANCY.filter(({ option }) => given[option] !== undefined);
  for (const { option, parameter } of named) query[parameter] = checkString(option, given[option]);
  return named.map(({ option, since, enterprise }) => ({ option, since, enterprise }));
}

function readTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags)) throw new InvalidOptionError('tags', 'an array of strings', tags);
  return tags.map((tag: unknown, index) => checkString(`tags[${String(index)}]`, tag));
}

function readNodeMeta(nodeMeta: unknown): readonly string[] {
  if (!isObject(nodeMeta)) {
    throw new InvalidOptionError('nodeMeta', 'an object of strings', nodeMeta);
  }
  return Object.entries(nodeMeta).map(([key, value]) => {
    // Consul cuts at the first colon.
    if (key === '' || key.includes(':')) {
      throw new InvalidOptionError('nodeMeta', 'of keys that are not empty and have no colon', key);
    }
    return `${key}:${checkString(`nodeMeta.${key}`, value)}`;
  });
}
