import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import { buildConnector, errors, Pool } from 'undici';
import type { ClientView } from '../../client-view.js';
import type { DispatchOptions, NewerHandler, OlderHandler } from '../dispatch/types.js';
import type { FairleadPoolOptions } from './pool-options.js';

/**
 * The undici pools of one client's instances, each made with the first request. That of an instance that has drained is
 * closed; should the instance come back, it is given another.
 */
export class InstancePools {
  /** By origin, and the name that TLS asks for: an undici connection has one name, and is closed for another. */
  readonly #pools = new Map<string, Pool>();
  /** Of instances that have drained, until they are closed. */
  readonly #leaving = new Set<Pool>();
  readonly #stopListening: () => void;
  /** What the caller has ended all with, which blames nobody. */
  destroyedWith: Error | undefined;
  /** What requests are told once it is closed: a retry may come after. */
  #refusal: Error | undefined;

  constructor(
    client: Pick<ClientView, 'on'>,
    private readonly options: FairleadPoolOptions,
    private readonly onPool: (pool: Pool) => void,
  ) {
    this.#stopListening = client.on('instance.drained', ({ url }) => {
      this.#drain(url);
    });
  }

  readonly dispatch = (options: DispatchOptions, handler: object): boolean => {
    const { origin, servername } = options as { origin: string; servername?: string };
    const key = servername === undefined ? origin : `${origin} ${servername}`;
    if (this.#refusal !== undefined) return refuse(handler, this.#refusal);
    const pool = this.#pools.get(key) ?? this.#open(key, origin, servername);
    return pool.dispatch(options as never, handler);
  };

  /** Makes no more pools, and resolves when what is under way has ended. */
  async close(): Promise<void> {
    await Promise.all(this.#stop(new errors.ClientClosedError()).map((pool) => pool.close()));
  }

  /** Ends what is under way. */
  async destroy(error: Error): Promise<void> {
    this.destroyedWith = error;
    await Promise.all(this.#stop(error).map((pool) => pool.destroy(error)));
  }

  #stop(refusal: Error): Pool[] {
    this.#refusal = refusal;
    this.#stopListening();
    return [...this.#pools.values(), ...this.#leaving];
  }

  #open(key: string, origin: string, servername: string | undefined): Pool {
    const pool = new Pool(origin, withName(this.options, servername));
    this.#pools.set(key, pool);
    this.onPool(pool);
    return pool;
  }

  /** Over TLS as well as in the clear. */
  #drain(url: string): void {
    const address = addressOf(url);
    for (const [key, pool] of this.#pools) {
      if (addressOf(key.split(' ', 1)[0] ?? '') !== address) continue;
      this.#pools.delete(key);
      this.#leaving.add(pool);
      void pool.close().then(() => this.#leaving.delete(pool));
    }
  }
}

function addressOf(origin: string): string {
  return origin.replace(/^[^:]*:/, '');
}

function refuse(handler: Partial<OlderHandler & NewerHandler>, error: Error): false {
  if (handler.onError !== undefined) handler.onError(error);
  else handler.onResponseError?.(undefined, error);
  return false;
}

/** An address is not asked for by name (RFC 6066, 3): the certificate is checked for it alone, as the user's own check does. */
function withName(options: FairleadPoolOptions, servername = ''): FairleadPoolOptions {
  const { connect, connectTimeout } = options;
  if (isIP(servername) === 0 || typeof connect === 'function') return options;
  const { checkServerIdentity: check = checkServerIdentity } = (connect ?? {}) as ConnectionOptions;
  const connector = buildConnector({
    ...(options as buildConnector.BuildOptions),
    ...(connectTimeout === undefined ? {} : { timeout: connectTimeout }),
    ...connect,
    checkServerIdentity: (_host, certificate) => check(servername, certificate),
  });
  return {
    ...options,
    connect: ({ hostname, protocol, port, localAddress }, callback) => {
      connector({ hostname, protocol, port, localAddress: localAddress ?? null }, callback);
    },
  };
}
