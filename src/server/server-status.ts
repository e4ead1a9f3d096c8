import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { checkBoolean, checkFunction } from '../validate.js';
import type { Clock } from '../types.js';
import { type FastifyPlugin, fastifyPlugin } from './fastify-plugin.js';
import { Http2Sessions } from './http2-sessions.js';
import { LoadReporter } from './load-report.js';
import { type AnyRequest, type AnyResponse, isHttp2 } from './messages.js';
import { hasEnded, onEnded } from './on-ended.js';
import { type AddedHeader, onHeaders } from './on-headers.js';
import { OpenWork } from './open-work.js';
import { answerProbe, isPath } from './probe-answers.js';
import {
  type DrainOptions,
  resolveDrain,
  resolveStatus,
  type ServerStatusOptions,
  type ServerStatusSettings,
} from './status-options.js';

/** Takes calls; does not for now, or not yet; or never will again. */
export type ServerState = 'ready' | 'not-ready' | 'draining';

/** How a server stands; plain JSON. Averages are over `windowMs`, and absent while there is too little to tell of. */
export interface ServerSnapshot {
  readonly state: ServerState;
  /** Requests being served now. */
  readonly inFlight: number;
  /** Connections that `upgrade` handed over, and that are still open. */
  readonly upgraded: number;
  readonly requestsPerSecond?: number | undefined;
  /** Of those, answered with a status of 500 or above. */
  readonly errorsPerSecond?: number | undefined;
  /** Part of the capacity in use: 0 idle, 1 full, more is overload. */
  readonly utilization?: number | undefined;
}

export interface DrainResult {
  /** Requests and upgraded connections still open: 0, unless `timeoutMs` was not enough. */
  readonly open: number;
}

/** A listener for requests. A promise it returns is its own business, as in Node. */
export type Listener<Request, Response> = (request: Request, response: Response) => unknown;

/** Wraps a listener. Not generic at first, for an Express app has many types and means the plain ones here. */
export interface Handler {
  (
    listener: Listener<IncomingMessage, ServerResponse>,
  ): (request: IncomingMessage, response: ServerResponse) => void;
  <Request extends AnyRequest, Response extends AnyResponse>(
    listener: Listener<Request, Response>,
  ): (request: Request, response: Response) => void;
}

export type ConnectListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;

/** What a server says of itself. Its functions can be handed over without it. */
export interface ServerStatus {
  readonly state: ServerState;
  /**
   * For `http.createServer(status.handler(listener))`, where a listener may also be an Express app or `koa.callback()`;
   * for https, and for http2, where the parameters of the listener need their types.
   */
  readonly handler: Handler;
  /** For `app.use(status.express)`, before all else; for whatever takes such middleware. */
  readonly express: (request: AnyRequest, response: AnyResponse, next: () => void) => void;
  /** For `await app.register(status.fastify)`, before all else. It covers the whole server, versions 4 and 5. */
  readonly fastify: FastifyPlugin;
  /** For `server.on('upgrade', status.upgrade(listener))`, and `'connect'`: a drain waits for these connections, too. */
  readonly upgrade: (
    listener: ConnectListener,
  ) => (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Whether callers should come: at the end of a start, or around a pause. Without effect once it drains. */
  readonly setReady: (ready: boolean) => void;
  /**
   * From now on the readiness path says 503, while requests are still served; clients are told with their responses to
   * leave the connection. Resolves when no request is open and `minMs` have passed, or after `timeoutMs`: time for
   * `server.close()`, which this does not call. Cannot be taken back; may be called again, to wait again.
   *
   * @throws (rejects with) {InvalidOptionError} for an option out of range, and the reason of `signal`.
   */
  readonly drain: (options?: DrainOptions) => Promise<DrainResult>;
  readonly snapshot: () => ServerSnapshot;
}

/**
 * Makes the status of a server: it measures the load and reports it in a response header, from which clients with the
 * policy `'server-weighted'` take their weights; and it answers probes, so that callers leave before the server does.
 * Holds no timer and no signal handler, and needs no closing.
 *
 * @throws {InvalidOptionError} naming the option out of range.
 */
export function createServerStatus(options: ServerStatusOptions = {}): ServerStatus {
  return new Status(resolveStatus(options));
}

class Status implements ServerStatus {
  readonly #settings: ServerStatusSettings;
  readonly #clock: Clock;
  readonly #load: LoadReporter;
  readonly #open: OpenWork;
  readonly #sessions = new Http2Sessions();
  /** Marks responses taken note of, where the handler is used beside a middleware. */
  readonly #seen = Symbol('fairlead.status');
  #ready: boolean;
  #drainingSinceMs: number | undefined;

