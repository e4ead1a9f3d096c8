/** A {@link Reply} in each of the styles that a dispatcher takes handlers in. */
import type { Duplex } from 'node:stream';
import type { AttemptContext } from '../../attempt.js';
import type { Listener } from './listener.js';
import { Reply } from './reply.js';
import type { Abort, Controller, NewerHandler, OlderHandler } from './types.js';

/** Of the listener's own style, for headers are passed on as they come. */
export function replyFor(attempt: AttemptContext, listener: Listener): Reply {
  return listener.style === 'older'
    ? new OlderReply(attempt, listener)
    : new NewerReply(attempt, listener);
}

class OlderReply extends Reply implements OlderHandler {
  #abort: Abort | undefined;
  #resume: (() => void) | undefined;

  onConnect(abort: Abort): void {
    this.#abort = abort;
    this.started();
  }

  onRequestSent(): void {
    this.listener.requestSent();
  }

  onBodySent(chunk: unknown): void {
    this.listener.bodySent(chunk);
  }

  onUpgrade(status: number, headers: unknown, socket: Duplex): void {
    this.upgraded(status, headers, socket);
  }

  onHeaders(status: number, headers: unknown, resume: () => void, statusText: string): boolean {
    this.#resume = resume;
    return this.head(status, headers, statusText);
  }

  onData(chunk: Buffer): boolean {
    return this.data(chunk);
  }

  onComplete(trailers: unknown): void {
    this.end(trailers);
  }

  onError(error: unknown): void {
    this.fail(error);
  }

  protected override abortRequest(reason: unknown): void {
    this.#abort?.(reason);
  }

  protected override resumeResponse(): void {
    this.#resume?.();
  }
}

class NewerReply extends Reply implements NewerHandler {
  #controller: Controller | undefined;

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    this.started();
  }

  onRequestSent(): void {
    this.listener.requestSent();
  }

  onBodySent(chunk: unknown): void {
    this.listener.bodySent(chunk);
  }

  onRequestUpgrade(controller: Controller, status: number, headers: unknown, socket: Duplex): void {
    this.upgraded(status, headers, socket);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: unknown,
    statusText?: string,
  ): void {
    if (!this.head(status, headers, statusText)) controller.pause();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.data(chunk)) controller.pause();
  }

  onResponseEnd(controller: Controller, trailers: unknown): void {
    this.end(trailers);
  }

  onResponseError(controller: Controller, error: unknown): void {
    this.fail(error);
  }

  protected override abortRequest(reason: unknown): void {
    this.#controller?.abort(reason);
  }

  protected override resumeResponse(): void {
    this.#controller?.resume();
  }
}
