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

/**
 * By axios's own rule for joining `baseURL` and `url`; `undefined` for what axios itself must judge, and for what goes
 * over no network.
 */
export function readUrl({ baseURL, url = '', allowAbsoluteUrls }: RequestConfig): URL | undefined {
  if (MALFORMED.test(url)) return undefined;
  const isAbsolute = /^([a-z][a-z\d+\-.]*:)?\/\//i.test(url);
  const full =
    baseURL !== undefined && baseURL !== '' && (!isAbsolute || allowAbsoluteUrls === false)
      ? url === ''
        ? baseURL
        : `${baseURL.replace(/\/+$/, '')}/${url.replace(/^\/+/, '')}`
      : url;
  if (!/^\s*https?:\/\//i.test(full)) return undefined;
  try {
    return new URL(full); // `canParse` would parse it twice
  } catch {
    return undefined;
  }
}

/** axios refuses it; its older versions do not. */
const MALFORMED = /^\s*https?:(?!\/\/)/i;

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
