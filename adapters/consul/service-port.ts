import { InvalidInstanceError } from '../../src/errors.js';
import { isObject } from '../../src/validate.js';
import { eitherCase, requiredPort, text } from './fields.js';

interface NamedPort {
  readonly name: string | undefined;
  readonly port: unknown;
  readonly isDefault: boolean;
}

/**
 * The port of an instance. By name it is one of its `Ports` (Consul Enterprise 1.22 and later), else that which its
 * metadata name as `port_<name>`. Without a name it is the service's own; where that has none, the default of its
 * `Ports`, or the only one.
 *
 * @param path of the entry, for errors.
 * @throws {InvalidInstanceError} when it has no such port, or that is none.
 */
export function readServicePort(
  service: Record<string, unknown>,
  meta: Readonly<Record<string, string>>,
  name: string | undefined,
  path: string,
): number {
  const ports = readPorts(service['Ports']);
  if (name === undefined) return ownPort(service['Port'], ports, path);

  const found = ports.find((one) => one.name === name);
  if (found !== undefined) return requiredPort(found.port, `${path}.Service.Ports.${name}`);
  const ofMeta = meta[`port_${name}`];
  if (ofMeta !== undefined)
    return requiredPort(numberOr(ofMeta), `${path}.Service.Meta.port_${name}`);
  throw new InvalidInstanceError(
    `${path}.Service.Ports`,
    `a list with a port named "${name}" (or its metadata have "port_${name}")`,
    ports.length === 0 ? undefined : ports.map((one) => one.name ?? '?').join(', '),
  );
}

function ownPort(port: unknown, ports: readonly NamedPort[], path: string): number {
  const isGiven = port !== undefined && port !== null && port !== 0;
  const [only, ...others] = ports;
  const byDefault = ports.find((one) => one.isDefault) ?? (others.length === 0 ? only : undefined);
  return isGiven || byDefault === undefined
    ? requiredPort(port, `${path}.Service.Port`)
    : requiredPort(byDefault.port, `${path}.Service.Ports.${byDefault.name ?? 'default'}`);
}

function readPorts(ports: unknown): readonly NamedPort[] {
  if (!Array.isArray(ports)) return [];
  return ports.filter(isObject).map((one) => ({
    name: text(eitherCase(one, 'Name')),
    port: eitherCase(one, 'Port'),
    isDefault: eitherCase(one, 'Default') === true,
  }));
}

function numberOr(value: string): number | string {
  return /^\d+$/.test(value) ? Number(value) : value;
}
