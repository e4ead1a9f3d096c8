import { defaultMaxListeners, getMaxListeners, setMaxListeners } from 'node:events';
import { Cancellation } from './cancellation.js';

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

/** Node warns of a leak at more than ten. */
const MANY = 10_000;

/** Many calls at a time on one signal, that of a shutdown say, are no leak. What the application has set stays. */
export function allowManyListeners(signal: AbortSignal): void {
  if (signal instanceof Cancellation) return;
  try {
    if (getMaxListeners(signal) === defaultMaxListeners) setMaxListeners(MANY, signal);
  } catch {
    // Thrown for a polyfill, and by Node 20 for a signal without a bound: neither warns of anything.
  }
}
