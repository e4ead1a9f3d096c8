import { InvalidOptionError } from '../../src/errors.js';
import { checkBoolean, checkKeys, checkNumber, checkString } from '../../src/validate.js';
import {
  AGENT_KEYS,
  type AgentOptions,
  type AgentSettings,
  readAgentOptions,
  readToken,
  refusedBeside,
  urlSettings,
} from './agent-options.js';
import { labelOf } from './connection.js';
import type { EntryRules } from './entries.js';
import { ZONE_META } from './locality.js';
import { type ReadPlan, readPlan } from './read-plan.js';

export interface ConsulOptions extends AgentOptions {
  /**
   * Several agents, the preferred one first: another is asked while one does not answer, and the preferred one again
   * once it is well. Each once. Excludes `url` and `client`; `tls` is for all of them.
   */
  readonly urls?: readonly string[] | undefined;
  /** Default: the agent's own. */
  readonly datacenter?: string | undefined;
  /**
   * Datacenters whose instances take over when those of the ones before cannot carry the calls: the priorities of each
   * are 1,000 more, and end at 999 before that. Each is read all the time. Not with `preparedQuery`. Default: none.
   */
  readonly failover?: readonly string[] | undefined;
  /**
   * Consul Enterprise, 1.7 and later. Other agents are refused, as for the next two: the token needs `agent:read`, for
   * the agent is asked for its version. Not with `preparedQuery`.
   */
  readonly namespace?: string | undefined;
  /** Admin partition: Consul Enterprise, 1.11 and later. Not with `preparedQuery`. */
  readonly partition?: string | undefined;
  /**
   * Instances that another cluster exports to this one: the name of the peering. Consul 1.14 and later. Not with
   * `preparedQuery`.
   */
  readonly peer?: string | undefined;
  /** Only instances that carry all of these tags. Not with `preparedQuery`. */
  readonly tags?: readonly string[] | undefined;
  /** Only instances on nodes with all of these metadata. Keys have no colon. Not with `preparedQuery`. */
  readonly nodeMeta?: Readonly<Record<string, string>> | undefined;
  /**
   * Sorts the list by round-trip time from this node; `_agent` is the agent's own. Of a prepared query with a limit it
   * decides who is listed; policies do not heed the order.
   */
  readonly near?: string | undefined;
  /** A filter expression in Consul's own language. Not with `preparedQuery`. */
  readonly filter?: string | undefined;
  /** Leave out instances in warning state rather than give them `Weights.Warning`. Default false. */
  readonly passingOnly?: boolean | undefined;
  /** Longest time one blocking query stays parked, 1 s to 10 min, in ms. Default 60,000. */
  readonly waitMs?: number | undefined;
  /**
   * How reads begin: `'default'` asks the leader, `'consistent'` has it make sure that it is one, `'stale'` asks any
   * server, `'cached'` the agent's own cache. While a read of one kind fails for want of a leader or of any server, the
   * next weaker kind is used, and shows as stale. Default `'default'`.
   */
  readonly consistency?: Consistency | undefined;
  /**
   * Which of an instance's tagged addresses is used: `'lan'`, `'wan'`, `'lan_ipv6'` or any other name. An instance that
   * has none of that name is reached at its own address; one without an address, at its node's of that name. Default:
   * its own address, else its node's.
   */
  readonly taggedAddress?: string | undefined;
  /**
   * Name of the port to use, of services with several: a named port (Consul Enterprise, 1.22 and later), else the
   * service's metadata `port_<name>`. An instance without it is left out, and reported. Default: the port of the tagged
   * address, else of the service, else the default one of its named ports.
   */
  readonly port?: string | undefined;
  /** Key of a node's metadata that names its zone, where an instance has no locality. Default `'zone'`. */
  readonly zoneMeta?: string | undefined;
  /** Protocol of instances whose service metadata name none (`protocol: http` or `https`). Default `'http'`. */
  readonly protocol?: string | undefined;
  /**
   * True when services are names, or ids, of prepared queries. Those cannot block, so they are polled, every `pollMs`.
   * Default false.
   */
  readonly preparedQuery?: boolean | undefined;
  /**
   * Pause between reads that cannot block, in ms, 1 s to 24.8 days; half of it is random. Default 10,000: every 5 to
   * 10 s. Those are prepared queries, and services beyond `maxParked`.
   */
  readonly pollMs?: number | undefined;
  /**
   * Blocking queries parked at one agent at a time by this process, an integer from 1 to 1,000; services beyond are
   * polled. An agent takes 200 connections from one address, and keeps
   * those of a process that ended until their waits are over: two generations must fit. Default 80.
   */
  readonly maxParked?: number | undefined;
}

export type Consistency = 'default' | 'consistent' | 'stale' | 'cached';

