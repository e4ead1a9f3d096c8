/** Where the redirects of an attempt lead: follow-redirects follows them unseen, below the adapter. */
import type { AxiosHeaders } from 'axios';
import type { AttemptContext } from '../attempt-context.js';
import { Cancellation } from '../cancellation.js';
import { isFairleadError } from '../errors.js';
import type { Lease } from '../lease.js';
import type { Instance, Outcome } from '../types.js';
import type { Place, Route } from './axios-agent.js';
import type { ClientView } from '../client-view.js';
import type { Redirect } from './redirected.js';
import { clientFor } from './route.js';
import type { Wrapping } from './wrap-options.js';

/** What follow-redirects hands to `beforeRedirect`, as far as it matters here. It describes the next request. */
export interface RedirectOptions {
  protocol?: string;
  hostname?: string;
  port?: string | number;
  auth?: string | null;
  headers?: Record<string, unknown>;
}

/** The request of an attempt, as it is sent to the instance. */
export interface Sent {
  readonly wrapping: Wrapping;
  readonly client: ClientView;
  /** Of the URL asked for, which names the service. */
  readonly origin: URL;
  readonly isSecure: boolean;
  readonly headers: AxiosHeaders;
  /** A header of ours that is for the service alone. */
  readonly ownHeader: string | undefined;
  /** `user:password`, from the config or the URL. */
  readonly auth: () => string | undefined;
  /** Headers that are left behind on the way to another host, beside those that always are. */
  readonly sensitiveHeaders: readonly string[] | undefined;
  /** The URL is the instance's address, for what sends goes by nothing else. */
  readonly isAddressed: boolean;
  readonly attempt: AttemptContext;
}

/** Of an instance, for the requests of an attempt. */
function placeOf({ host, port, protocol }: Instance, { tlsServername }: ClientView): Place {
  return { host, port, servername: tlsServername, isSecure: protocol === 'https' };
}

/**
 * Follows one attempt over its redirects. To the service itself, or relative: on to the same instance. To another
 * service of the target: to an instance of that. To the instance's own address, or to any other host: there, as it is,
 * unless `strict` forbids it.
 */
export class RedirectedRoute implements Route {
  place: Place | undefined;
  waiting: Promise<void> | undefined;
  /** Of the service that has the request, or had it last. */
  client: ClientView;
  readonly redirect: Redirect = { followed: false, left: false };
  /** Why a redirect was not followed. */
  refused: { readonly error: unknown } | undefined;
  /** Of another service's instance, while that has the request. */
  #lease: Lease | undefined;

  constructor(private readonly sent: Sent) {
    this.client = sent.client;
    this.place = placeOf(sent.attempt.instance, sent.client);
  }

  get isAddressed(): boolean {
    return this.sent.isAddressed;
  }

  /** @throws what forbids to go there. */
  follow(options: RedirectOptions): void {
    this.redirect.followed = true;
    this.end(() => 'ignored');
    try {
      this.#follow(options);
    } catch (error) {
      this.redirect.left = true;
      this.refused = { error };
      throw error;
    }
  }

  /** The request at another service's instance, if there is one, has been answered; it ends with `end`. */
  answered(): void {
    this.#lease?.answered();
  }

  end(outcome: () => Outcome): void {
    this.#lease?.end(outcome());
    this.#lease = undefined;
  }

  #follow(options: RedirectOptions): void {
    const { client, attempt, headers, wrapping } = this.sent;
    const { instance } = attempt;
    const { hostname = '' } = options;
    const target = hostOf(options);
    // follow-redirects takes a Host header for the host that was asked: relative redirects go there.
    if (headers.get('Host') === target) {
      this.#stay(options);
      return;
    }
    if (hostname === instance.host && portOf(options) === instance.port) {
      this.place = undefined;
      return;
    }
    const to = clientFor(wrapping, { host: target, hostname });
    if (to === client) {
      this.#stay(options);
      return;
    }
    this.redirect.left = true;
    if (this.sent.ownHeader !== undefined) leaveBehind(options, this.sent.ownHeader);
    this.place = undefined;
    if (to === undefined) return;
    this.client = to;
    try {
      this.#goTo(to.pick(), options);
    } catch (error) {
      const isTooEarly = isFairleadError(error) && error.code === 'ERR_FAIRLEAD_NOT_READY';
      if (!isTooEarly || this.sent.isAddressed) throw error;
      this.waiting = this.#waitFor(to, options);
    }
  }

  /** For its first list, no longer than the attempt has. */
  async #waitFor(to: ClientView, options: RedirectOptions): Promise<void> {
    const cut = new Cancellation();
    this.sent.attempt.onAbort((reason) => {
      cut.abort(reason);
    });
    try {
      await to.ready({ signal: cut.signal });
      cut.throwIfAborted();
      this.#goTo(to.pick(), options);
    } catch (error) {
      this.refused = { error };
      throw error;
    } finally {
      this.waiting = undefined;
    }
  }

  #goTo(lease: Lease, options: RedirectOptions): void {
    this.#lease = lease;
    this.#send(options, lease.instance, this.client);
  }

  #stay(options: RedirectOptions): void {
    const { client, attempt, isSecure } = this.sent;
    this.#keepCredentials(options);
    if (isSecure) options.protocol = 'https:'; // what was asked for so is never sent in the clear
    this.#send(options, attempt.instance, client);
  }

  #send(options: RedirectOptions, instance: Instance, client: ClientView): void {
    if (instance.protocol === 'https') options.protocol = 'https:';
    this.client = client;
    this.place = placeOf(instance, client);
    if (!this.sent.isAddressed) return;
    const host = hostOf(options);
    options.hostname = instance.host;
    options.port = instance.port;
    options.headers = { host, ...options.headers };
  }

  /**
   * A redirect to the very same host looks like one to another origin where the request was sent to an address, or with
   * TLS though the URL asked for says `http`: credentials were dropped.
   */
  #keepCredentials(options: RedirectOptions): void {
    const { origin, isSecure, isAddressed, headers, auth, sensitiveHeaders = [] } = this.sent;
    const isSame = hostOf(options) === origin.host && !this.redirect.left;
    const isOther = isAddressed || (isSecure && origin.protocol === 'http:');
    if (!isSame || !isOther) return;
    const kept: Record<string, unknown> = { ...options.headers };
    const present = new Set(Object.keys(kept).map((name) => name.toLowerCase()));
    for (const name of ['Authorization', 'Cookie', ...sensitiveHeaders]) {
      if (headers.has(name) && !present.has(name.toLowerCase())) kept[name] = headers.get(name);
    }
    options.headers = kept;
    options.auth = auth() ?? options.auth ?? null;
  }
}

/** As a URL writes it. */
function hostOf({ hostname = '', port = '' }: RedirectOptions): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return port === '' ? host : `${host}:${String(port)}`;
}

function portOf({ protocol, port = '' }: RedirectOptions): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

/** A redirect to another host takes along no header `name`. */
function leaveBehind(options: RedirectOptions, name: string): void {
  const kept = Object.entries(options.headers ?? {}).filter(
    ([other]) => other.toLowerCase() !== name.toLowerCase(),
  );
  options.headers = Object.fromEntries(kept);
}
