import { Cancellation } from '../cancellation.js';

/** What a request config of axios can be cancelled by. */
export interface Cancellable {
  readonly signal?: unknown;
  readonly cancelToken?: unknown;
}

/** Not in axios's types, but how its own adapters listen: `promise.then` could never be taken back. */
interface CancelToken {
  subscribe(listener: (reason: unknown) => void): void;
  unsubscribe(listener: (reason: unknown) => void): void;
}

export interface CallerSignal {
  readonly signal: AbortSignal | undefined;
  readonly release: () => void;
}

const nothing = (): void => undefined;

/** One signal for both of axios's ways to cancel. */
export function callerSignal({ signal, cancelToken }: Cancellable): CallerSignal {
  const own = (signal ?? undefined) as AbortSignal | undefined;
  if (cancelToken === undefined || cancelToken === null) {
    return { signal: own, release: nothing };
  }
  const cancellation = new Cancellation();
  const onAbort = (): void => {
    cancellation.abort(own?.reason);
  };
  const token = cancelToken as CancelToken;
  const onCancel = (reason: unknown): void => {
    cancellation.abort(reason);
  };
  token.subscribe(onCancel);
  if (own?.aborted === true) onAbort();
  own?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: cancellation.signal,
    release: () => {
      token.unsubscribe(onCancel);
      own?.removeEventListener('abort', onAbort);
    },
  };
}
