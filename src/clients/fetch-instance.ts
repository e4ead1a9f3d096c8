import type { AttemptContext } from '../attempt.js';
import { withDefault } from './dispatch/headers.js';
import { type Listener, listenerOf } from './dispatch/listener.js';
import { replyFor } from './dispatch/replies.js';
import type { Reply } from './dispatch/reply.js';
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
    const reply = replyFor(this.attempt, listener, below);
    listener.start(reply);
    void deliver(reply, listener);
    const headers = withDefault(options.headers, 'host', url.host);
    return below.dispatch({ servername, ...options, headers }, reply);
  }
}

async function deliver(reply: Reply, listener: Listener): Promise<void> {
  await reply.answered;
  try {
    reply.hold();
  } catch (error) {
    listener.error(error);
    return;
  }
  reply.deliver(() => undefined);
}
