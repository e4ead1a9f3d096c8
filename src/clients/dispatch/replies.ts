/** A {@link Reply} in each of the styles that a dispatcher takes handlers in. */
import type { Duplex } from 'node:stream';
import type { AttemptContext } from '../../attempt-context.js';
import type { Settling } from '../../caller.js';
import { Reply, type ReplyOwner } from './reply.js';
import type { Abort, Controller, NewerHandler, OlderHandler, Style } from './types.js';

/** Of the listener's own style unless the sender wants another, for headers are passed on as they come. */
export function replyFor(
  attempt: AttemptContext,
  settling: Settling,
  owner: ReplyOwner,
  style: Style = owner.listener.style,
): Reply {
  return style === 'older'
    ? new OlderReply(attempt, settling, owner)
    : new NewerReply(attempt, settling, owner);
}

class OlderReply extends Reply implements OlderHandler {
  #abort: Abort | undefined;
  #resume: (() => void) | undefined;

  onConnect(abort: Abort, context?: unknown): void {
    this.#abort = abort;
    this.started(context);
  }

  onRequestSent(): void {
    this.requestSent();
  }

  onBodySent(chunk: unknown, total?: unknown): void {
    this.bodySent(chunk, total);
  }

  onUpgrade(status: number, headers: unknown, socket: Duplex): void {
    this.upgraded(status, headers, socket, undefined);
  }

  onHeaders(status: number, headers: unknown, resume: () => void, statusText: string): boolean {
    this.#resume = resume;
    return this.head(status, headers, statusText, undefined);
  }

  onData(chunk: Buffer): boolean {
    return this.data(chunk);
  }

  onComplete(trailers: unknown): void {
    this.end(trailers, undefined);
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

  onRequestStart(controller: Controller, context: unknown): void {
    this.#controller = controller;
    this.started(context);
  }

  onRequestSent(): void {
    this.requestSent();
  }

  onBodySent(chunk: unknown, total?: unknown): void {
    this.bodySent(chunk, total);
  }

  onRequestUpgrade(controller: Controller, status: number, headers: unknown, socket: Duplex): void {
    this.upgraded(status, headers, socket, controller.rawHeaders ?? null);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: unknown,
    statusText?: string,
  ): void {
    if (!this.head(status, headers, statusText, controller.rawHeaders ?? null)) controller.pause();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.data(chunk)) controller.pause();
  }

  onResponseEnd(controller: Controller, trailers: unknown): void {
    this.end(trailers, controller.rawTrailers ?? null);
  }

  /** There is no controller where undici refuses the request. */
  onResponseError(_controller: Controller | undefined, error: unknown): void {
    this.fail(error);
  }

  protected override abortRequest(reason: unknown): void {
    this.#controller?.abort(reason);
  }

  protected override resumeResponse(): void {
    this.#controller?.resume();
  }
}
