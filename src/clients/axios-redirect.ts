/** What axios needs to know of redirects: follow-redirects follows them unseen, below the adapter. */
import type { AxiosHeaders } from 'axios';
import type { Instance } from '../types.js';

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

/** A redirect to another host takes along no header `name`. */
export function leaveBehind(options: RedirectOptions, name: string): void {
  const kept = Object.entries(options.headers ?? {}).filter(
    ([other]) => other.toLowerCase() !== name.toLowerCase(),
  );
  options.headers = Object.fromEntries(kept);
}