/** The options, checked, with defaults. */
export interface ConsulSettings {
  /** In order of preference, at least one. */
  readonly agents: readonly AgentSettings[];
  readonly token: AgentSettings['token'];
  /** In order of priority, at least one; `undefined` is the agent's own. */
  readonly datacenters: readonly (string | undefined)[];
  readonly plan: ReadPlan;
  readonly rules: EntryRules;
  readonly consistency: Consistency;
  readonly waitMs: number;
  readonly pollMs: number;
  readonly maxParked: number;
}

const KEYS: readonly (keyof ConsulOptions)[] = [
  ...AGENT_KEYS,
  'urls',
  'datacenter',
  'failover',
  'namespace',
  'partition',
  'peer',
  'tags',
  'nodeMeta',
  'near',
  'filter',
  'passingOnly',
  'waitMs',
  'consistency',
  'taggedAddress',
  'port',
  'zoneMeta',
  'protocol',
  'preparedQuery',
  'pollMs',
  'maxParked',
];

export function readOptions(options: unknown): ConsulSettings {
  const given = checkKeys('', options, KEYS);
  const agents = readAgents(given);
  return {
    agents,
    token: readToken(given['token']),
    datacenters: readDatacenters(given),
    plan: readPlan(given),
    rules: readRules(given),
    consistency: readConsistency(given['consistency'] ?? 'default'),
    waitMs: checkNumber('waitMs', given['waitMs'] ?? 60_000, {
      min: 1_000,
      max: 600_000,
      unit: 'milliseconds',
    }),
    pollMs: checkNumber('pollMs', given['pollMs'] ?? 10_000, {
      min: 1_000,
      max: 2_147_483_647,
      unit: 'milliseconds',
    }),
    maxParked: checkNumber('maxParked', given['maxParked'] ?? 80, {
      min: 1,
      max: 1_000,
      integer: true,
    }),
  };
}

function readAgents(given: Record<string, unknown>): readonly AgentSettings[] {
  const { urls, url, client, tls } = given;
  if (urls === undefined) return [readAgentOptions(given)];
  for (const [option, value] of Object.entries({ url, client })) {
    if (value !== undefined) {
      throw refusedBeside(option, 'urls are');
    }
  }
  if (!Array.isArray(urls) || urls.length === 0) {
    throw new InvalidOptionError('urls', 'an array of at least one URL', urls);
  }
  const token = readToken(given['token']);
  const agents = urls.map((one: unknown, i) => urlSettings(`urls[${String(i)}]`, one, tls, token));
  const labels = agents.map(({ source }) => labelOf(source));
  const twice = labels.findIndex((label, i) => labels.indexOf(label) !== i);
  if (twice === -1) return agents;
  const expected = 'the URL of an agent that is not named before';
  throw new InvalidOptionError(`urls[${String(twice)}]`, expected, labels[twice]);
}

function readDatacenters({
  datacenter,
  failover = [],
}: Record<string, unknown>): ConsulSettings['datacenters'] {
  const first = datacenter === undefined ? undefined : checkString('datacenter', datacenter);
  if (!Array.isArray(failover)) {
    throw new InvalidOptionError('failover', 'an array of datacenters', failover);
  }
  const others = failover.map((one: unknown, i) => checkString(`failover[${String(i)}]`, one));
  const all = [first, ...others];
  const twice = all.find((one, i) => all.indexOf(one) !== i);
  if (twice !== undefined) {
    throw new InvalidOptionError('failover', 'of datacenters that are named once', twice);
  }
  return all;
}

function readRules(given: Record<string, unknown>): EntryRules {
  const { taggedAddress, port } = given;
  return {
    passingOnly: checkBoolean('passingOnly', given['passingOnly'] ?? false),
    protocol: readProtocol(given['protocol'] ?? 'http'),
    taggedAddress:
      taggedAddress === undefined ? undefined : checkString('taggedAddress', taggedAddress),
    port: port === undefined ? undefined : checkString('port', port),
    zoneMeta: checkString('zoneMeta', given['zoneMeta'] ?? ZONE_META),
  };
}

const CONSISTENCIES: readonly unknown[] = ['default', 'consistent', 'stale', 'cached'];

function readConsistency(consistency: unknown): Consistency {
  if (CONSISTENCIES.includes(consistency)) return consistency as Consistency;
  throw new InvalidOptionError('consistency', `one of ${CONSISTENCIES.join(', ')}`, consistency);
}

function readProtocol(protocol: unknown): string {
  if (typeof protocol === 'string' && /^[a-z][a-z0-9+.-]*$/i.test(protocol)) return protocol;
  throw new InvalidOptionError('protocol', 'a URL scheme such as "http"', protocol);
}
