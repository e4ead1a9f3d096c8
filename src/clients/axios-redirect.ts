/** What axios needs to know of redirects: follow-redirects follows them unseen, below the adapter. */
import type { AxiosHeaders } from 'axios';
import { classify } from '../resilience/classify.js';
import type { Classify, Instance } from '../types.js';

/** What the instance answered before the attempt ended: it followed a redirect, perhaps to another host. */
export interface Redirect {
  followed: boolean;
  left: boolean;
}

/** A request that was redirected was received, whatever became of the next one. */
export function afterRedirect(redirect: Redirect): Classify {
  return (settled, instance) => {
    if (!redirect.followed) return undefined;
    const verdict = classify(settled, instance);
    if (verdict.outcome === 'success') return verdict;
    if (redirect.left) return { outcome: 'ignored', retry: 'never' };
    return verdict.retry === 'always' ? { ...verdict, retry: 'if-idempotent' } : verdict;
  };
}

/** What follow-redirects hands to `beforeRedirect`, as far as it matters here. */
export interface RedirectOptions {
  protocol?: string;
  hostname?: string;
  port?: string | number;
  headers?: Record<string, unknown>;
}

/**
 * A redirect to the service itself stays on the instance: its name is no address. It keeps what is dropped on the
 * way to another host, for it is none.
 */
export function stayOnInstance(
  options: RedirectOptions,
  logical: URL,
  instance: Instance,
  { protocol, headers }: { readonly protocol: string; readonly headers: AxiosHeaders },
): void {
  options.protocol = protocol;
  options.hostname = instance.host;
  options.port = instance.port;
  const kept: Record<string, unknown> = { ...options.headers };
  for (const name of ['Authorization', 'Cookie']) {
    if (headers.has(name)) kept[name] = headers.get(name);
  }
  if (protocol === 'https:') kept['host'] = logical.host;
  options.headers = kept;
}
