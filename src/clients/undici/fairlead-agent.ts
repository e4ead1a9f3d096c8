import { Agent, Client, Dispatcher, errors } from 'undici';
import type { Pool } from 'undici';
import type { ClientView } from '../../client-view.js';
import { isObject } from '../../validate.js';
import { InvalidOptionError } from '../../errors.js';
import { serviceDispatch } from '../dispatch/dispatcher.js';
import { listenerOf } from '../dispatch/listener.js';
import type { Dispatch, Sender } from '../dispatch/types.js';
import type { Target } from '../target.js';
import { resolveWrapping, type WrapOptions } from '../wrap-options.js';
import { InstancePools } from './instance-pools.js';
import type { FairleadPoolOptions } from './pool-options.js';
import { takesOlderHandlers } from './older-handlers.js';

/** Options of {@link FairleadAgent}. */
export interface FairleadAgentOptions extends WrapOptions {
  /** Of undici's `Pool`: each instance has one of its own, and so has each host that is no service. Default: undici's. */
  readonly pool?: FairleadPoolOptions | undefined;
}

const EVENTS = ['connect', 'disconnect', 'connectionError', 'drain'] as const;

/**
 * An undici dispatcher whose URLs name services, with connections of its own: a `Pool` for each instance, made with its
 * first request and closed when the instance has drained. Hosts that are no services go through an `Agent` of the same
 * options.
 *
 * For `request`, `stream`, `pipeline`, `upgrade`, `connect` and `WebSocket` of undici, for its `fetch` and Node's, as
 * `dispatcher` or by `setGlobalDispatcher`. Interceptors go around it: `agent.compose(interceptors.redirect())`.
 *
 * Close it when done, before or after the client: it does not close the client, nor the client it.
 */
export class FairleadAgent extends Dispatcher {
  readonly #options: FairleadPoolOptions;
  readonly #foreign: Agent;
  /** By what all views of a client share. */
  readonly #services = new Map<object, Sender & { readonly pools: InstancePools }>();
  readonly #style: 'newer' | undefined;
  readonly #dispatch: Dispatch;
  #closing: Promise<void> | undefined;
  #destroying: Promise<void> | undefined;

  /**
   * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range;
   * undici's own error for what its pools do not take.
   */
  constructor(target: Target, options: FairleadAgentOptions = {}) {
    super();
    const wrapping = resolveWrapping('FairleadAgent', target, options, ['pool']);
    const { pool = {} } = options;
    if (!isObject(pool)) throw new InvalidOptionError('FairleadAgent.pool', 'an object', pool);
    this.#options = { ...pool };
    this.#foreign = new Agent(pool);
    this.#relay(this.#foreign);
    this.#style = takesOlderHandlers(Client) ? undefined : 'newer';
    const foreign = this.#foreign as unknown as { dispatch: Dispatch };
    this.#dispatch = serviceDispatch(
      wrapping,
      (request, handler) => foreign.dispatch(request, handler),
      (client) => this.#senderFor(client),
    );
  }

  /** True once {@link close} or {@link destroy} has been called. */
  get closed(): boolean {
    return this.#closing !== undefined || this.#destroying !== undefined;
  }

  /** True once {@link destroy} has been called, or all is over after {@link close}. */
  get destroyed(): boolean {
    return this.#destroying !== undefined;
  }

  /** What an undici `WebSocket` asks its dispatcher for. */
  get webSocketOptions(): unknown {
    return (this.#foreign as { readonly webSocketOptions?: unknown }).webSocketOptions;
  }

  /** What an undici `EventSource` asks its dispatcher for. */
  get eventSourceOptions(): unknown {
    return (this.#foreign as { readonly eventSourceOptions?: unknown }).eventSourceOptions;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    if (this.closed) {
      const error = this.destroyed
        ? new errors.ClientDestroyedError()
        : new errors.ClientClosedError();
      const listener = listenerOf(handler);
      if (listener === undefined) throw error;
      listener.error(error);
      return false;
    }
    return this.#dispatch(options, handler);
  }

  /** Takes no more requests, and resolves when those under way have ended and all connections are closed. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: Callback): Promise<void> | undefined {
    this.#closing ??= this.#closeAll();
    return answer(this.#closing, callback);
  }

  /** Ends what is under way, and closes all connections. */
  override destroy(error?: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(
    error?: Error | null | Callback,
    callback?: Callback,
  ): Promise<void> | undefined {
    const [because, done] = typeof error === 'function' ? [null, error] : [error, callback];
    this.#destroying ??= this.#destroyAll(because ?? new errors.ClientDestroyedError());
    return answer(this.#destroying, done);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #senderFor(client: ClientView): Sender {
    const key = client.origin ?? client;
    let sender = this.#services.get(key);
    if (sender === undefined) {
      const pools = new InstancePools(client, this.#options, (pool) => {
        this.#relay(pool);
      });
      const { connect } = this.#options as { readonly connect?: { readonly servername?: string } };
      const servername = connect?.servername;
      const style = this.#style;
      sender = {
        pools,
        dispatch: pools.dispatch,
        style,
        takesThrow: true,
        servername,
        endedWith: () => pools.destroyedWith,
      };
      this.#services.set(key, sender);
    }
    return sender;
  }

  async #closeAll(): Promise<void> {
    const pools = [...this.#services.values()].map((service) => service.pools);
    await Promise.all([this.#foreign.close(), ...pools.map((each) => each.close())]);
    this.#destroying ??= Promise.resolve();
  }

  async #destroyAll(error: Error): Promise<void> {
    const pools = [...this.#services.values()].map((service) => service.pools);
    await Promise.all([this.#foreign.destroy(error), ...pools.map((each) => each.destroy(error))]);
  }

  /** Tells of connections as an undici `Agent` does. */
  #relay(dispatcher: Pool | Agent): void {
    for (const event of EVENTS) {
      dispatcher.on(event as 'disconnect', (origin, targets, error) => {
        this.emit(event as 'disconnect', origin, [this, ...targets], error);
      });
    }
  }
}

/** undici's declarations leave out what it is called with. */
type Callback = (error: unknown, data: null) => void;

/** undici answers with a promise, or by a callback. */
function answer(over: Promise<void>, callback?: Callback): Promise<void> | undefined {
  if (callback === undefined) return over;
  const tell = (error: unknown): void => {
    queueMicrotask(() => {
      callback(error, null);
    });
  };
  over.then(() => {
    tell(null);
  }, tell);
  return undefined;
}
