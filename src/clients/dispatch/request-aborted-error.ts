/**
 * What undici's own dispatchers end a request with that was aborted without a reason. undici knows its errors by these
 * marks, so that this one is a `RequestAbortedError` to `instanceof`.
 */
export class RequestAbortedError extends Error {
  override readonly name = 'AbortError';
  readonly code = 'UND_ERR_ABORTED';

  constructor() {
    super('Request aborted');
    for (const mark of MARKS) Object.defineProperty(this, mark, { value: true });
  }
}

const MARKS = ['UND_ERR', 'UND_ERR_ABORT', 'UND_ERR_ABORTED'].map((code) =>
  Symbol.for(`undici.error.${code}`),
);
