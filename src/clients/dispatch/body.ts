/** Bodies of requests that may be sent more than once. */
import { requestHeader } from './headers.js';
import type { DispatchOptions } from './types.js';

/** A body of known length is kept while it is sent, to be sent again, up to so many bytes. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** What each attempt of a request sends. */
export interface Body {
  /** False for what is used up once an attempt has begun to send it. */
  readonly isReplayable: boolean;
  next(): unknown;
}

/**
 * A string, bytes, a `FormData` or a `Blob` is sent as it is, each time; a function is called each time; what is
 * iterated (fetch hands on all of its bodies so) is kept as it is read, where its length is known and bearable. A stream
 * is used up.
 */
export function bodyOf({ body, headers }: DispatchOptions): Body {
  if (typeof body === 'function') {
    return { isReplayable: true, next: body as () => unknown };
  }
  if (!isUsedUp(body)) return { isReplayable: true, next: () => body };
  const length = Number(requestHeader(headers, 'content-length') ?? NaN);
  if (!isAsyncIterable(body) || 'pipe' in body || !(length <= MAX_KEPT_BYTES)) {
    return { isReplayable: false, next: () => body };
  }
  const kept = new KeptBody(body[Symbol.asyncIterator]());
  return { isReplayable: true, next: () => kept.read() };
}

function isUsedUp(body: unknown): body is object {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body)) return false;
  return !(body instanceof ArrayBuffer || body instanceof Blob || body instanceof FormData);
}

function isAsyncIterable(body: object): body is AsyncIterable<unknown> {
  return Symbol.asyncIterator in body;
}

/** What has been read of an iterator, and the iterator: each reader gets all of it. */
class KeptBody {
  readonly #chunks: unknown[] = [];
  #pulling: Promise<boolean> | undefined;

  constructor(private readonly source: AsyncIterator<unknown>) {}

  async *read(): AsyncGenerator<unknown> {
    for (let i = 0; ; i++) {
      if (i >= this.#chunks.length && !(await this.#pull())) return;
      yield this.#chunks[i];
    }
  }

  /** @returns false at the end. */
  #pull(): Promise<boolean> {
    this.#pulling ??= this.source.next().then(({ done, value }) => {
      this.#pulling = undefined;
      if (done !== true) this.#chunks.push(value);
      return done !== true;
    });
    return this.#pulling;
  }
}
