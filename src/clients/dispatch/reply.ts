import type { Duplex } from 'node:stream';
import type { AttemptContext } from '../../attempt-context.js';
import type { Settling } from '../../caller.js';
import { hasNameOfLength, responseHeader } from './headers.js';
import type { Listener } from './listener.js';

/** So much of a body is kept before it is known who reads it, in bytes; then the instance has to wait. */
const KEPT_BYTES = 65_536;

/** Of informational answers, which a server may send without end. The rest is not passed on. */
const MOST_EARLY = 32;

type Early = readonly [status: number, headers: unknown, text: string | undefined, raw: unknown];

/** The request that an attempt is made for. */
export interface ReplyOwner {
  readonly listener: Listener;
  /** Whether the dispatcher lets its handlers throw: see `Sender.takesThrow`. */
  readonly takesThrow: boolean;
  /** The body may be given to another attempt while one that has it is still to be ended. */
  readonly isReplayable: boolean;
  /** An attempt was answered. Called before its call is told. */
  answered(reply: Reply): void;
  /** An attempt has failed before it was answered. Called before its call is told. */
  failed(reply: Reply, error: unknown): void;
  /**
   * All is told. Who had held on to the reply lets go: an old object that does not, dead or alive, has all that it leads
   * to copied by each young collection, the next requests with it (measured: a fifth of all CPU).
   */
  letGo(): void;
}

/**
 * What comes of one attempt. It is kept until the call has decided whether this is the answer, mostly at once: then it is
 * handed to who asked, and what follows goes straight through; or it is discarded.
 *
 * How the dispatcher tells of it is the matter of the classes in `replies.ts`, one for each style of handlers.
 */
export abstract class Reply {
  /** The request has been given to a connection, so the instance may act on it. */
  isSent = false;
  /** As of a fetch `Response`. */
  status = 0;
  #headers: unknown;
  #raw: unknown;
  #statusText: string | undefined;
  #early: Early[] | undefined;
  #chunks: Buffer[] | undefined;
  #keptBytes = 0;
  #socket: Duplex | undefined;
  #trailers: unknown;
  #rawTrailers: unknown;
  #error: unknown;
  /** `complete` and `failed`: not yet told. `over`: told, or nobody is to be told. */
  #state: 'waiting' | 'open' | 'complete' | 'failed' | 'over' = 'waiting';
  #isPaused = false;
  /** The instance was made to wait. */
  #isHeld = false;
  #isDraining = false;
  #isDelivered = false;
  /** The dispatcher has told its end. */
  #hasEnded = false;
  #aborted: { readonly reason: unknown } | undefined;

  constructor(
    readonly attempt: AttemptContext,
    private readonly sending: Settling,
    private readonly owner: ReplyOwner,
  ) {
    sending.abortsTo(this);
  }

  /** Ends the request, if it has not ended. */
  protected abstract abortRequest(reason: unknown): void;
  /** Lets data come again. */
  protected abstract resumeResponse(): void;

  /** What is asked for by name, as of a fetch `Response`: this object itself, to save another. */
  get headers(): this {
    return this;
  }

