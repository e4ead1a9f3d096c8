import type { Body } from './types.js';

/** A body that is read once, and kept as it is read: each attempt gets all of it. */
export class KeptBody implements Body {
  readonly isReplayable = true;
  failure: { readonly error: unknown } | undefined;
  #chunks: unknown[] = [];
  /** Begun with the first read: a request may fail before. */
  #source: AsyncIterator<unknown> | undefined;
  #pulling: Promise<boolean> | undefined;
  #readers = 0;
  #isOver = false;
  #isSettled = false;

  constructor(private readonly body: AsyncIterable<unknown>) {}

  next(): AsyncIterable<unknown> {
    return this.#read();
  }

  settle(): void {
    this.#isSettled = true;
    this.#closeUnread();
  }

  async *#read(): AsyncGenerator {
    this.#readers++;
    try {
      for (let i = 0; ; i++) {
        if (i >= this.#chunks.length && !(await this.#pull())) return;
        yield this.#chunks[i];
      }
    } finally {
      this.#readers--;
      this.#closeUnread();
    }
  }

  /** @returns false at the end. */
  #pull(): Promise<boolean> {
    return (this.#pulling ??= this.#more().finally(() => {
      this.#pulling = undefined;
    }));
  }

  async #more(): Promise<boolean> {
    if (this.failure !== undefined) throw this.failure.error as Error;
    if (this.#isOver) return false;
    try {
      const { done, value } = (await this.#iterator().next()) as IteratorResult<unknown, unknown>;
      if (done === true) this.#isOver = true;
      else this.#chunks.push(value);
      return done !== true;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#iterator().return?.();
  }

  #iterator(): AsyncIterator<unknown> {
    return (this.#source ??= this.body[Symbol.asyncIterator]());
  }

  /** Whoever gives the body is told that nobody wants the rest of it. */
  #closeUnread(): void {
    if (!this.#isSettled || this.#readers > 0) return;
    this.#chunks = [];
    if (this.#isOver || this.failure !== undefined) return;
    this.#isOver = true;
    // What is not the library's may throw at once: a stream that is locked, an iterator's `return`.
    void this.#close().catch(() => undefined);
  }
}
