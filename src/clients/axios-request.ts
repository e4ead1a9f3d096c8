/** What is read of a request config of axios, as adapters get it. */
import type { HashRequest } from './hash-key.js';
import { IDEMPOTENT_METHODS } from './route.js';

export interface RequestConfig {
  readonly method?: string;
  readonly baseURL?: string;
  readonly url?: string;
  readonly allowAbsoluteUrls?: boolean;
  readonly headers: { get(name: string): unknown; has(name: string): boolean };
}

/** A URL that a request asks for. Only its origin has been read: axios reads the whole of it when it sends. */
export interface AskedUrl {
  /** Of the service, with user and password where the URL has them. */
  readonly origin: URL;
  readonly href: string;
}

/**
 * By axios's own rule for joining `baseURL` and `url`; `undefined` for what axios itself must judge, and for what goes
 * over no network.
 */
export function readUrl({
  baseURL,
  url = '',
  allowAbsoluteUrls,
}: RequestConfig): AskedUrl | undefined {
  if (MALFORMED.test(url)) return undefined;
  const isJoined =
    baseURL !== undefined &&
    baseURL !== '' &&
    (allowAbsoluteUrls === false || !/^([a-z][a-z\d+\-.]*:)?\/\//i.test(url));
  if (!isJoined) return asked(url);
  return asked(url === '' ? baseURL : `${baseURL.replace(/\/+$/, '')}/${url.replace(/^\/+/, '')}`);
}

/** axios refuses it; its older versions do not. */
const MALFORMED = /^\s*https?:(?!\/\/)/i;

/** An origin that is written as a URL has it. */
const PLAIN_ORIGIN = /^https?:\/\/[a-z0-9.-]+(:\d+)?$/;

/** So many origins are kept. More are no services but data. */
const MOST_ORIGINS = 1_000;

/** By their text. To read a URL takes longer than all else that is done for a request before it is sent. */
const origins = new Map<string, URL>();

function asked(full: string): AskedUrl | undefined {
  const end = full.indexOf('/', 'https://'.length);
  const text = end === -1 ? full : full.slice(0, end);
  const known = origins.get(text);
  if (known !== undefined) return { origin: known, href: full };
  if (!/^\s*https?:\/\//i.test(full)) return undefined;
  try {
    const url = new URL(full); // `canParse` would parse it twice
    if (PLAIN_ORIGIN.test(text)) {
      if (origins.size >= MOST_ORIGINS) origins.clear();
      origins.set(text, new URL(text));
    }
    return { origin: url, href: url.href };
  } catch {
    return undefined;
  }
}

/** With `https` where that is what is sent; else as it is. */
export function hrefOf({ origin, href }: AskedUrl, isSecure: boolean): string {
  return isSecure && origin.protocol === 'http:' ? `https${href.slice('http'.length)}` : href;
}

/** What axios makes its Authorization header of. */
export function authOf(
  { auth }: { readonly auth?: { readonly username: string; readonly password: string } },
  { username, password }: URL,
): string | undefined {
  if (auth !== undefined) return `${auth.username}:${auth.password}`;
  if (username === '' && password === '') return undefined;
  return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
}

export function isIdempotent({ method = 'get', headers }: RequestConfig): boolean {
  return IDEMPOTENT_METHODS.has(method.toUpperCase()) || headers.has('Idempotency-Key');
}

/**
 * A body that is read while it is sent is used up by the first attempt, a `form-data` too. A `FormData`, a `Blob`, bytes
 * and text are there each time. `data` has been through transformRequest.
 */
export function isReplayable(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return true;
  const isStream = 'pipe' in data || 'getReader' in data;
  return !isStream;
}

export function hashRequest(url: URL, { method = 'get', headers }: RequestConfig): HashRequest {
  return {
    method: method.toUpperCase(),
    url,
    header: (name) => {
      const value = headers.get(name);
      if (Array.isArray(value)) return value.join(name.toLowerCase() === 'cookie' ? '; ' : ', ');
      return typeof value === 'string' ? value : undefined; // `null` and `false` are not sent
    },
  };
}
