/** From Consul's health entries to instances. */
import { toInstance } from '../../src/discovery.js';
import { InvalidInstanceError } from '../../src/errors.js';
import type { Instance, InstanceSpec } from '../../src/types.js';
import { isObject } from '../../src/validate.js';
import { readAddress } from './address.js';
import { entryId } from './entry-id.js';
import { requiredText, strings, text } from './fields.js';
import { fingerprintOf, lineOf } from './fingerprint.js';
import { readLocality } from './locality.js';
import { inTurns, nextTurn } from './next-turn.js';
import { readServicePort } from './service-port.js';

export interface EntryRules {
  readonly passingOnly: boolean;
  /** Protocol where the service metadata name none. */
  readonly protocol: string;
  /** Name of the address to use, where an instance has it. */
  readonly taggedAddress: string | undefined;
  /** Name of the port to use. */
  readonly port: string | undefined;
  /** Key of a node's metadata that names its zone. */
  readonly zoneMeta: string;
}

export interface BadEntry {
  /** `datacenter/node/id`, as far as it could be read. */
  readonly id: string;
  readonly error: InvalidInstanceError;
}

export interface Entries {
  /** In the order of the entries. Checked here, a few at a time, so that the core need not. */
  readonly instances: readonly Instance[];
  readonly bad: readonly BadEntry[];
  /** The same for two lists just if their instances are. */
  readonly fingerprint: string;
}

/** About 2 ms of work. */
const ENTRIES_PER_TURN = 500;

/**
 * Reads each entry by itself: a bad one is set apart, and never costs the list. Gives way to others now and then.
 *
 * Rejects with the signal's reason on abort.
 */
export async function readEntries(
  entries: readonly unknown[],
  rules: EntryRules,
  signal?: AbortSignal,
): Promise<Entries> {
  const instances: Instance[] = [];
  const bad: BadEntry[] = [];
  const lines = new Map<string, string>();
  const readOne = (entry: unknown, index: number): void => {
    const path = `entries[${String(index)}]`;
    try {
      const instance = readEntry(entry, rules, path);
      if (instance === undefined) return;
      if (lines.has(instance.id)) {
        throw new InvalidInstanceError(`${path}.Service.ID`, 'unique on its node', instance.id);
      }
      lines.set(instance.id, lineOf(instance));
      instances.push(instance);
    } catch (error) {
      if (!(error instanceof InvalidInstanceError)) throw error;
      bad.push({ id: describe(entry), error });
    }
  };
  await inTurns(entries, ENTRIES_PER_TURN, readOne, signal);
  if (entries.length > ENTRIES_PER_TURN) await nextTurn(signal);
  return { instances, bad, fingerprint: fingerprintOf([...lines.values()]) };
}

/** `undefined`: it is no instance of the service, or its checks keep it out. */
function readEntry(entry: unknown, rules: EntryRules, path: string): Instance | undefined {
  if (!isObject(entry)) throw new InvalidInstanceError(path, 'an object', entry);
  const { Node: node, Service: service } = entry;
  if (!isObject(node)) throw new InvalidInstanceError(`${path}.Node`, 'an object', node);
  if (!isObject(service)) throw new InvalidInstanceError(`${path}.Service`, 'an object', service);

  if (isMeshProxy(service['Kind'])) return undefined;
  const health = worstCheck(entry['Checks']);
  if (health === 'critical' || (health === 'warning' && rules.passingOnly)) return undefined;
  const meta = strings(service['Meta']);
  const address = readAddress(service, node, rules.taggedAddress, path);
  const port =
    rules.port === undefined && address.port !== undefined
      ? address.port
      : readServicePort(service, meta, rules.port, path);
  const spec: InstanceSpec = {
    id: entryId(
      service,
      node,
      requiredText(node['Node'], `${path}.Node.Node`),
      requiredText(service['ID'], `${path}.Service.ID`),
    ),
    host: address.host,
    port,
    protocol:
      meta['protocol'] === 'http' || meta['protocol'] === 'https'
        ? meta['protocol']
        : rules.protocol,
    weight: readWeight(service['Weights'], health, `${path}.Service.Weights`),
    ...readPriority(meta['priority']),
    locality: readLocality(service['Locality'], node['Meta'], rules.zoneMeta),
    tags: Array.isArray(service['Tags']) ? service['Tags'].filter(isText) : [],
    metadata: meta,
  };
  return toInstance(spec, path);
}

/**
 * Proxies and gateways that take nothing but the mesh's own mutual TLS. An ingress or API gateway is there for callers
 * outside of it.
 */
function isMeshProxy(kind: unknown): boolean {
  const named = text(kind);
  return named !== undefined && named !== 'ingress-gateway' && named !== 'api-gateway';
}

type Health = 'passing' | 'warning' | 'critical';

/**
 * The worst of an instance's checks, those of its node among them. Maintenance mode is a critical check; a
 * check of no known status counts as critical, as Consul's own DNS has it.
 */
function worstCheck(checks: unknown): Health {
  let worst: Health = 'passing';
  for (const check of Array.isArray(checks) ? (checks as readonly unknown[]) : []) {
    const status = isObject(check) ? check['Status'] : undefined;
    if (status === 'passing') continue;
    if (status !== 'warning') return 'critical';
    worst = 'warning';
  }
  return worst;
}

/** Weights that are absent count 1, Consul's own default. */
function readWeight(weights: unknown, health: 'passing' | 'warning', path: string): number {
  if (weights === undefined || weights === null) return 1;
  if (!isObject(weights)) throw new InvalidInstanceError(path, 'an object', weights);
  const name = health === 'warning' ? 'Warning' : 'Passing';
  const weight = weights[name] ?? 1;
  if (typeof weight === 'number' && Number.isFinite(weight) && weight >= 0) return weight;
  throw new InvalidInstanceError(`${path}.${name}`, 'a finite number >= 0', weight);
}

/**
 * Consul has no priorities: the service's metadata may name one, as an integer. A `priority: high` means something of the
 * application's own.
 */
function readPriority(named: string | undefined): Pick<InstanceSpec, 'priority'> {
  return named !== undefined && /^\d{1,9}$/.test(named) ? { priority: Number(named) } : {};
}

function describe(entry: unknown): string {
  const { Node: node, Service: service } = isObject(entry) ? entry : {};
  return [
    isObject(node) ? text(node['Datacenter']) : undefined,
    isObject(node) ? text(node['Node']) : undefined,
    isObject(service) ? text(service['ID']) : undefined,
  ]
    .map((part) => part ?? '?')
    .join('/');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
