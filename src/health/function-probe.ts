import { show } from '../errors.js';
import type { CheckFunction } from '../health-options.js';
import { isObject } from '../validate.js';
import type { Probe } from './probe.js';

/** Good when the user's function says so: with `true`, nothing at all, or `{ healthy: true }`, which can name a role. */
export function functionProbe(check: CheckFunction): Probe {
  return async (instance, signal) => roleIn(await check({ instance, signal }));
}

function roleIn(result: unknown): string | undefined {
  if (result === undefined || result === true) return undefined;
  const { healthy, role } = isObject(result) ? result : { healthy: result, role: undefined };
  if (healthy === false) throw new Error('the check says unhealthy');
  if (healthy !== true) {
    const got = isObject(result) ? `{ healthy: ${show(healthy)} }` : show(result);
    throw new Error(`the check must return true, false or { healthy, role }; got ${got}`);
  }
  if (role === undefined || (typeof role === 'string' && role !== '')) return role;
  throw new Error(`the role that the check returns must be a non-empty string; got ${show(role)}`);
}
