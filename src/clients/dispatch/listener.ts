/** Who made a request, to be told what comes of it, in whichever style its handler is written. */
import type { Duplex } from 'node:stream';
import { rawHeadersOf } from './headers.js';
import type { Controller, NewerHandler, OlderHandler, Style } from './types.js';

/** What the one who made a request can do about it. */
export interface Flow {
  abort(reason: unknown): void;
  resume(): void;
}

/** Headers and trailers are passed on as they come: who sends is asked in the listener's own style, where it can be. */
export interface Listener {
  readonly style: Style;
  start(flow: Flow): void;
  /** Adds what dispatchers know of the request, such as the redirects they followed. */
  know(context: unknown): void;
  /** Of one attempt; another may follow. */
  requestSent(): void;
  bodySent(chunk: unknown, total: unknown): void;
  responseStarted(): void;
  /**
   * @param raw as received, where `headers` are parsed.
   * @returns false when nothing more is wanted before {@link Flow.resume}.
   */
  head(status: number, headers: unknown, statusText: string | undefined, raw: unknown): boolean;
  /** The same. */
  data(chunk: Buffer): boolean;
  upgrade(status: number, headers: unknown, socket: Duplex, raw: unknown): void;
  end(trailers: unknown, raw: unknown): void;
  error(error: unknown): void;
}

/**
 * undici wraps an older handler into one of both styles: the older is the one that costs nothing.
 *
 * @returns `undefined` for what is no handler: undici has its own words for that.
 */
export function listenerOf(handler: unknown): Listener | undefined {
  if (typeof handler !== 'object' || handler === null) return undefined;
  if (isOlder(handler)) return new OlderListener(handler);
  const isNewer = 'onRequestStart' in handler && typeof handler.onRequestStart === 'function';
  return isNewer ? new NewerListener(handler as NewerHandler) : undefined;
}

/** One for upgrades alone knows of nothing but those. */
function isOlder(handler: object): handler is OlderHandler {
  const { onConnect, onError, onHeaders, onUpgrade } = handler as Partial<OlderHandler>;
  if (typeof onConnect !== 'function' || typeof onError !== 'function') return false;
  return typeof onHeaders === 'function' || typeof onUpgrade === 'function';
}

class OlderListener implements Listener {
  readonly style = 'older';
  readonly #context = {};
  #flow: Flow | undefined;
  /** Made once there are headers. */
  #resume: (() => void) | undefined;

  constructor(private readonly handler: OlderHandler) {}

  start(flow: Flow): void {
    this.#flow = flow;
    this.handler.onConnect((reason) => {
      flow.abort(reason);
    }, this.#context);
  }

  know(context: unknown): void {
    Object.assign(this.#context, context);
  }

  requestSent(): void {
    this.handler.onRequestSent?.();
  }

  bodySent(chunk: unknown, total: unknown): void {
    this.handler.onBodySent?.(chunk, total);
  }

  responseStarted(): void {
    this.handler.onResponseStarted?.();
  }

  head(status: number, headers: unknown, statusText = '', raw?: unknown): boolean {
    const resume = this.#resume ?? (() => this.#flow?.resume());
    this.#resume = resume;
    const received = asReceived(headers, raw);
    return this.handler.onHeaders?.(status, received, resume, statusText) !== false;
  }

  data(chunk: Buffer): boolean {
    return this.handler.onData?.(chunk) !== false;
  }

  upgrade(status: number, headers: unknown, socket: Duplex, raw: unknown): void {
    this.handler.onUpgrade?.(status, asReceived(headers, raw), socket);
  }

  end(trailers: unknown, raw: unknown): void {
    this.handler.onComplete?.(asReceived(trailers, raw));
  }

  error(error: unknown): void {
    this.handler.onError(error);
  }
}

/** An older handler over a dispatcher of the newer style. */
function asReceived(headers: unknown, raw: unknown): unknown {
  if (raw === undefined) return headers;
  return Array.isArray(raw) ? raw : rawHeadersOf(raw ?? headers);
}

/** Is the controller too: there is one for all attempts of a request. */
class NewerListener implements Listener, Controller {
  readonly style = 'newer';
  rawHeaders: unknown = null;
  rawTrailers: unknown = null;
  aborted = false;
  paused = false;
  reason: unknown = null;
  readonly #context = {};
  #flow: Flow | undefined;

  constructor(private readonly handler: NewerHandler) {}

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason ?? null;
    this.#flow?.abort(reason);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#flow?.resume();
  }

  start(flow: Flow): void {
    this.#flow = flow;
    this.handler.onRequestStart?.(this, this.#context);
  }

  know(context: unknown): void {
    Object.assign(this.#context, context);
  }

  requestSent(): void {
    this.handler.onRequestSent?.();
  }

  bodySent(chunk: unknown, total: unknown): void {
    this.handler.onBodySent?.(chunk, total);
  }

  responseStarted(): void {
    this.handler.onResponseStarted?.();
  }

  head(status: number, headers: unknown, statusText: string | undefined, raw: unknown): boolean {
    this.rawHeaders = raw ?? null;
    this.handler.onResponseStart?.(this, status, headers, statusText);
    return !this.paused;
  }

  data(chunk: Buffer): boolean {
    this.handler.onResponseData?.(this, chunk);
    return !this.paused;
  }

  upgrade(status: number, headers: unknown, socket: Duplex, raw: unknown): void {
    this.rawHeaders = raw ?? null;
    this.handler.onRequestUpgrade?.(this, status, headers, socket);
  }

  end(trailers: unknown, raw: unknown): void {
    this.rawTrailers = raw ?? null;
    this.handler.onResponseEnd?.(this, trailers);
  }

  error(error: unknown): void {
    this.handler.onResponseError?.(this, error);
  }
}
