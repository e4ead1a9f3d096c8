import type { Duplex } from 'node:stream';
import type { AttemptContext } from '../../attempt.js';
import type { Outcome } from '../../types.js';
import { responseHeader } from './headers.js';
import type { Listener } from './listener.js';

/** So much of a body is kept before it is known who reads it, in bytes; then the instance has to wait. */
const KEPT_BYTES = 65_536;

/**
 * What comes of one attempt. It is kept until the call has decided whether this is the answer: then it is handed to who
 * asked, and what follows goes straight through; or it is discarded.
 *
 * How the dispatcher tells of it is the matter of the classes below, one for each style of handlers.
 */
export abstract class Reply {
  /** Resolves when its headers have come, and rejects when it ends before that. */
  readonly answered: Promise<void>;
  /** The request has been given to a connection, so the instance may act on it. */
  isSent = false;
  status = 0;
  /** As the dispatcher gives them. */
  rawHeaders: unknown = undefined;
  /** Of those, what is asked for by name, as of a fetch `Response`. */
  readonly headers = {
    get: (name: string): string | undefined => responseHeader(this.rawHeaders, name.toLowerCase()),
  };
  #statusText: string | undefined;
  #early: (readonly [status: number, headers: unknown, statusText: string | undefined])[] = [];
  #chunks: Buffer[] = [];
  #keptBytes = 0;
  #socket: Duplex | undefined;
  #trailers: unknown;
  #error: unknown;
  #state: 'waiting' | 'open' | 'complete' | 'failed' | 'told' | 'discarded' = 'waiting';
  #isPaused = false;
  /** The instance was made to wait. */
  #isHeld = false;
  #to: Listener | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #release: ((outcome: Outcome) => void) | undefined;

  constructor(
    private readonly attempt: AttemptContext,
    protected readonly listener: Listener,
  ) {
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    attempt.onAbort((reason) => {
      this.abort(reason);
    });
  }

  /** Ends the request, if it has not ended. */
  protected abstract abortRequest(reason: unknown): void;
  /** Lets data come again. */
  protected abstract resumeResponse(): void;

  abort(reason: unknown): void {
    if (this.#aborted !== undefined || this.#state === 'told') return;
    this.#aborted = { reason };
    // Complete, but not read to its end.
    if (this.#state === 'complete') this.fail(reason);
    else if (this.isSent) this.abortRequest(reason);
  }

  /** Nobody will read it. What has not come by now is not waited for: it might never. */
  discard(): void {
    const isOpen = this.#state === 'open' && this.#socket === undefined;
    this.#chunks = [];
    this.#state = 'discarded';
    this.#socket?.destroy();
    if (isOpen) this.abortRequest(new Error('The response is not used: the request is repeated.'));
  }

  /** Hands over what has come, and what will come. */
  deliver(): void {
    this.#to = this.listener;
    try {
      if (this.#socket !== undefined) {
        this.#state = 'told';
        this.#to.upgrade(this.status, this.rawHeaders, this.#socket);
        return;
      }
      for (const [status, headers, text] of this.#early) this.#to.head(status, headers, text);
      this.#to.responseStarted();
      this.#isPaused = !this.#to.head(this.status, this.rawHeaders, this.#statusText);
      this.#drain();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** More is wanted. */
  resume(): void {
    this.#isPaused = false;
    if (this.#to === undefined) return;
    try {
      this.#drain();
    } catch (error) {
      this.#refuse(error);
    }
  }

  protected started(): void {
    this.isSent = true;
    if (this.#aborted !== undefined) this.abortRequest(this.#aborted.reason);
  }

  /** @returns false when no more is wanted for now. */
  protected head(status: number, headers: unknown, statusText: string | undefined): boolean {
    if (status < 200) {
      this.#early.push([status, headers, statusText]);
      return true;
    }
    this.status = status;
    this.rawHeaders = headers;
    this.#statusText = statusText;
    this.#state = 'open';
    // A short body has come in the same piece: by the next microtask it is there, and need not be waited for.
    queueMicrotask(() => {
      this.#answer();
    });
    return true;
  }

  protected upgraded(status: number, headers: unknown, socket: Duplex): void {
    this.status = status;
    this.rawHeaders = headers;
    this.#socket = socket;
    this.#state = 'open';
    this.attempt.hold(
      new Promise((resolve) => {
        socket.once('close', () => {
          resolve('success');
        });
      }),
    );
    this.#resolve();
  }

  /** @returns false when no more is wanted for now. */
  protected data(chunk: Buffer): boolean {
    if (this.#state === 'discarded') return true;
    if (this.#to !== undefined && !this.#isPaused && this.#chunks.length === 0) {
      this.#isPaused = !this.#to.data(chunk);
      this.#isHeld = this.#isPaused;
      return !this.#isPaused;
    }
    this.#chunks.push(chunk);
    this.#keptBytes += chunk.length;
    this.#isHeld = this.#isPaused || this.#keptBytes >= KEPT_BYTES;
    return !this.#isHeld;
  }

  protected end(trailers: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'complete';
    this.#trailers = trailers;
    this.#release?.('success');
    if (this.#to !== undefined) this.#drain();
  }

  protected fail(error: unknown): void {
    switch (this.#state) {
      case 'waiting':
        this.#state = 'failed';
        this.#reject(error);
        return;
      case 'open':
      case 'complete':
        this.#state = 'failed';
        this.#error = error;
        this.#chunks = [];
        this.#release?.(this.#aborted === undefined ? 'failure' : 'ignored');
        if (this.#to !== undefined) this.#drain();
    }
  }

  #answer(): void {
    if (this.#state === 'failed') {
      this.#reject(this.#error);
      return;
    }
    if (this.#state === 'open') {
      this.attempt.hold(
        new Promise((resolve) => {
          this.#release = resolve;
        }),
      );
    }
    this.#resolve();
  }

  #drain(): void {
    const to = this.#to;
    if (to === undefined) return;
    while (!this.#isPaused) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      this.#isPaused = !to.data(chunk);
    }
    if (this.#state === 'failed') {
      this.#state = 'told';
      to.error(this.#error);
    } else if (this.#isPaused) {
      return;
    } else if (this.#state === 'complete') {
      this.#state = 'told';
      to.end(this.#trailers);
    } else if (this.#isHeld) {
      this.#isHeld = false;
      this.resumeResponse();
    }
  }

  /** Who asked has thrown at what it was told. */
  #refuse(error: unknown): void {
    if (this.#state === 'open') this.abortRequest(error);
    this.fail(error);
  }
}
