import { isObject } from '../../src/validate.js';
import { eitherCase, requiredPort, requiredText, text } from './fields.js';

export interface EntryAddress {
  readonly host: string;
  /** The port that goes with a tagged address of the service, where it has one of its own. */
  readonly port: number | undefined;
}

/**
 * Where an instance is reached: its address of this name, else its own, else that of its node, by this name too. A
 * node's tagged addresses come last because each has `lan` and `wan`: an instance with an address of its own, a
 * container say, does not listen there. Consul itself translates addresses in this order (`translate_wan_addrs`).
 *
 * @param name of a tagged address; `undefined` for none.
 * @param path of the entry, for errors.
 * @throws {InvalidInstanceError} when there is no address, or its port is none.
 */
export function readAddress(
  service: Record<string, unknown>,
  node: Record<string, unknown>,
  name: string | undefined,
  path: string,
): EntryAddress {
  if (name !== undefined) {
    const tagged = named(service['TaggedAddresses'], name);
    const host = isObject(tagged) ? text(eitherCase(tagged, 'Address')) : undefined;
    if (isObject(tagged) && host !== undefined) {
      const port = eitherCase(tagged, 'Port');
      const at = `${path}.Service.TaggedAddresses.${name}.Port`;
      return { host: withoutBrackets(host), port: readOwnPort(port, at) };
    }
  }
  const own = text(service['Address']);
  const ofNode = name === undefined ? undefined : text(named(node['TaggedAddresses'], name));
  const host = requiredText(own ?? ofNode ?? node['Address'], `${path}.Service.Address`);
  return { host: withoutBrackets(host), port: undefined };
}

/** Consul sends an address that was registered without a port with port 0. */
function readOwnPort(port: unknown, path: string): number | undefined {
  return port === undefined || port === null || port === 0 ? undefined : requiredPort(port, path);
}

/** Consul keeps an IPv6 address as it was registered, with or without brackets. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** The map may be null, or missing. */
function named(addresses: unknown, name: string): unknown {
  return isObject(addresses) ? addresses[name] : undefined;
}
