/** A dispatch whose origins name services. */
import { clientFor } from '../route.js';
import type { Wrapping } from '../wrap-options.js';
import { Exchange } from './exchange.js';
import type { Dispatch, DispatchOptions } from './types.js';

/** Origins parsed so far, for each process talks to few. */
const MOST_ORIGINS = 1_000;

/**
 * Dispatches to an instance where the origin's host names a service of the wrapping's target, and to another when that
 * fails and may be retried; to `dispatch` as it is where it names none.
 */
export function serviceDispatch(wrapping: Wrapping, dispatch: Dispatch): Dispatch {
  const origins = new Map<string, URL | undefined>();
  const parse = (origin: string): URL | undefined => {
    if (origins.has(origin)) return origins.get(origin);
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (origins.size >= MOST_ORIGINS) origins.clear();
    origins.set(origin, url);
    return url;
  };
  return (options, handler) => {
    const origin = originOf(options, parse);
    const client = origin && clientFor(wrapping, origin);
    if (origin === undefined || client === undefined) return dispatch(options, handler);
    new Exchange(options, handler, { wrapping, client, origin, dispatch }).run();
    return true;
  };
}

/** `undefined` for what undici itself must judge. */
function originOf(
  { origin }: DispatchOptions,
  parse: (origin: string) => URL | undefined,
): URL | undefined {
  if (origin instanceof URL) return origin;
  return typeof origin === 'string' ? parse(origin) : undefined;
}
