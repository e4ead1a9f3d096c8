/** Finds a Consul binary that runs here; with `fetch` downloads one when there is none. */
export function findConsul(options?: { readonly fetch?: boolean }): Promise<string>;

/** What `consul version` says of a binary, such as `1.8.7`. */
export function consulVersion(binary: string): Promise<string>;
