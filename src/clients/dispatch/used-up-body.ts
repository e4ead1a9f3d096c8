import type { Readable } from 'node:stream';
import type { Body } from './types.js';

/** A body that can be read but once. What reading it fails with is no instance's doing. */
export class UsedUpBody implements Body {
  readonly isReplayable = false;
  failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly body: object,
    hasFailed: () => boolean,
  ) {
    if (!('pipe' in body)) return;
    // Before the dispatcher hears of it: its own listener comes with the attempt.
    (body as Readable).once('error', (error) => {
      if (!hasFailed()) this.failure ??= { error };
    });
  }

  next(): unknown {
    const { body } = this;
    return 'pipe' in body || !(Symbol.asyncIterator in body)
      ? body
      : this.#read(body as AsyncIterable<unknown>);
  }

  async *#read(body: AsyncIterable<unknown>): AsyncGenerator {
    try {
      yield* body;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}
