import type { CallOptions } from '../call-options.js';
import { checkFunction, checkKeys } from '../validate.js';

/** Options of one request, as `fairlead` in a request config of axios or in the `init` of a fetch. */
export type FairleadRequestOptions = Pick<
  CallOptions,
  'idempotent' | 'hashKey' | 'timeoutMs' | 'attemptTimeoutMs' | 'hedge' | 'classify' | 'onAttempt'
>;

const KEYS: readonly (keyof FairleadRequestOptions)[] = [
  'idempotent',
  'hashKey',
  'timeoutMs',
  'attemptTimeoutMs',
  'hedge',
  'classify',
  'onAttempt',
];

/** @throws {InvalidOptionError} naming what is unknown, or no function. The other values are checked with the call's. */
export function requestOptions(given: FairleadRequestOptions = {}): FairleadRequestOptions {
  checkKeys('fairlead', given, KEYS);
  if (given.classify !== undefined) checkFunction('fairlead.classify', given.classify);
  return given;
}
