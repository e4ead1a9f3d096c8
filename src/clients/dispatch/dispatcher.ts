/** A dispatch whose origins name services. */
import type { ClientView } from '../../client-view.js';
import { isObject } from '../../validate.js';
import { clientFor } from '../route.js';
import type { Wrapping } from '../wrap-options.js';
import { Exchange } from './exchange.js';
import { listenerOf } from './listener.js';
import type { Dispatch, DispatchOptions, Sender } from './types.js';

/** Origins parsed so far, for each process talks to few. */
const MOST_ORIGINS = 1_000;

/**
 * Dispatches to an instance where the origin's host names a service of the wrapping's target, and to another when that
 * fails and may be retried; to `dispatch` as it is where it names none.
 *
 * What is wrong with a request is told to its handler. Throws for what is no handler, as undici does.
 *
 * @param senderFor where the attempts for a client's instances go. Default: to `dispatch`.
 */
export function serviceDispatch(
  wrapping: Wrapping,
  dispatch: Dispatch,
  senderFor?: (client: ClientView) => Sender,
): Dispatch {
  const origins = new Map<string, URL | undefined>();
  const parse = (origin: string): URL | undefined => {
    const known = origins.get(origin);
    if (known !== undefined || origins.has(origin)) return known;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (origins.size >= MOST_ORIGINS) origins.clear();
    origins.set(origin, url);
    return url;
  };
  const plain: Sender = { dispatch };
  return (options, handler) => {
    const origin = originOf(options, parse);
    const listener = origin && listenerOf(handler);
    if (origin === undefined || listener === undefined) return dispatch(options, handler);
    let exchange: Exchange;
    try {
      const client = clientFor(wrapping, origin);
      if (client === undefined) return dispatch(withBody(options), handler);
      const sender = senderFor?.(client) ?? plain;
      exchange = new Exchange(options, listener, { wrapping, client, origin, sender });
    } catch (error) {
      listener.error(error);
      return true;
    }
    exchange.run();
    return true;
  };
}

/** `undefined` for what undici itself must judge. */
function originOf(
  options: DispatchOptions,
  parse: (origin: string) => URL | undefined,
): URL | undefined {
  if (!isComplete(options)) return undefined;
  const { origin } = options;
  if (origin instanceof URL) return origin;
  return typeof origin === 'string' ? parse(origin) : undefined;
}

function isComplete(options: unknown): boolean {
  return (
    isObject(options) &&
    typeof options['path'] === 'string' &&
    typeof options['method'] === 'string'
  );
}

/** A function that gives the body is Fairlead's own: it is called where the request goes to no service, too. */
function withBody(options: DispatchOptions): DispatchOptions {
  const { body } = options;
  return typeof body === 'function' ? { ...options, body: (body as () => unknown)() } : options;
}
