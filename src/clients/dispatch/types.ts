/**
 * What there is of undici's dispatchers, by shape: the undici inside Node, the package in the versions 6 to 8, and what
 * is made like them. Handlers come in two styles. The older one (undici 6, and 7 underneath) is told of headers as they
 * were received; the newer one (undici 7 on top, 8 everywhere) has them parsed, and a controller.
 */
import type { Duplex } from 'node:stream';
import type { FairleadRequestOptions } from '../request-options.js';

/** The options of one request that are read or changed here; the others are handed on. */
export interface DispatchOptions {
  readonly origin?: string | URL | undefined;
  readonly path: string;
  readonly method: string;
  readonly body?: unknown;
  readonly headers?: unknown;
  readonly idempotent?: boolean | null | undefined;
  readonly servername?: string | null | undefined;
  /** Put behind the path by the dispatcher. */
  readonly query?: unknown;
  readonly fairlead?: FairleadRequestOptions | undefined;
}

/** What each attempt of a request sends. */
export interface Body {
  /** False for what is used up once an attempt has begun to send it. */
  readonly isReplayable: boolean;
  next(): unknown;
  /** What reading it failed with, which is no instance's doing. */
  readonly failure?: { readonly error: unknown } | undefined;
  /** No further attempt will ask for it. */
  settle?(): void;
}

/** Where attempts go to. */
export interface Sender {
  readonly dispatch: Dispatch;
  /** Of handlers, where it takes no other. Default: it takes what its callers bring. */
  readonly style?: 'newer' | undefined;
  /** What TLS asks for where neither the request nor the client says. Default: the host of the URL asked for. */
  readonly servername?: string | undefined;
  /**
   * A request that is not wanted any more when its turn comes may throw: then its connection is left to the next one,
   * where undici closes it for a request that is aborted. Default false.
   */
  readonly takesThrow?: boolean | undefined;
  /** What the caller has ended all of its requests with, when that is so. Default: it is not. */
  readonly endedWith?: (() => unknown) | undefined;
}

/** Sends one request. @returns false when it has more to do than it can take at once. */
export type Dispatch = (options: DispatchOptions, handler: object) => boolean;

/** The styles of handlers: see {@link OlderHandler}, {@link NewerHandler}. */
export type Style = 'older' | 'newer';

export type Abort = (reason?: unknown) => void;

export interface OlderHandler {
  onConnect(abort: Abort, context?: unknown): void;
  onError(error: unknown): void;
  onUpgrade?(status: number, headers: unknown, socket: Duplex): void;
  onResponseStarted?(): void;
  /** False: no data before `resume` is called. */
  onHeaders?(
    status: number,
    headers: unknown,
    resume: () => void,
    statusText: string,
  ): boolean | undefined;
  onData?(chunk: Buffer): boolean | undefined;
  onComplete?(trailers: unknown): void;
  onBodySent?(chunk: unknown, total?: unknown): void;
  onRequestSent?(): void;
}

export interface Controller {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: unknown;
  rawHeaders?: unknown;
  rawTrailers?: unknown;
  abort(reason: unknown): void;
  pause(): void;
  resume(): void;
}

export interface NewerHandler {
  onRequestStart?(controller: Controller, context: unknown): void;
  onRequestUpgrade?(controller: Controller, status: number, headers: unknown, socket: Duplex): void;
  onResponseStart?(
    controller: Controller,
    status: number,
    headers: unknown,
    statusText?: string,
  ): void;
  onResponseData?(controller: Controller, chunk: Buffer): void;
  onResponseEnd?(controller: Controller, trailers: unknown): void;
  onResponseError?(controller: Controller | undefined, error: unknown): void;
  onResponseStarted?(): void;
  onBodySent?(chunk: unknown, total?: unknown): void;
  onRequestSent?(): void;
}
