import pRetry, { type Options } from 'p-retry';
import { atOnce, type CallSubject, inTurn, noop, refused } from './subject.js';

/** With nothing left out, so that it need not be filled in on every call; the same object each time. */
export const COMPLETE: Options = {
  retries: 2,
  factor: 2,
  minTimeout: 0,
  maxTimeout: 250,
  maxRetryTime: Infinity,
  randomize: false,
  unref: false,
  onFailedAttempt: () => undefined,
  shouldRetry: () => true,
  shouldConsumeRetry: () => true,
};

export const retries: readonly CallSubject[] = [
  {
    library: 'p-retry',
    name: '{ retries: 2 }',
    prepare: () => ({ run: inTurn(() => pRetry(noop, { retries: 2 })) }),
  },
  {
    library: 'p-retry',
    name: 'one complete object',
    prepare: () => ({ run: inTurn(() => pRetry(noop, COMPLETE)) }),
  },
  {
    library: 'p-retry',
    name: 'a retry, one complete object',
    prepare: () => ({
      run: atOnce(() => pRetry((attempt) => (attempt === 1 ? refused() : noop()), COMPLETE)),
    }),
  },
];
