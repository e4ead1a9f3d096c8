import { checkVerdict } from '../../call-options.js';
import type { ClientView } from '../../client-view.js';
import { classify } from '../../resilience/classify.js';
import type { Instance, Settled, Verdict } from '../../types.js';

/** @throws what a `classify` of the application's own throws. */
export type Judge = (settled: Settled) => Verdict;

/** Judges what came of a request as a call of the client would. */
export function judgeFor({ inside }: Pick<ClientView, 'inside'>, instance: Instance): Judge {
  return (settled) =>
    checkVerdict(inside?.options.classify?.(settled, instance)) ?? classify(settled, instance);
}

/** The error, with the request that tells more of the connection it arose on. The error itself stays as it is. */
export function withEvidence(error: Error, request: object): Error {
  return Object.create(error, { request: { value: request } }) as Error;
}

/**
 * Whether who destroyed a request did so for having waited too long. Of any other end of the caller's own making the
 * instance is not to blame.
 */
export function isTimeout(error: (Error & { code?: unknown }) | undefined): boolean {
  if (error === undefined) return false;
  const { name, code, cause } = error;
  const isFor = (cause as { name?: unknown } | null | undefined)?.name; // an AbortSignal's reason
  return name === 'TimeoutError' || isFor === 'TimeoutError' || TIMEOUTS.has(code);
}

const TIMEOUTS = new Set<unknown>(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'ECONNABORTED']);
