/** Who made a request, to be told what comes of it, in whichever style its handler is written. */
import type { Duplex } from 'node:stream';
import type { Controller, NewerHandler, OlderHandler } from './types.js';

/** What the one who made a request can do about it. */
export interface Flow {
  abort(reason: unknown): void;
  resume(): void;
}

/** Headers and trailers are passed through as they come: who sends is asked in the listener's own style. */
export interface Listener {
  readonly style: 'older' | 'newer';
  start(flow: Flow): void;
  /** Of one attempt; another may follow. */
  requestSent(): void;
  bodySent(chunk: unknown): void;
  responseStarted(): void;
  /** @returns false when nothing more is wanted before {@link Flow.resume}. */
  head(status: number, headers: unknown, statusText: string | undefined): boolean;
  /** The same. */
  data(chunk: Buffer): boolean;
  upgrade(status: number, headers: unknown, socket: Duplex): void;
  end(trailers: unknown): void;
  error(error: unknown): void;
}

/** undici wraps an older handler into one of both styles: the older is the one that costs nothing. */
export function listenerOf(handler: object): Listener {
  return 'onConnect' in handler && typeof handler.onConnect === 'function'
    ? new OlderListener(handler as OlderHandler)
    : new NewerListener(handler);
}

class OlderListener implements Listener {
  readonly style = 'older';
  #resume = (): void => undefined;

  constructor(private readonly handler: OlderHandler) {}

  start(flow: Flow): void {
    this.#resume = () => {
      flow.resume();
    };
    this.handler.onConnect((reason) => {
      flow.abort(reason);
    });
  }

  requestSent(): void {
    this.handler.onRequestSent?.();
  }

  bodySent(chunk: unknown): void {
    this.handler.onBodySent?.(chunk);
  }

  responseStarted(): void {
    this.handler.onResponseStarted?.();
  }

  head(status: number, headers: unknown, statusText = ''): boolean {
    return this.handler.onHeaders?.(status, headers, this.#resume, statusText) !== false;
  }

  data(chunk: Buffer): boolean {
    return this.handler.onData?.(chunk) !== false;
  }

  upgrade(status: number, headers: unknown, socket: Duplex): void {
    this.handler.onUpgrade?.(status, headers, socket);
  }

  end(trailers: unknown): void {
    this.handler.onComplete?.(trailers);
  }

  error(error: unknown): void {
    this.handler.onError(error);
  }
}

/** Is the controller too: there is one for all attempts of a request. */
class NewerListener implements Listener, Controller {
  readonly style = 'newer';
  rawHeaders: unknown = null;
  rawTrailers: unknown = null;
  aborted = false;
  paused = false;
  reason: unknown = null;
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
    this.handler.onRequestStart?.(this, {});
  }

  requestSent(): void {
    this.handler.onRequestSent?.();
  }

  bodySent(chunk: unknown): void {
    this.handler.onBodySent?.(chunk);
  }

  responseStarted(): void {
    this.handler.onResponseStarted?.();
  }

  head(status: number, headers: unknown, statusText: string | undefined): boolean {
    this.handler.onResponseStart?.(this, status, headers, statusText);
    return !this.paused;
  }

  data(chunk: Buffer): boolean {
    this.handler.onResponseData?.(this, chunk);
    return !this.paused;
  }

  upgrade(status: number, headers: unknown, socket: Duplex): void {
    this.handler.onRequestUpgrade?.(this, status, headers, socket);
  }

  end(trailers: unknown): void {
    this.handler.onResponseEnd?.(this, trailers);
  }

  error(error: unknown): void {
    this.handler.onResponseError?.(this, error);
  }
}
