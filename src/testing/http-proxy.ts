import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { realEnv } from '../env.js';
import { FairleadError, InvalidOptionError } from '../errors.js';
import type { Clock } from '../types.js';
import { checkFunction, checkKeys, checkNumber, checkString } from '../validate.js';
import { exchange } from './http-proxy/exchange.js';
import { checkFaults, type HttpFaults } from './http-proxy/faults.js';

export type { HttpFaults, HttpReply, RewrittenReply } from './http-proxy/faults.js';

export interface HttpProxyOptions {
  /** The server behind it: `'http://127.0.0.1:8500'`. */
  readonly target: string;
  /** Address to listen on. Default `'127.0.0.1'`. */
  readonly host?: string | undefined;
  /** Port to listen on, 0 to 65535. Default 0: a free one. */
  readonly port?: number | undefined;
  /** Times delays, and says when requests came. Default: the real one. */
  readonly clock?: Clock | undefined;
}

/** What a request is told apart by. */
export interface HttpRequestHead {
  readonly method: string;
  /** With the query: `'/v1/health/service/orders?index=7'`. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface HttpFaultScope {
  /** True for a request that the faults concern. Default: all are. */
  readonly match?: ((request: HttpRequestHead) => boolean) | undefined;
}

/** A request that came. */
export interface ProxiedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** What the client was answered; absent until it is. */
  readonly status?: number;
  /** When it came, by the proxy's clock. */
  readonly atMs: number;
}

/** An HTTP server that can be made to answer wrongly. */
export interface HttpProxy extends AsyncDisposable {
  /** `'http://127.0.0.1:<port>'` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /**
   * Puts these faults in the place of all those before; `{}`, or nothing, takes them away. A request that is under way
   * meets them when its reply comes.
   *
   * @throws {InvalidOptionError} naming the fault out of range; {@link FairleadError} when the proxy is closed.
   */
  set(faults?: HttpFaults, scope?: HttpFaultScope): void;
  /** The last 10,000 requests that came, oldest first; grows as they come. */
  readonly requests: readonly ProxiedRequest[];
  /** Requests that came so far, those no longer kept included. */
  readonly requestCount: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections of clients that are open now. */
  readonly open: number;
  /**
   * Stops listening and cuts every connection; leaves no socket and no timer. May be called twice. Rejects, once all is
   * closed, with the first thing that a `match` or a `rewrite` threw.
   */
  close(): Promise<void>;
}

/**
 * Stands before an HTTP server and spoils its replies on purpose: for tests of what becomes of a client when the server
 * answers with errors, nonsense or half of it. For faults of the network below, see `tcpProxy`; one may stand
 * before the other.
 *
 * A request is passed on as it comes, on a connection of its own; it is given up at the target when its client goes. A
 * target that cannot be reached, or is gone amid its reply, shows as a connection that is reset.
 *
 * @throws {InvalidOptionError} naming the option out of range.
 * @example
 * const proxy = await httpProxy({ target: 'http://127.0.0.1:8500' });
 * proxy.set({ status: 429, headers: { 'retry-after': '2' } }, { match: ({ path }) => path.startsWith('/v1/health/') });
 */
export async function httpProxy(options: HttpProxyOptions): Promise<HttpProxy> {
  const proxy = new FaultProxy(options);
  await proxy.listen();
  return proxy;
}

const MOST_KEPT = 10_000;

class FaultProxy implements HttpProxy {
  readonly host: string;
  port: number;
  connections = 0;
  requestCount = 0;
  readonly requests: ProxiedRequest[] = [];
  readonly #target: { readonly host: string; readonly port: number };
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  /** Exchanges under way. */
  readonly #underWay = new Set<Promise<void>>();
  #faults: HttpFaults = {};
  #scope: HttpFaultScope = {};
  #thrown: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: HttpProxyOptions) {
    checkKeys('httpProxy', options, ['target', 'host', 'port', 'clock']);
    const { target, host = '127.0.0.1', port = 0, clock = realEnv().clock } = options;
    this.#target = readTarget(target);
    this.host = checkString('httpProxy.host', host);
    this.port = checkNumber('httpProxy.port', port, { min: 0, max: 65_535, integer: true });
    this.#clock = clock;
    // No limits of its own: idle connections and slow requests are the target's affair.
    const limits = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 };
    this.#server = createServer({ ...limits, noDelay: true }, this.#onRequest);
    this.#server.on('connection', this.#onConnection);
  }

  get url(): string {
    const host = this.host.includes(':') ? `[${this.host}]` : this.host;
    return `http://${host}:${String(this.port)}`;
  }

  get open(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.port, this.host);
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  set(faults: HttpFaults = {}, scope: HttpFaultScope = {}): void {
    checkFaults(faults);
    checkKeys('scope', scope, ['match']);
    if (scope.match !== undefined) checkFunction('scope.match', scope.match);
    if (this.#closing !== undefined) {
      throw new FairleadError('ERR_FAIRLEAD_CLOSED', 'The proxy is closed.');
    }
    this.#faults = faults;
    this.#scope = scope;
    for (const wake of this.#waiting) wake();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const closed = [this.#server, ...this.#sockets].map((one) => once(one, 'close'));
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...closed, ...this.#underWay]);
    if (this.#thrown !== undefined) throw this.#thrown.error;
  }

  readonly #onConnection = (socket: Socket): void => {
    this.connections++;
    this.#sockets.add(socket);
    socket.on('error', () => undefined); // 'close' follows, and tells enough
    socket.once('close', () => this.#sockets.delete(socket));
  };

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url: path = '', headers } = request;
    const kept: { -readonly [K in keyof ProxiedRequest]: ProxiedRequest[K] } = {
      method,
      path,
      atMs: this.#clock.now(),
    };
    this.requestCount++;
    this.requests.push(kept);
    if (this.requests.length > MOST_KEPT) this.requests.shift();
    const over = exchange(request, response, {
      target: this.#target,
      clock: this.#clock,
      faultsNow: () =>
        (this.#scope.match?.({ method, path, headers }) ?? true) ? this.#faults : {},
      changed: this.#changed,
      answering: (status) => {
        kept.status = status;
      },
      threw: (error) => {
        this.#thrown ??= { error };
      },
    });
    this.#underWay.add(over);
    void over.finally(() => this.#underWay.delete(over));
  };

  readonly #changed = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(end);
        signal.removeEventListener('abort', end);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      this.#waiting.add(end);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
}

function readTarget(target: unknown): { readonly host: string; readonly port: number } {
  const url = typeof target === 'string' && URL.canParse(target) ? new URL(target) : undefined;
  const isPlain = url?.protocol === 'http:' && url.pathname === '/' && url.search === '';
  if (!isPlain || url.username !== '' || url.password !== '') {
    const shown = url === undefined || url.password === '' ? target : '(not shown)';
    throw new InvalidOptionError('httpProxy.target', 'an http:// URL of host and port', shown);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(url.port || 80) };
}
