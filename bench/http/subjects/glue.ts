import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import { inTurn, type Send } from '../subject.js';

/** What a team writes by hand: a breaker with a timeout for each backend, retries on the next one, as the READMEs have it. */
export function glue(backends: readonly Send[]): Send {
  const next = inTurn(
    backends.map((send) => new CircuitBreaker(send, { timeout: 1_000, resetTimeout: 1_000 })),
  );
  const once = (): Promise<unknown> => next().fire();
  return () => pRetry(once, { retries: 2, minTimeout: 25, maxTimeout: 250, randomize: true });
}
