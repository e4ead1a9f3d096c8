/** What axios's `fetch` adapter is given to send an attempt with: the URL, and with it all that fetch makes of it, stays logical. */
import { belowOf } from './fetch-below.js';
import type { RedirectedRoute, RedirectOptions } from './axios-redirect.js';
import { withDefault } from './dispatch/headers.js';
import type { DispatchOptions } from './dispatch/types.js';

/** A dispatcher of undici, by shape: that of the package, or the one inside Node. */
export interface DispatcherLike {
  dispatch(options: DispatchOptions, handler: object): boolean;
}

export function isDispatcher(value: unknown): value is DispatcherLike {
  return typeof (value as Partial<DispatcherLike> | null | undefined)?.dispatch === 'function';
}

/** Sends the requests of one attempt: the first to the instance, those after redirects to where they lead. */
export class AttemptDispatcher implements DispatcherLike {
  /** The request has been given to a connection, so somebody may act on it. */
  isSent = false;
  #isFirst = true;
  #abort: ((reason: unknown) => void) | undefined;

  constructor(
    private readonly route: RedirectedRoute,
    private readonly ownHeader: string | undefined,
    private readonly given: DispatcherLike | undefined,
  ) {}

  dispatch(options: DispatchOptions, handler: object): boolean {
    const url = new URL(String(options.origin));
    if (this.#isFirst) {
      this.#isFirst = false;
      return this.#send(options, url, handler);
    }
    const next = nextOf(url);
    this.route.follow(next);
    const { waiting } = this.route;
    if (waiting === undefined) return this.#send(this.#followed(options, url, next), url, handler);
    waiting
      .then(() => this.#send(this.#followed(options, url, next), url, handler))
      .catch((error: unknown) => {
        const { onError, onResponseError } = handler as Told;
        if (onResponseError === undefined) onError?.call(handler, error);
        else onResponseError.call(handler, undefined, error);
      });
    return true;
  }

  #send(sent: DispatchOptions, url: URL, handler: object): boolean {
    const sender = belowOf(this.given, handler);
    const { place } = this.route;
    if (place === undefined) return sender.dispatch(sent, handler);
    const noted = noting(handler, (abort) => {
      this.isSent = true;
      this.#abort = abort;
    });
    const host = place.host.includes(':') ? `[${place.host}]` : place.host;
    return sender.dispatch(
      {
        ...sent,
        origin: `${url.protocol}//${host}:${String(place.port)}`,
        headers: withDefault(sent.headers, 'host', url.host),
        servername: sent.servername ?? place.servername ?? url.hostname,
      },
      noted,
    );
  }

  /** Ends the request, wherever it has got to. */
  abort(reason: unknown): void {
    this.#abort?.(reason);
  }

  /** As the route would have it; `url` becomes where that goes. */
  #followed(options: DispatchOptions, url: URL, next: RedirectOptions): DispatchOptions {
    if (next.protocol !== undefined) url.protocol = next.protocol;
    let { headers } = options;
    if (this.route.redirect.left && this.ownHeader !== undefined) {
      headers = without(headers, this.ownHeader.toLowerCase());
    }
    for (const [name, value] of Object.entries(next.headers ?? {})) {
      headers = withDefault(headers, name.toLowerCase(), String(value));
    }
    return { ...options, headers };
  }
}

/** fetch tells of a redirect by what it sends next. */
function nextOf({ protocol, hostname, port }: URL): RedirectOptions {
  return { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, headers: {} };
}

/** As fetch gives them: by name, or names and values in turn. */
function without(headers: unknown, name: string): unknown {
  const isOther = (key: unknown): boolean => String(key).toLowerCase() !== name;
  if (Array.isArray(headers)) {
    return (headers as unknown[]).filter((_, i) => isOther(headers[i - (i % 2)]));
  }
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([key]) => isOther(key)));
}

/** What a handler is told, in the older style of undici and in the newer. */
const TOLD = [
  'onConnect',
  'onError',
  'onUpgrade',
  'onResponseStarted',
  'onHeaders',
  'onData',
  'onComplete',
  'onBodySent',
  'onRequestSent',
  'onRequestStart',
  'onRequestUpgrade',
  'onResponseStart',
  'onResponseData',
  'onResponseEnd',
  'onResponseError',
];

type Told = Record<string, ((...args: unknown[]) => unknown) | undefined>;

/**
 * The same handler, but `onSent` is called when the request is given to a connection, with what aborts it. Before that
 * nothing was sent.
 */
function noting(handler: object, onSent: (abort: (reason: unknown) => void) => void): object {
  const told = handler as Told;
  const noted: Told = {};
  for (const name of TOLD) {
    if (typeof told[name] !== 'function') continue;
    const isStart = name === 'onConnect' || name === 'onRequestStart';
    const note: Told[string] = (...args) => {
      if (isStart) onSent(abortOf(args[0]));
      return told[name]?.(...args);
    };
    noted[name] = note;
  }
  return noted;
}

/** A function in the older style, a method of a controller in the newer. */
function abortOf(given: unknown): (reason: unknown) => void {
  if (typeof given === 'function') return given as (reason: unknown) => void;
  return (reason) => {
    (given as { abort(reason: unknown): void }).abort(reason);
  };
}
