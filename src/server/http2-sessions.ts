import type { Http2ServerResponse, Http2Session } from 'node:http2';

const NO_ERROR = 0;
/** The last stream there can be: none of what is under way is turned away. */
const LAST_STREAM = 2 ** 31 - 1;

/**
 * HTTP/2 has no `Connection: close`: a client is told to go by a GOAWAY. The first one names the last stream there can be,
 * so that requests already on their way are served; the second, sent when all is done, ends the session.
 *
 * Source: RFC 9113, 6.8.
 */
export class Http2Sessions {
  readonly #open = new Set<Http2Session>();
  #leaving = false;

  /** A session that a request came by. */
  add({ stream: { session } }: Http2ServerResponse): void {
    if (session === undefined || this.#open.has(session)) return;
    if (session.closed || session.destroyed) return;
    this.#open.add(session);
    session.once('close', () => this.#open.delete(session));
    if (this.#leaving) session.goaway(NO_ERROR, LAST_STREAM);
  }

  /** Tells those there are, and all that come, to send no more requests. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    for (const session of this.#open) {
      if (!session.closed && !session.destroyed) session.goaway(NO_ERROR, LAST_STREAM);
    }
  }

  /** Ends the sessions as soon as their streams have ended. */
  close(): void {
    for (const session of this.#open) session.close();
  }
}