  /** The value of a response header. */
  get(name: string): string | undefined {
    return responseHeader(this.#headers, name.toLowerCase());
  }

  /** Whether a header may be there whose name is as long as one of these; true when that is not known. */
  mayHaveName(lengths: readonly number[]): boolean {
    return hasNameOfLength(this.#headers, lengths);
  }

  /** Once aborted it is refused to the connection that it waits for. */
  get isUnsent(): boolean {
    return !this.isSent && this.owner.isReplayable;
  }

  get hasFailed(): boolean {
    return this.#state === 'failed' || this.#state === 'over';
  }

  abort(reason: unknown): void {
    if (this.#aborted !== undefined || this.#state === 'over') return;
    this.#aborted = { reason };
    if (this.#socket !== undefined) this.#socket.destroy();
    // Complete, but not read to its end; or upgraded, which is over for the dispatcher.
    if (this.#state === 'complete' || this.#socket !== undefined) this.fail(reason);
    else if (this.isSent) this.abortRequest(reason);
  }

  /** Nobody will read it. What has not come by now is not waited for: it might never. */
  discard(): void {
    const isOpen = this.#state === 'open';
    this.#state = 'over';
    this.#chunks = undefined;
    if (this.#socket !== undefined) this.#socket.destroy();
    else if (isOpen) {
      // Not amid its headers: a short body has come once the socket is read, and leaves the connection to others.
      queueMicrotask(() => {
        if (this.#hasEnded) return;
        this.abortRequest(new Error('The response is not used: the request is repeated.'));
      });
    }
    this.sending.release('ignored');
  }

  /** The dispatcher has thrown. @throws the same where nothing was answered: then it is the attempt's end. */
  cutShort(error: unknown): void {
    if (this.#state === 'waiting') throw error as Error;
    this.fail(error);
  }

  /** Hands over what has come, and what will come. */
  deliver(): void {
    this.#isDelivered = true;
    const to = this.owner.listener;
    if (this.#aborted === undefined) {
      if (this.#socket !== undefined) {
        this.#hand(this.#socket, to);
        return;
      }
      this.#isDraining = true; // what comes meanwhile has to wait
      try {
        for (const early of this.#early ?? NONE) to.head(...early);
        to.responseStarted();
        this.#isPaused = !to.head(this.status, this.#headers, this.#statusText, this.#raw);
      } catch (error) {
        this.#refuse(error);
      }
      this.#isDraining = false;
    }
    this.#drain();
  }

  /** More is wanted. */
  resume(): void {
    this.#isPaused = false;
    if (this.#isDelivered) this.#drain();
  }

  /** @throws what it was aborted with while it waited, or where the dispatcher begins anew after an answer. */
  protected started(context: unknown): void {
    if (this.#state !== 'waiting') throw new Error('The connection was lost amid the response.');
    if (context !== undefined && context !== null) this.owner.listener.know(context);
    if (this.#aborted === undefined) this.isSent = true;
    else if (this.owner.takesThrow) throw this.#aborted.reason as Error;
    else this.abortRequest(this.#aborted.reason);
  }

  protected requestSent(): void {
    if (this.#isWatched()) this.owner.listener.requestSent();
  }

  protected bodySent(chunk: unknown, total: unknown): void {
    if (this.#isWatched()) this.owner.listener.bodySent(chunk, total);
  }

  /** @returns false when no more is wanted for now. */
  protected head(
    status: number,
    headers: unknown,
    text: string | undefined,
    raw: unknown,
  ): boolean {
    if (this.#state !== 'waiting') return true;
    if (status < 200) {
      this.#early ??= [];
      if (this.#early.length < MOST_EARLY) this.#early.push([status, headers, text, raw]);
      return true;
    }
    this.status = status;
    this.#headers = headers;
    this.#raw = raw;
    this.#statusText = text;
    this.#answered();
    return !(this.#isHeld = this.#isPaused);
  }

  protected upgraded(status: number, headers: unknown, socket: Duplex, raw: unknown): void {
    this.status = status;
    this.#headers = headers;
    this.#raw = raw;
    this.#socket = socket;
    if (this.#state !== 'waiting') {
      socket.destroy();
      return;
    }
    socket.on('error', noop); // until somebody has it
    socket.once('close', () => {
      this.sending.release('success');
    });
    this.#answered();
  }

  /** What has not come by now keeps the attempt in flight. */
  #answered(): void {
    this.#state = 'open';
    this.owner.answered(this);
    this.sending.settle({ ok: true, value: this }, true);
  }

  /** @returns false when no more is wanted for now. */
  protected data(chunk: Buffer): boolean {
    if (this.#state !== 'open') return true;
    if (this.#isDelivered && !this.#isPaused && !this.#isDraining) {
      try {
        this.#isPaused = !this.owner.listener.data(chunk);
      } catch (error) {
        this.#refuse(error);
        this.#conclude();
        return true;
      }
      return !(this.#isHeld = this.#isPaused);
    }
    (this.#chunks ??= []).push(chunk);
    this.#keptBytes += chunk.length;
    this.#isHeld = this.#isPaused || this.#keptBytes >= KEPT_BYTES;
    return !this.#isHeld;
  }

  protected end(trailers: unknown, raw: unknown): void {
    this.#hasEnded = true;
    if (this.#state !== 'open') return;
    this.#state = 'complete';
    this.#trailers = trailers;
    this.#rawTrailers = raw;
    this.sending.release('success');
    if (this.#isDelivered) this.#drain();
  }

  protected fail(error: unknown): void {
    this.#hasEnded = true;
    const { owner, sending } = this;
    const isWaiting = this.#state === 'waiting';
    if (this.#state === 'failed' || this.#state === 'over') return;
    this.#state = 'failed';
    this.#error = error;
    this.#chunks = undefined;
    if (isWaiting) {
      owner.failed(this, error);
      sending.settle({ ok: false, error });
      return;
    }
    sending.release(this.#aborted === undefined ? 'failure' : 'ignored');
    if (this.#isDelivered) this.#drain();
  }

  /** Whether what becomes of the request matters to the listener still. */
  #isWatched(): boolean {
    return this.#aborted === undefined && this.#state !== 'failed' && this.#state !== 'over';
  }

  #hand(socket: Duplex, to: Listener): void {
    this.#state = 'over';
    this.owner.letGo();
    socket.removeListener('error', noop);
    try {
      to.upgrade(this.status, this.#headers, socket, this.#raw);
    } catch (error) {
      socket.on('error', noop).destroy();
      to.error(error);
    }
  }

  #drain(): void {
    if (this.#isDraining) return; // a listener that wants more while it is given some
    this.#isDraining = true;
    try {
      while (!this.#isPaused) {
        const chunk = this.#chunks?.shift();
        if (chunk === undefined) break;
        this.#isPaused = !this.owner.listener.data(chunk);
      }
    } catch (error) {
      this.#refuse(error);
    }
    this.#isDraining = false;
    this.#conclude();
  }

  /** Tells the end, when it has come and all before it is told. */
  #conclude(): void {
    if (!this.#isDelivered || this.#isDraining) return;
    const to = this.owner.listener;
    if (this.#state === 'failed') {
      this.#state = 'over';
      this.owner.letGo();
      to.error(this.#error);
    } else if (this.#isPaused) {
      return;
    } else if (this.#state === 'complete') {
      this.#state = 'over';
      this.owner.letGo();
      try {
        to.end(this.#trailers, this.#rawTrailers);
      } catch (error) {
        to.error(error); // as undici does
      }
    } else if (this.#isHeld) {
      this.#isHeld = false;
      this.resumeResponse();
    }
  }

  /** Who asked has thrown at what it was told: no fault of the instance. */
  #refuse(error: unknown): void {
    if (this.#state !== 'open' && this.#state !== 'complete') return;
    this.#aborted ??= { reason: error };
    if (this.#state === 'open') this.abortRequest(error);
    this.fail(error);
  }
}

const NONE: readonly Early[] = [];

function noop(): void {
  // what there is to know of it is known
}
