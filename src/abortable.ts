/** What can be waited for, and given up waiting for. */
export interface WaitOptions {
  /** Ends the waiting: the promise rejects with the signal's reason. What is waited for goes on. */
  readonly signal?: AbortSignal | undefined;
}

/** The same promise, but it rejects with the signal's reason once that aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
