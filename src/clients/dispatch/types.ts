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
  readonly fairlead?: FairleadRequestOptions | undefined;
}

/** Sends one request. @returns false when it has more to do than it can take at once. */
export type Dispatch = (options: DispatchOptions, handler: object) => boolean;

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
  onBodySent?(chunk: unknown): void;
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
  onResponseError?(controller: Controller, error: unknown): void;
  onResponseStarted?(): void;
  onBodySent?(chunk: unknown): void;
  onRequestSent?(): void;
}
