/** Removes what must not be shown from texts that others wrote: agents, proxies, the npm client. */
export interface Secrets {
  /** Remembers a token; the oldest of several is forgotten. */
  readonly add: (token: string) => void;
  readonly scrub: (text: string) => string;
}

// A rotated token may still turn up in the answer to a request that carried it.
const REMEMBERED = 4;

/** @param fixed secrets that never change, such as a password in the URL. */
export function createSecrets(fixed: readonly string[]): Secrets {
  const tokens = new Set<string>();
  return {
    add(token) {
      tokens.add(token);
      const [oldest] = tokens;
      if (tokens.size > REMEMBERED && oldest !== undefined) tokens.delete(oldest);
    },
    scrub: (text) =>
      [...fixed, ...tokens]
        .filter((secret) => secret !== '')
        .reduce((clean, secret) => clean.replaceAll(secret, '***'), text),
  };
}
