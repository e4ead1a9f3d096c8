import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { realEnv } from '../env.js';
import { FairleadError, InvalidOptionError } from '../errors.js';
import type { Clock, Env, Rng } from '../types.js';
import { checkKeys, checkNumber, checkString } from '../validate.js';
import { checkFaults, type TcpFaults } from './tcp-proxy/faults.js';
import { cutOff, type Direction, isAtOnce, Link } from './tcp-proxy/link.js';

export type { CutOptions, TcpFaults } from './tcp-proxy/faults.js';

export interface TcpProxyOptions {
  /** The target. Default `'127.0.0.1'`. */
  readonly host?: string | undefined;
  /** Its TCP port, 1 to 65535. */
  readonly port: number;
  /** Times latency and bandwidth. Default: the real one. */
  readonly clock?: Clock | undefined;
  /** Draws jitter. Default: the real one. */
  readonly rng?: Rng | undefined;
}

/** A link to a server that can be made to fail. */
export interface TcpProxy extends AsyncDisposable {
  /** Where it listens: `'127.0.0.1'`. */
  readonly host: string;
  /** A free port that it keeps, also while it refuses. */
  readonly port: number;
  /**
   * Puts these faults in the place of all those before; `{}` takes them away.
   *
   * @param to which connections: those open now, those to come, or both. Default `'all'`. `refuse` is for those to come.
   * @returns once it holds: at once, but for the time it takes to listen again.
   * @throws {InvalidOptionError} naming the fault out of range; {@link FairleadError} when the proxy is closed.
   */
  set(faults: TcpFaults, to?: 'all' | 'open' | 'new'): Promise<void>;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open now, at least to one side. */
  readonly open: number;
  /** Bytes passed on to the target so far. */
  readonly requestBytes: number;
  /** Bytes passed on to clients so far. */
  readonly replyBytes: number;
  /** Stops listening and cuts every connection; leaves no socket and no timer. May be called twice. */
  close(): Promise<void>;
}

/**
 * Listens on a free loopback port and passes on what comes to `host:port` and back, as a network would: for tests of what
 * becomes of clients when that network is slow, loses answers or goes away. Knows nothing of the protocol, so TLS and
 * HTTP pass alike; each side may end its half of a connection on its own, and a receiver that is slow holds back the
 * sender. A target that cannot be connected to shows as a connection that is reset.
 *
 * @throws {InvalidOptionError} naming the option out of range.
 */
export async function tcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = new LoopbackProxy(options);
  await proxy.set({});
  return proxy;
}

const LOOPBACK = '127.0.0.1';

class LoopbackProxy implements TcpProxy {
  readonly host = LOOPBACK;
  port = 0;
  connections = 0;
  requestBytes = 0;
  replyBytes = 0;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #env: Env;
  readonly #links = new Set<Link>();
  readonly #sockets = new Set<Socket>();
  /** Faults of connections to come. */
  #faults: TcpFaults = {};
  #server: Server | undefined;
  /** To listen and to stop take turns. */
  #turn: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: TcpProxyOptions) {
    checkKeys('tcpProxy', options, ['host', 'port', 'clock', 'rng']);
    const { host = LOOPBACK, port } = options;
    checkString('tcpProxy.host', host);
    checkNumber('tcpProxy.port', port, { min: 1, max: 65_535, integer: true });
    this.#target = { host, port };
    const { clock, rng } = realEnv();
    this.#env = { clock: options.clock ?? clock, rng: options.rng ?? rng };
  }

  get open(): number {
    return this.#links.size;
  }

  async set(faults: TcpFaults, to: 'all' | 'open' | 'new' = 'all'): Promise<void> {
    checkFaults(faults);
    const scope: string = to;
    if (!['all', 'open', 'new'].includes(scope)) {
      throw new InvalidOptionError('to', 'one of all, open, new', to);
    }
    if (this.#closing !== undefined) {
      throw new FairleadError('ERR_FAIRLEAD_CLOSED', 'The proxy is closed.');
    }
    if (to !== 'new') for (const link of this.#links) link.apply(faults);
    if (to !== 'open') {
      this.#faults = faults;
      if (this.#isRefusing()) this.#stopListening();
    }
    this.#turn = this.#turn.catch(() => undefined).then(() => this.#listen());
    await this.#turn;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    const open = [...this.#sockets, ...(this.#server === undefined ? [] : [this.#server])];
    const closed = open.map((one) => once(one, 'close'));
    this.#stopListening();
    for (const link of this.#links) link.stop();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined || this.#isRefusing()) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, this.#onClient);
    server.listen(this.port, LOOPBACK);
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    if (this.#isRefusing()) this.#stopListening(); // said meanwhile
  }

  #isRefusing(): boolean {
    return this.#faults.refuse === true;
  }

  /** At once: connections that are open do not hold it up. */
  #stopListening(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  readonly #onClient = (client: Socket): void => {
    this.connections++;
    this.#keep(client);
    if (isAtOnce(this.#faults.cut)) {
      cutOff(client, this.#faults.cut);
      return;
    }
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    this.#keep(target);
    const link = new Link(client, target, this.#faults, this.#env, {
      passed: this.#count,
      over: () => this.#links.delete(link),
    });
    this.#links.add(link);
  };

  readonly #count = (direction: Direction, bytes: number): void => {
    if (direction === 'requests') this.requestBytes += bytes;
    else this.replyBytes += bytes;
  };

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined); // 'close' follows, and tells enough
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
