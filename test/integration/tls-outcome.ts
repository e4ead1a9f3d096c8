/** How a call over TLS ended, in a form that can be compared. */
import type { Seen } from './tls-servers.js';

interface Link {
  readonly name: string;
  readonly code: unknown;
  /** The name that the certificate was found not to be for. */
  readonly refusedName: unknown;
}

/** Either what the server saw, or the errors: first the one thrown, then its causes. */
export type Outcome =
  | { readonly accepted: true; readonly seen: Seen }
  | { readonly accepted: false; readonly errors: readonly Link[] };

export async function outcomeOf(call: Promise<Seen>): Promise<Outcome> {
  try {
    return { accepted: true, seen: await call };
  } catch (error) {
    const errors: Link[] = [];
    for (let link = error; link instanceof Error; link = link.cause) {
      const { code, host } = link as Error & { readonly code?: unknown; readonly host?: unknown };
      const refusedName = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? host : undefined;
      errors.push({ name: link.name, code, refusedName });
    }
    return { accepted: false, errors };
  }
}
