import { InvalidOptionError } from '../../src/errors.js';
import { checkBoolean, checkKeys, checkNumber, checkString, isObject } from '../../src/validate.js';
import type { ConsulLike } from './client.js';

export interface ConsulOptions {
  /** Base URL of the agent; a path before `/v1` and credentials are allowed. Default `http://127.0.0.1:8500`. */
  readonly url?: string | undefined;
  /** ACL token, or a function asked for it before every read. Sent as a header, never shown. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
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
  /** A client of your own from the npm package `consul`, used as it is; excludes `url`. */
  readonly client?: ConsulLike | undefined;
}

/** The options, checked, with defaults. */
export interface ConsulSettings {
  readonly source: { readonly url: URL } | { readonly client: ConsulLike };
  readonly token: string | (() => string | Promise<string>) | undefined;
  /** What no message may show. */
  readonly secrets: readonly string[];
  /** The part of every query that never changes, in the words of the npm client. */
  readonly query: Readonly<Record<string, string | boolean | readonly string[]>>;
  readonly waitMs: number;
  readonly passingOnly: boolean;
  readonly protocol: string;
}

const KEYS: readonly (keyof ConsulOptions)[] = [
  'url',
  'token',
  'datacenter',
  'tags',
  'nodeMeta',
  'near',
  'filter',
  'passingOnly',
  'waitMs',
  'stale',
  'protocol',
  'client',
];

export function readOptions(options: unknown): ConsulSettings {
  const given = checkKeys('', options, KEYS);
  const source = readSource(given);
  const token = readToken(given['token']);
  const passwords = 'url' in source ? passwordsOf(source.url) : [];
  return {
    source,
    token,
    secrets: typeof token === 'string' ? [...passwords, token] : passwords,
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

function readSource({ client, url }: Record<string, unknown>): ConsulSettings['source'] {
  if (client === undefined) return { url: readUrl(url ?? 'http://127.0.0.1:8500') };
  if (url !== undefined) throw new InvalidOptionError('url', 'absent when a client is given', url);
  const health = isObject(client) ? client['health'] : undefined;
  if (!isObject(health) || typeof health['service'] !== 'function') {
    throw new InvalidOptionError('client', 'a client of the npm package "consul"', client);
  }
  return { client: client as unknown as ConsulLike };
}

function readUrl(text: unknown): URL {
  if (typeof text === 'string' && URL.canParse(text)) {
    const url = new URL(text);
    const bare = url.search === '' && url.hash === '' && isDecodable(url.username + url.password);
    if (bare && /^https?:$/.test(url.protocol)) return url;
  }
  const shown = typeof text === 'string' ? text.replace(/\/\/.*@/s, '//***@') : text;
  throw new InvalidOptionError('url', 'an http or https URL without query or fragment', shown);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** As written, and as sent: in an Authorization header. */
function passwordsOf({ username, password }: URL): readonly string[] {
  if (password === '') return [];
  const [user, plain] = [decodeURIComponent(username), decodeURIComponent(password)];
  return [password, plain, Buffer.from(`${user}:${plain}`).toString('base64')];
}

function readToken(token: unknown): ConsulSettings['token'] {
  if (token === undefined || typeof token === 'function') return token as ConsulSettings['token'];
  if (typeof token === 'string' && token.trim() !== '') return token.trim();
  // Whatever was given may be a secret.
  const shown = typeof token === 'string' ? 'an empty one' : `of type ${typeof token}`;
  throw new InvalidOptionError('token', 'a non-empty string or a function that gives one', shown);
}

function readQuery(given: Record<string, unknown>): ConsulSettings['query'] {
  const query: Record<string, string | boolean | readonly string[]> = {};
  if (given['datacenter'] !== undefined)
    query['dc'] = checkString('datacenter', given['datacenter']);
  if (given['near'] !== undefined) query['near'] = checkString('near', given['near']);
  if (given['filter'] !== undefined) query['filter'] = checkString('filter', given['filter']);
  if (checkBoolean('stale', given['stale'] ?? false)) query['stale'] = true;
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
