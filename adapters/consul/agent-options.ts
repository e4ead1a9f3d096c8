/** How an agent is reached: what `consul`, `agentZone`, `registerService` and `electLeader` have in common. */
import { InvalidOptionError } from '../../src/errors.js';
import { checkBoolean, checkKeys, checkString, isObject } from '../../src/validate.js';
import { type ConsulLike, isPapiClient } from './client.js';

export interface AgentOptions {
  /** Base URL of the agent; a path before `/v1` and credentials are allowed. Default `http://127.0.0.1:8500`. */
  readonly url?: string | undefined;
  /**
   * ACL token; or a function, or the path of a file, asked for it before every request. Sent as a header, never shown.
   */
  readonly token?: TokenSource | undefined;
  /** For `https` URLs. Default: Node's own trust, no client certificate. */
  readonly tls?: TlsOptions | undefined;
  /** A client of your own from the npm package `consul`, used as it is; excludes `url` and `tls`. */
  readonly client?: ConsulLike | undefined;
}

export type TokenSource = string | (() => string | Promise<string>) | { readonly file: string };

/** PEM text, or the path of a file with it, read when a connection pool is opened. */
export type Pem = string | Buffer | { readonly file: string };

export interface TlsOptions {
  /** Certificates of the authorities to trust, in place of Node's own. */
  readonly ca?: Pem | undefined;
  /** The client's certificate, and its private key: where the agent verifies who asks. */
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly passphrase?: string | undefined;
  /** Name that the agent's certificate must hold, and that is sent as SNI. Default: the URL's host. */
  readonly servername?: string | undefined;
  /** False accepts any certificate: whoever answers is then believed. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** The options, checked, with defaults. */
export interface AgentSettings {
  readonly source: AgentSource;
  readonly token: TokenSource | undefined;
  /** What no message may show. */
  readonly secrets: readonly string[];
}

export type AgentSource =
  { readonly url: URL; readonly tls: TlsOptions | undefined } | { readonly client: ConsulLike };

export const AGENT_KEYS: readonly (keyof AgentOptions)[] = ['url', 'token', 'tls', 'client'];
const DEFAULT_URL = 'http://127.0.0.1:8500';

/** Reads the four of {@link AGENT_KEYS} out of options whose keys are already checked. */
export function readAgentOptions(given: Record<string, unknown>): AgentSettings {
  const { url, tls, client } = given;
  const token = readToken(given['token']);
  if (client !== undefined) {
    for (const [option, value] of Object.entries({ url, tls })) {
      if (value !== undefined) {
        throw refusedBeside(option, 'a client is');
      }
    }
    const own = readClient(client);
    return { source: { client: own }, token, secrets: [...secretsOf(token), ...ownSecrets(own)] };
  }
  return urlSettings('url', url ?? DEFAULT_URL, tls, token);
}

/** The settings of one agent among several. @param option how errors name its URL. */
export function urlSettings(
  option: string,
  text: unknown,
  tls: unknown,
  token: TokenSource | undefined,
): AgentSettings {
  const url = readUrl(option, text);
  const read = readTls(tls, url.protocol);
  const phrase = read?.passphrase === undefined ? [] : [read.passphrase];
  return {
    source: { url, tls: read },
    token,
    secrets: [...secretsOf(token), ...passwordsOf(url), ...phrase],
  };
}

function readClient(client: unknown): ConsulLike {
  if (isObject(client) && isObject(client['health']) && isPapiClient(client)) {
    return client as unknown as ConsulLike;
  }
  throw new InvalidOptionError('client', 'a client of the npm package "consul"', client);
}

/** The value is not told: it may hold a secret, and does not matter. */
export function refusedBeside(option: string, other: string): InvalidOptionError {
  const expected = `absent where ${other} given`;
  return new InvalidOptionError(option, expected, 'one', `Option "${option}" must be ${expected}.`);
}

/** A client may hold a token of its own. */
function ownSecrets(client: ConsulLike): readonly string[] {
  const token = isPapiClient(client) ? client._defaults?.['token'] : undefined;
  return typeof token === 'string' ? [token] : [];
}

function readUrl(option: string, text: unknown): URL {
  if (typeof text === 'string' && URL.canParse(text)) {
    const url = new URL(text);
    const bare = url.search === '' && url.hash === '' && isDecodable(url.username + url.password);
    if (bare && /^https?:$/.test(url.protocol)) return url;
  }
  const shown = typeof text === 'string' ? withoutSecrets(text) : text;
  throw new InvalidOptionError(option, 'an http or https URL without query or fragment', shown);
}

/** What was meant as a URL may hold a password, or a token in its query; wrong as it is, anywhere. */
function withoutSecrets(text: string): string {
  if (URL.canParse(text)) {
    const { protocol, host, pathname, search, hash, username } = new URL(text);
    if (host !== '') {
      const credentials = username === '' ? '' : '***@';
      return `${protocol}//${credentials}${host}${pathname}${search === '' ? '' : '?***'}${hash === '' ? '' : '#***'}`;
    }
  }
  return /^[\w. :/-]*$/.test(text) ? text : 'a text that is not shown';
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

export function readToken(token: unknown): TokenSource | undefined {
  if (token === undefined || typeof token === 'function') return token as TokenSource | undefined;
  if (isSendable(token)) return token.trim();
  if (isObject(token)) {
    const { file } = checkKeys('token', token, ['file']);
    return { file: checkString('token.file', file) };
  }
  // Whatever was given may be a secret.
  const shown = typeof token === 'string' ? 'another string' : `of type ${typeof token}`;
  const expected = 'a string of visible ASCII, a function that gives one, or { file }';
  throw new InvalidOptionError('token', expected, shown);
}

/** Whether a header can carry it. White space around it is not part of it. */
export function isSendable(token: unknown): token is string {
  return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token.trim());
}

function secretsOf(token: TokenSource | undefined): readonly string[] {
  return typeof token === 'string' ? [token] : [];
}

const TLS_KEYS = ['ca', 'cert', 'key', 'passphrase', 'servername', 'rejectUnauthorized'];

function readTls(tls: unknown, protocol: string): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  // A PEM text in the wrong place may be a key.
  if (typeof tls === 'string') throw new InvalidOptionError('tls', 'an object', 'a string');
  const given = checkKeys('tls', tls, TLS_KEYS);
  if (protocol !== 'https:') throw refusedBeside('tls', 'an http URL is');
  for (const name of ['ca', 'cert', 'key']) checkPem(`tls.${name}`, given[name]);
  if ((given['cert'] === undefined) !== (given['key'] === undefined)) {
    throw new InvalidOptionError('tls', 'given both "cert" and "key", or neither', 'one of them');
  }
  // A wrong passphrase must not be shown either.
  const { passphrase, servername, rejectUnauthorized } = given;
  if (passphrase !== undefined && typeof passphrase !== 'string') {
    throw new InvalidOptionError('tls.passphrase', 'a string', `of type ${typeof passphrase}`);
  }
  if (servername !== undefined) checkString('tls.servername', servername);
  if (rejectUnauthorized !== undefined) checkBoolean('tls.rejectUnauthorized', rejectUnauthorized);
  return tls as TlsOptions;
}

function checkPem(option: string, pem: unknown): void {
  if (pem === undefined || Buffer.isBuffer(pem)) return;
  if (typeof pem === 'string' && pem.includes('-----BEGIN ')) return;
  if (isObject(pem)) {
    const { file } = checkKeys(option, pem, ['file']);
    checkString(`${option}.file`, file);
    return;
  }
  // A key is a secret.
  const shown = typeof pem === 'string' ? 'a string that is none' : `of type ${typeof pem}`;
  throw new InvalidOptionError(option, 'PEM text, a Buffer with it, or { file }', shown);
}
