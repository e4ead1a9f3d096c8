/** What a service says of itself. */
import { InvalidOptionError } from '../../../src/errors.js';
import { checkKeys, checkNumber, isObject } from '../../../src/validate.js';

/** What may change while the service is registered. */
export interface ServiceDetails {
  /** Default none. */
  readonly tags?: readonly string[] | undefined;
  /** Keys of letters, digits, `-` and `_`; values of up to 512 characters. Default none. */
  readonly meta?: Readonly<Record<string, string>> | undefined;
  /** Shares of the calls while it passes its checks, and while one of them warns. Default 1 each. */
  readonly weights?: ServiceWeights | undefined;
}

export interface ServiceWeights {
  /** An integer, 1 to 65,535. Default 1. */
  readonly passing?: number | undefined;
  /** An integer, 0 to 65,535; 0 is no new calls. Default 1. */
  readonly warning?: number | undefined;
}

export interface TaggedAddress {
  readonly address: string;
  readonly port?: number | undefined;
}

export interface DetailSettings {
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly weights: Required<{ readonly [Key in keyof ServiceWeights]: number }>;
}

interface Place {
  readonly address: string;
  readonly port: number;
}

export interface ServiceSettings extends DetailSettings {
  readonly name: string;
  readonly id: string;
  /** Empty for that of the node. */
  readonly address: string;
  readonly port: number;
  readonly taggedAddresses: Readonly<Record<string, Place>>;
  readonly enableTagOverride: boolean;
}

export const DETAIL_KEYS: readonly (keyof ServiceDetails)[] = ['tags', 'meta', 'weights'];

export const NO_DETAILS: DetailSettings = {
  tags: [],
  meta: {},
  weights: { passing: 1, warning: 1 },
};

/** @param defaults what holds for details that are not given. */
export function readDetails(
  { tags, meta, weights }: Record<string, unknown>,
  defaults: DetailSettings,
): DetailSettings {
  return {
    tags: tags === undefined ? defaults.tags : readTags(tags),
    meta: meta === undefined ? defaults.meta : readMeta(meta),
    weights: weights === undefined ? defaults.weights : readWeights(weights),
  };
}

export function readTaggedAddresses(
  given: unknown,
  port: number,
): ServiceSettings['taggedAddresses'] {
  if (!isObject(given)) throw new InvalidOptionError('taggedAddresses', 'an object', given);
  const read = Object.entries(given).map(([name, value]) => {
    const option = `taggedAddresses.${name}`;
    const one = checkKeys(option, value, ['address', 'port']);
    const address = checkHost(`${option}.address`, one['address']);
    return [name, { address, port: checkPort(`${option}.port`, one['port'] ?? port) }] as const;
  });
  return Object.fromEntries(read);
}

export function checkHost(option: string, host: unknown): string {
  // No URL, and no brackets: Consul hands on what it is given.
  if (typeof host === 'string' && /^[^\s/[\]]+$/.test(host)) return host;
  const expected = 'a host name or an IP address, IPv6 without brackets';
  throw new InvalidOptionError(option, expected, host);
}

export function checkPort(option: string, port: unknown): number {
  return checkNumber(option, port, { min: 1, max: MAX, integer: true });
}

function readTags(tags: unknown): readonly string[] {
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag !== '')) {
    return [...(tags as readonly string[])];
  }
  throw new InvalidOptionError('tags', 'an array of non-empty strings', tags);
}

function readMeta(meta: unknown): DetailSettings['meta'] {
  if (!isObject(meta)) throw new InvalidOptionError('meta', 'an object of strings', meta);
  for (const [key, value] of Object.entries(meta)) {
    if (typeof value === 'string') continue;
    throw new InvalidOptionError(`meta.${key}`, 'a string', value);
  }
  return { ...(meta as Record<string, string>) };
}

function readWeights(weights: unknown): DetailSettings['weights'] {
  const { passing = 1, warning = 1 } = checkKeys('weights', weights, ['passing', 'warning']);
  return {
    passing: checkNumber('weights.passing', passing, { min: 1, max: MAX, integer: true }),
    warning: checkNumber('weights.warning', warning, { min: 0, max: MAX, integer: true }),
  };
}

const MAX = 65_535;
