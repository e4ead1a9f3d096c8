import { InvalidOptionError } from '../../src/errors.js';
import { checkString, isObject } from '../../src/validate.js';
import { parseList } from './reply.js';

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
  /** The entries in the body of a reply. @throws {AgentError} when it is none. */
  readonly entriesOf: (body: Buffer) => Promise<readonly unknown[]>;
}

export interface AgentNeed {
  readonly option: string;
  /** The first version that has it: `'1.14.0'`. */
  readonly since: string;
  readonly enterprise: boolean;
}

export function readPlan(given: Record<string, unknown>): ReadPlan {
  return {
    path: '/health/service/{service}',
    query: readQuery(given),
    blocks: true,
    needs: [],
    entriesOf: parseList,
  };
}

function readQuery(given: Record<string, unknown>): ReadPlan['query'] {
  const query: Record<string, string | readonly string[]> = {};
  if (given['near'] !== undefined) query['near'] = checkString('near', given['near']);
  if (given['filter'] !== undefined) query['filter'] = checkString('filter', given['filter']);
  const tags = readTags(given['tags'] ?? []);
  if (tags.length > 0) query['tag'] = tags;
  const nodeMeta = readNodeMeta(given['nodeMeta'] ?? {});
  if (nodeMeta.length > 0) query['node-meta'] = nodeMeta;
  return query;
}

function readTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags)) throw new InvalidOptionError('tags', 'an array of strings', tags);
  return tags.map((tag: unknown, index) => checkString(`tags[${String(index)}]`, tag));
}

function readNodeMeta(nodeMeta: unknown): readonly string[] {
  if (!isObject(nodeMeta)) {
    throw new InvalidOptionError('nodeMeta', 'an object of strings', nodeMeta);
  }
  return Object.entries(nodeMeta).map(
    ([key, value]) => `${key}:${checkString(`nodeMeta.${key}`, value)}`,
  );
}
