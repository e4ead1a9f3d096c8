/** From Consul's health entries to instances. */
import { InvalidInstanceError } from '../../src/errors.js';
import type { InstanceSpec, Locality } from '../../src/types.js';
import { isObject } from '../../src/validate.js';

export interface EntryRules {
  readonly passingOnly: boolean;
  /** Protocol where the service metadata name none. */
  readonly protocol: string;
  /** Name of the address to use, where an instance has it. */
  readonly taggedAddress: string | undefined;
  /** Name of the port to use. */
  readonly port: string | undefined;
  readonly zoneMeta: string;
}

export interface BadEntry {
  /** `datacenter/node/id`, as far as it could be read. */
  readonly id: string;
  readonly error: InvalidInstanceError;
}

export interface Entries {
  readonly instances: readonly InstanceSpec[];
  readonly bad: readonly BadEntry[];
}

/** Reads each entry by itself: a bad one is set apart, and never costs the list. */
export function readEntries(entries: readonly unknown[], rules: EntryRules): Entries {
  const instances: InstanceSpec[] = [];
  const bad: BadEntry[] = [];
  for (const [index, entry] of entries.entries()) {
    try {
      const instance = readEntry(entry, rules, `entries[${String(index)}]`);
      if (instance !== undefined) instances.push(instance);
    } catch (error) {
      if (!(error instanceof InvalidInstanceError)) throw error;
      bad.push({ id: describe(entry), error });
    }
  }
  return { instances, bad };
}

/** `undefined`: its checks keep it out. */
function readEntry(entry: unknown, rules: EntryRules, path: string): InstanceSpec | undefined {
  if (!isObject(entry)) throw new InvalidInstanceError(path, 'an object', entry);
  const { Node: node, Service: service } = entry;
  if (!isObject(node)) throw new InvalidInstanceError(`${path}.Node`, 'an object', node);
  if (!isObject(service)) throw new InvalidInstanceError(`${path}.Service`, 'an object', service);

  const health = worstCheck(entry['Checks']);
  if (health === 'critical' || (health === 'warning' && rules.passingOnly)) return undefined;
  const meta = strings(service['Meta']);
  return {
    id: [
      text(node['Datacenter']) ?? '-',
      required(node['Node'], `${path}.Node.Node`),
      required(service['ID'], `${path}.Service.ID`),
    ].join('/'),
    host: required(text(service['Address']) ?? node['Address'], `${path}.Service.Address`),
    port: readPort(service['Port'], `${path}.Service.Port`),
    protocol:
      meta['protocol'] === 'http' || meta['protocol'] === 'https'
        ? meta['protocol']
        : rules.protocol,
    weight: readWeight(service['Weights'], health, `${path}.Service.Weights`),
    ...readPriority(meta['priority']),
    locality: readLocality(service['Locality'], strings(node['Meta'])),
    tags: Array.isArray(service['Tags']) ? service['Tags'].filter(isText) : [],
    metadata: meta,
  };
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

/** Consul accepts 0, -1 and 70000 on registration. */
function readPort(port: unknown, path: string): number {
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535)
    return port;
  throw new InvalidInstanceError(path, 'an integer from 1 to 65535', port);
}

/** Key of a node's metadata that names its zone. */
export const ZONE_META = 'zone';

/** By this rule instances and agents are placed: a locality (Consul 1.17 and later), else the node's metadata. */
export function readZone(locality: unknown, nodeMeta: unknown, key: string): string | undefined {
  return (
    text(isObject(locality) ? locality['Zone'] : undefined) ??
    text(isObject(nodeMeta) ? nodeMeta[key] : undefined)
  );
}

function readLocality(locality: unknown, nodeMeta: Readonly<Record<string, string>>): Locality {
  const own = isObject(locality) ? locality : {};
  const region = text(own['Region']) ?? text(nodeMeta['region']);
  const zone = readZone(locality, nodeMeta, ZONE_META);
  return { ...(region === undefined ? {} : { region }), ...(zone === undefined ? {} : { zone }) };
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

function required(value: unknown, path: string): string {
  if (isText(value) && value !== '') return value;
  throw new InvalidInstanceError(path, 'a non-empty string', value);
}

/** A non-empty string; Consul says nothing with `""` and `null` alike. */
function text(value: unknown): string | undefined {
  return isText(value) && value !== '' ? value : undefined;
}

function strings(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => isText(pair[1])),
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
