import type { HashRequest } from './hash-key.js';
import { IDEMPOTENT_METHODS } from './route.js';

/** What is read of a request config of axios, as adapters get it. */
export interface RequestConfig {
  readonly method?: string;
  readonly baseURL?: string;
  readonly url?: string;
  readonly allowAbsoluteUrls?: boolean;
  readonly headers: { get(name: string): unknown; has(name: string): boolean };
}

/** axios's own rule for joining `baseURL` and `url`; `undefined` for what axios itself must judge. */
export function readUrl({ baseURL, url = '', allowAbsoluteUrls }: RequestConfig): URL | undefined {
  const isAbsolute = /^([a-z][a-z\d+\-.]*:)?\/\//i.test(url);
  const full =
    baseURL !== undefined && baseURL !== '' && (!isAbsolute || allowAbsoluteUrls === false)
      ? url === ''
        ? baseURL
        : `${baseURL.replace(/\/?\/$/, '')}/${url.replace(/^\/+/, '')}`
      : url;
  return URL.canParse(full) ? new URL(full) : undefined;
}

export function isIdempotent({ method = 'get', headers }: RequestConfig): boolean {
  return IDEMPOTENT_METHODS.has(method.toUpperCase()) || headers.has('Idempotency-Key');
}

/** A body that is read while it is sent is used up by the first attempt. `data` has been through transformRequest. */
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
