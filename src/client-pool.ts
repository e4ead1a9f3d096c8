import { abortable, type WaitOptions } from './abortable.js';
import { type Client, createClient } from './client.js';
import type { ClientSnapshot } from './client-snapshot.js';
import type { DiscoveryStatus } from './discovery-status.js';
import { FairleadError, InvalidOptionError } from './errors.js';
import {
  checkPoolOptions,
  type ClientOptions,
  type ClientPoolOptions,
  resolveOptions,
} from './options.js';
import { resolvePolicy } from './policies/by-name.js';
import type { DiscoveryAdapter } from './types.js';

/** The clients of many services, each made when first asked for. */
export interface ClientPool {
  /**
   * The client of a service.
   *
   * @throws {FairleadError} `ERR_FAIRLEAD_SERVICE_NOT_FOUND` for a service that is not listed in `services` while
   * the pool has no `discovery`; `ERR_FAIRLEAD_CLOSED` after `close()`.
   */
  client(service: string): Client;
  /**
   * The client that a URL's host names, or `undefined` when the host is no service of this pool: a host is a
   * service when `services` lists it, with any port, or, where the pool has a `discovery`, when it is a bare
   * name without port or dot and not `localhost`.
   */
  find(host: string): Client | undefined;
  /** The live tables of the clients made so far. Plain JSON. */
  snapshot(): readonly ClientSnapshot[];
  /** What is known of the sources of the clients made so far. Plain JSON. */
  discoveryStatus(): readonly DiscoveryStatus[];
  /** Closes every client. May be called twice. With a `signal` as for {@link Client.close}. */
  close(options?: WaitOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws {InvalidOptionError} naming the first option out of range. */
export function createClientPool(options: ClientPoolOptions): ClientPool {
  return new ServiceClientPool(options);
}

class ServiceClientPool implements ClientPool {
  readonly #clients = new Map<string, Client>();
  /** Listed service names by their lower case, as URLs write hosts. */
  readonly #listed: ReadonlyMap<string, string>;
  #closing: Promise<void> | undefined;

  constructor(private readonly options: ClientPoolOptions) {
    checkPoolOptions(options);
    const names = Object.keys(options.services ?? {});
    const { discovery = NOWHERE, defaults } = options;
    checkClientOptions('defaults', { ...defaults, service: '*', discovery });
    for (const name of names) checkClientOptions(`services.${name}`, this.#optionsOf(name));
    this.#listed = new Map(names.map((name) => [name.toLowerCase(), name]));
  }

  client(service: string): Client {
    if (this.#closing !== undefined) {
      throw new FairleadError('ERR_FAIRLEAD_CLOSED', 'The client pool is closed.');
    }
    let client = this.#clients.get(service);
    if (client === undefined) {
      client = createClient(this.#optionsOf(service));
      this.#clients.set(service, client);
    }
    return client;
  }

  find(host: string): Client | undefined {
    const [name = '', port] = host.toLowerCase().split(':', 2);
    const listed = this.#listed.get(name);
    if (listed !== undefined) return this.client(listed);
    const bare = port === undefined && name !== 'localhost' && /^[^.[\]]+$/.test(name);
    return bare && this.options.discovery !== undefined ? this.client(name) : undefined;
  }

  snapshot(): readonly ClientSnapshot[] {
    return [...this.#clients.values()].map((client) => client.snapshot());
  }

  discoveryStatus(): readonly DiscoveryStatus[] {
    return [...this.#clients.values()].map((client) => client.discoveryStatus());
  }

  close({ signal }: WaitOptions = {}): Promise<void> {
    this.#closing ??= Promise.all([...this.#clients.values()].map((client) => client.close())).then(
      () => undefined,
    );
    return abortable(this.#closing, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #optionsOf(service: string): ClientOptions {
    const { defaults, services = {} } = this.options;
    const own = Object.hasOwn(services, service) ? services[service] : undefined;
    const discovery = own?.discovery ?? this.options.discovery;
    if (discovery === undefined) {
      throw new FairleadError(
        'ERR_FAIRLEAD_SERVICE_NOT_FOUND',
        `Service "${service}" is not listed in the pool's services, and the pool has no discovery of its own.`,
      );
    }
    return { ...defaults, ...given(own), service, discovery };
  }
}

/** Stands in where only a service's options are to be checked. */
const NOWHERE: DiscoveryAdapter = {
  name: 'nowhere',
  watch: () => {
    throw new FairleadError('ERR_FAIRLEAD_DISCOVERY', 'The pool has no discovery.');
  },
};

/** Names an option that is wrong by its place in the pool's options. */
function checkClientOptions(path: string, options: ClientOptions): void {
  try {
    resolvePolicy(resolveOptions(options).policy);
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error;
    const option = `${path}.${error.option}`;
    const message = error.message.replace(`"${error.option}"`, `"${option}"`);
    throw new InvalidOptionError(option, error.expected, error.value, message);
  }
}

/** Without the options that are there but undefined: those must not hide a default of the pool. */
function given<T extends object>(options: T | undefined): Partial<T> {
  const entries = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}
