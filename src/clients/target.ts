import type { ClientView } from '../client-view.js';
import type { ClientPool } from '../client-pool.js';
import { InvalidOptionError } from '../errors.js';
import { isObject } from '../validate.js';

/** What a wrapper is given to send through: one service's client or a view of it, or the clients of many. */
export type Target = ClientView | ClientPool;

/** @throws {InvalidOptionError} when it is neither a client nor a pool. */
export function checkTarget(target: Target): void {
  if (isObject(target) && ('find' in target || 'call' in target)) return;
  throw new InvalidOptionError('target', 'a Client or a ClientPool', target);
}