  constructor(settings: ServerStatusSettings) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#ready = settings.ready;
    this.#open = new OpenWork(settings.clock);
    this.#load = new LoadReporter(settings);
  }

  get state(): ServerState {
    if (this.#drainingSinceMs !== undefined) return 'draining';
    return this.#ready ? 'ready' : 'not-ready';
  }

  readonly handler: Handler = <Request extends AnyRequest, Response extends AnyResponse>(
    listener: Listener<Request, Response>,
  ) => {
    checkFunction('listener', listener);
    const takes = this.#takes;
    return function (this: unknown, request: Request, response: Response) {
      // What it returns goes back to Node, which can look after rejections (`captureRejections`).
      return takes(request, response) ? undefined : listener.call(this, request, response);
    };
  };

  readonly express: ServerStatus['express'] = (request, response, next) => {
    if (!this.#takes(request, response)) next();
  };

  readonly upgrade: ServerStatus['upgrade'] = (listener) => {
    checkFunction('listener', listener);
    const open = this.#open;
    return function (this: unknown, request, socket, head) {
      if (!socket.destroyed) {
        open.begin();
        socket.once('close', () => {
          open.end();
        });
      }
      return listener.call(this, request, socket, head);
    };
  };

  readonly setReady = (ready: boolean): void => {
    this.#ready = checkBoolean('ready', ready);
  };

  readonly drain: ServerStatus['drain'] = async (options = {}) => {
    const settings = resolveDrain(options);
    settings.signal?.throwIfAborted();
    this.#drainingSinceMs ??= this.#clock.now();
    this.#sessions.leave();
    await this.#open.idle(settings, this.#drainingSinceMs);
    this.#sessions.close();
    return { open: this.#open.count };
  };

  readonly snapshot = (): ServerSnapshot => {
    const { inFlight } = this.#load.meter;
    const { requestsPerSecond, errorsPerSecond, utilization } = this.#load.load() ?? {};
    return {
      state: this.state,
      inFlight,
      upgraded: this.#open.count - inFlight,
      ...(requestsPerSecond !== undefined && { requestsPerSecond, errorsPerSecond }),
      ...(utilization !== undefined && { utilization }),
    };
  };

  /** Answers a probe, and says so; of anything else it takes note. */
  readonly #takes = (request: AnyRequest, response: AnyResponse): boolean => {
    if (this.#answers(request, response)) return true;
    if (!(this.#seen in response) && !hasEnded(request, response)) this.#watch(request, response);
    return false;
  };

  readonly fastify: FastifyPlugin = fastifyPlugin(this.#takes);

  #answers(request: AnyRequest, response: AnyResponse): boolean {
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const { readinessPath, livenessPath } = this.#settings;
    const isReadiness = isPath(url, readinessPath);
    if (!isReadiness && !isPath(url, livenessPath)) return false;
    this.#sayGoodbye(response);
    const { state } = this;
    const inFlight = this.#load.meter.inFlight;
    if (!isReadiness) answerProbe(request, response, 200, { status: 'live' });
    else answerProbe(request, response, state === 'ready' ? 200 : 503, { status: state, inFlight });
    return true;
  }

  #watch(request: AnyRequest, response: AnyResponse): void {
    (response as AnyResponse & Record<symbol, boolean>)[this.#seen] = true;
    const { meter } = this.#load;
    meter.begin(this.#clock.now());
    this.#open.begin();
    if (isHttp2(response)) this.#sessions.add(response);
    onHeaders(response, this.#headerFor);
    onEnded(request, response, () => {
      const outcome = response.statusCode >= 500 ? 'failed' : 'served';
      meter.end(this.#clock.now(), response.headersSent ? outcome : 'abandoned');
      this.#open.end();
    });
  }

  readonly #headerFor = (response: AnyResponse): AddedHeader | undefined => {
    this.#sayGoodbye(response);
    const { loadHeader } = this.#settings;
    const value = loadHeader === undefined ? undefined : this.#load.header();
    return loadHeader === undefined || value === undefined ? undefined : [loadHeader, value];
  };

  /** While draining a response over HTTP/1 is the last one of its connection: Node adds `Connection: close`. */
  #sayGoodbye(response: AnyResponse): void {
    if (this.#drainingSinceMs !== undefined && !isHttp2(response)) response.shouldKeepAlive = false;
  }
}
