import type { Duplex } from 'node:stream';
import type { AttemptContext } from '../../attempt.js';
import type { Outcome } from '../../types.js';
import { responseHeader } from './headers.js';
import type { Listener } from './listener.js';

/** So much of a body is kept before it is known who reads it, in bytes; then the instance has to wait. */
const KEPT_BYTES = 65_536;

/** Of informational answers, which a server may send without end. The rest is not passed on. */
const MOST_EARLY = 32;

type Early = readonly [status: number, headers: unknown, text: string | undefined, raw: unknown];

/**
 * What comes of one attempt. It is kept until the call has decided whether this is the answer: then it is handed to who
 * asked, and what follows goes straight through; or it is discarded.
 *
 * How the dispatcher tells of it is the matter of the classes in `replies.ts`, one for each style of handlers.
 */
export abstract class Reply {
  /** Resolves when its headers have come, or it has failed. Never rejects. */
  readonly answered: Promise<void>;
  /** The request has been given to a connection, so the instance may act on it. */
  isSent = false;
  /** As of a fetch `Response`. */
  status = 0;
  #headers: unknown;
  #raw: unknown;
  #statusText: string | undefined;
  #early: Early[] | undefined;
  readonly #chunks: Buffer[] = [];
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
  #to: Listener | undefined;
  #onOver: (() => void) | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #resolve!: () => void;
  #release: ((outcome: Outcome) => void) | undefined;

  constructor(
    private readonly attempt: AttemptContext,
    private readonly listener: Listener,
    private readonly takesThrow: boolean,
  ) {
    this.answered = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    attempt.onAbort((reason) => {
      this.abort(reason);
    });
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

  get hasFailed(): boolean {
    return this.#state === 'failed' || this.#state === 'over';
  }

  /**
   * Once it has {@link answered}: what has not come by now keeps the attempt in flight.
   *
   * @throws what it failed with.
   */
  hold(): void {
    if (this.#state === 'failed') throw this.#error as Error;
    if (this.#state !== 'open') return;
    this.attempt.hold(
      new Promise((resolve) => {
        this.#release = resolve;
      }),
    );
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
    this.#chunks.length = 0;
    if (this.#socket !== undefined) this.#socket.destroy();
    else if (isOpen)
      this.abortRequest(new Error('The response is not used: the request is repeated.'));
    this.#release?.('ignored');
  }

  /**
   * Hands over what has come, and what will come.
   *
   * @param onOver called when all is told. Who had held on to it lets go: an old object that does not, dead or alive, has
   * all that it leads to copied by each young collection, the next requests with it (measured: a fifth of all CPU).
   */
  deliver(onOver: () => void): void {
    this.#onOver = onOver;
    const to = (this.#to = this.listener);
    if (this.#aborted === undefined) {
      if (this.#socket !== undefined) {
        this.#hand(this.#socket, to);
        return;
      }
      this.#isDraining = true; // what comes meanwhile has to wait
      try {
        for (const early of this.#early ?? []) to.head(...early);
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
    if (this.#to !== undefined) this.#drain();
  }

  /** @throws what it was aborted with while it waited, or where the dispatcher begins anew after an answer. */
  protected started(context: unknown): void {
    if (this.#state !== 'waiting') throw new Error('The connection was lost amid the response.');
    if (context !== undefined && context !== null) this.listener.know(context);
    if (this.#aborted === undefined) this.isSent = true;
    else if (this.takesThrow) throw this.#aborted.reason as Error;
    else this.abortRequest(this.#aborted.reason);
  }

  protected requestSent(): void {
    if (this.#isWatched()) this.listener.requestSent();
  }

  protected bodySent(chunk: unknown, total: unknown): void {
    if (this.#isWatched()) this.listener.bodySent(chunk, total);
  }

  protected head(status: number, headers: unknown, text: string | undefined, raw: unknown): void {
    if (this.#state !== 'waiting') return;
    if (status < 200) {
      this.#early ??= [];
      if (this.#early.length < MOST_EARLY) this.#early.push([status, headers, text, raw]);
      return;
    }
    this.status = status;
    this.#headers = headers;
    this.#raw = raw;
    this.#statusText = text;
    this.#state = 'open';
    // What awaits it runs after what reads the socket: a short body has come by then, and need not be held for.
    this.#resolve();
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
    this.#state = 'open';
    socket.on('error', noop); // until somebody has it
    socket.once('close', () => {
      this.#release?.('success');
    });
    this.#resolve();
  }

  /** @returns false when no more is wanted for now. */
  protected data(chunk: Buffer): boolean {
    if (this.#state !== 'open') return true;
    if (this.#to !== undefined && !this.#isPaused && !this.#isDraining) {
      try {
        this.#isPaused = !this.#to.data(chunk);
      } catch (error) {
        this.#refuse(error);
        this.#conclude();
        return true;
      }
      return !(this.#isHeld = this.#isPaused);
    }
    this.#chunks.push(chunk);
    this.#keptBytes += chunk.length;
    this.#isHeld = this.#isPaused || this.#keptBytes >= KEPT_BYTES;
    return !this.#isHeld;
  }

  protected end(trailers: unknown, raw: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'complete';
    this.#trailers = trailers;
    this.#rawTrailers = raw;
    this.#release?.('success');
    if (this.#to !== undefined) this.#drain();
  }

  protected fail(error: unknown): void {
    if (this.#state === 'failed' || this.#state === 'over') return;
    this.#state = 'failed';
    this.#error = error;
    this.#chunks.length = 0;
    this.#release?.(this.#aborted === undefined ? 'failure' : 'ignored');
    this.#resolve();
    if (this.#to !== undefined) this.#drain();
  }

  /** Whether what becomes of the request matters to the listener still. */
  #isWatched(): boolean {
    return this.#aborted === undefined && this.#state !== 'failed' && this.#state !== 'over';
  }

  #hand(socket: Duplex, to: Listener): void {
    this.#state = 'over';
    this.#onOver?.();
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
        const chunk = this.#chunks.shift();
        if (chunk === undefined) break;
        this.#isPaused = this.#to?.data(chunk) === false;
      }
    } catch (error) {
      this.#refuse(error);
    }
    this.#isDraining = false;
    this.#conclude();
  }

  /** Tells the end, when it has come and all before it is told. */
  #conclude(): void {
    const to = this.#to;
    if (to === undefined || this.#isDraining) return;
    if (this.#state === 'failed') {
      this.#state = 'over';
      this.#onOver?.();
      to.error(this.#error);
    } else if (this.#isPaused) {
      return;
    } else if (this.#state === 'complete') {
      this.#state = 'over';
      this.#onOver?.();
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

function noop(): void {
  // what there is to know of it is known
}
