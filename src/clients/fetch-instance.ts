import type { AttemptContext } from '../attempt-context.js';
import type { AbortTarget, Settling } from '../caller.js';
import type { Outcome, Settled } from '../types.js';
import { withDefault } from './dispatch/headers.js';
import { abortWith, holdOpen } from './dispatch/hold-open.js';
import { type Listener, listenerOf } from './dispatch/listener.js';
import { replyFor } from './dispatch/replies.js';
import type { Reply, ReplyOwner } from './dispatch/reply.js';
import type { DispatchOptions } from './dispatch/types.js';
import { belowOf, type FetchDispatcher } from './fetch-below.js';

/** The request as it would be without an instance. */
export interface Named {
  readonly url: URL;
  readonly servername: string;
  readonly dispatcher: FetchDispatcher | undefined;
}

/**
 * For a fetch whose URL was made an instance's, in case that it heeds a `dispatcher`: then the request has the service's
 * name, in its Host header and for TLS, and the attempt is in flight until the end of the body.
 */
export class InstanceDispatcher {
  constructor(
    private readonly attempt: AttemptContext,
    private readonly named: Named,
    private readonly there: URL,
  ) {}

  get isMockActive(): boolean | undefined {
    return belowOf(this.named.dispatcher)?.isMockActive;
  }

  dispatch(options: DispatchOptions, handler: object): boolean {
    const { url, servername, dispatcher } = this.named;
    const below = belowOf(dispatcher, handler);
    const listener = listenerOf(handler);
    if (String(options.origin) !== this.there.origin || listener === undefined) {
      return below.dispatch(options, handler);
    }
    const relay = new Relay(this.attempt, listener);
    const reply = replyFor(this.attempt, relay, relay);
    listener.start(reply);
    const headers = withDefault(options.headers, 'host', url.host);
    return below.dispatch({ servername, ...options, headers }, reply);
  }
}

/** Hands an attempt's reply straight on: the call is made around the fetch, and told by that. */
class Relay implements Settling, ReplyOwner {
  readonly takesThrow = false;
  readonly isReplayable = false;
  #release: ((outcome: Outcome) => void) | undefined;

  constructor(
    private readonly attempt: AttemptContext,
    readonly listener: Listener,
  ) {}

  abortsTo(target: AbortTarget): void {
    abortWith(this.attempt, target);
  }

  settle(settled: Settled): void {
    if (!settled.ok) {
      this.listener.error(settled.error);
      return;
    }
    this.#release = holdOpen(this.attempt);
    (settled.value as Reply).deliver();
  }

  release(outcome: Outcome): void {
    this.#release?.(outcome);
  }

  answered(): void {
    // what the instance says of its load is read of the response
  }

  failed(): void {
    // fetch says so
  }

  letGo(): void {
    // nothing holds on to it
  }
}
