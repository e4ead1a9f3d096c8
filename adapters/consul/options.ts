import { InvalidOptionError } from '../../src/errors.js';
import { checkBoolean, checkKeys, checkNumber, checkString, isObject } from '../../src/validate.js';
import {
  AGENT_KEYS,
  type AgentOptions,
  type AgentSettings,
  readAgentOptions,
} from './agent-options.js';

export interface ConsulOptions extends AgentOptions {
  /** Default: the agent's own. */
  readonly datacenter?: string | undefined;
  /** Only instances that carry all of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** Only instances on nodes with all of these metadata. */
  readonly nodeMeta?: Readonly<Record<string, string>> | undefined;
  /** Sorts by round-trip time from this node; `_agent` is the agent's own. */
  readonly near?: string | undefined;
  /** A filter expression in Consul's own language. */
  readonly filter?: string | undefined;
  /** Leave out instances in warning state rather than give them `Weights.Warning`. Default false. */
  readonly passingOnly?: boolean | undefined;
  /** Longest time one blocking query stays parked, 1 s to 10 min, in ms. Default 60,000. */
  readonly waitMs?: number | undefined;
  /** Let any server answer, not the leader alone: available without a leader, a little late. Default false. */
  readonly stale?: boolean | undefined;
  /** Protocol of instances whose service metadata name none (`protocol: http` or `https`). Default `'http'`. */
  readonly protocol?: string | undefined;
}

/** The options, checked, with defaults. */
export interface ConsulSettings extends AgentSettings {
  /** The part of every query that never changes, in Consul's own words. */
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly waitMs: number;
  readonly passingOnly: boolean;
  readonly protocol: string;
}

const KEYS: readonly (keyof ConsulOptions)[] = [
  ...AGENT_KEYS,
  'datacenter',
  'tags',
  'nodeMeta',
  'near',
  'filter',
  'passingOnly',
  'waitMs',
  'stale',
  'protocol',
];

export function readOptions(options: unknown): ConsulSettings {
  const given = checkKeys('', options, KEYS);
  return {
    ...readAgentOptions(given),
    query: readQuery(given),
    waitMs: checkNumber('waitMs', given['waitMs'] ?? 60_000, {
      min: 1_000,
      max: 600_000,
      unit: 'milliseconds',
    }),
    passingOnly: checkBoolean('passingOnly', given['passingOnly'] ?? false),
    protocol: readProtocol(given['protocol'] ?? 'http'),
  };
}

function readQuery(given: Record<string, unknown>): ConsulSettings['query'] {
  const query: Record<string, string | readonly string[]> = {};
  if (given['datacenter'] !== undefined)
    query['dc'] = checkString('datacenter', given['datacenter']);
  if (given['near'] !== undefined) query['near'] = checkString('near', given['near']);
  if (given['filter'] !== undefined) query['filter'] = checkString('filter', given['filter']);
  if (checkBoolean('stale', given['stale'] ?? false)) query['stale'] = '1';
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

function readProtocol(protocol: unknown): string {
  if (typeof protocol === 'string' && /^[a-z][a-z0-9+.-]*$/i.test(protocol)) return protocol;
  throw new InvalidOptionError('protocol', 'a URL scheme such as "http"', protocol);
}
