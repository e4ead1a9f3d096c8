/** What libraries are given: agents like any other, with no connection of their own. */
import { Agent as HttpAgent, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { SentOptions } from './node-internals.js';
import type { RequestRouter } from './request-router.js';

export class HttpLeaseAgent extends HttpAgent {
  readonly #router: RequestRouter;

  constructor(router: RequestRouter) {
    super();
    this.#router = router;
    lookLike(this, router.agents.http);
  }

  /** Called by Node for each request made with this agent. */
  addRequest(request: ClientRequest, options: SentOptions): void {
    this.#router.route(request, options, false);
  }
}

export class HttpsLeaseAgent extends HttpsAgent {
  readonly #router: RequestRouter;

  constructor(router: RequestRouter) {
    super();
    this.#router = router;
    lookLike(this, router.agents.https);
  }

  addRequest(request: ClientRequest, options: SentOptions): void {
    this.#router.route(request, options, true);
  }
}

/**
 * Node reads off an agent whether to keep connections alive, and libraries how many there are: both are told of the
 * agent behind. The lists are its own ones, not copies.
 */
function lookLike(agent: HttpAgent, inner: HttpAgent): void {
  const seen = inner as unknown as Record<string, unknown>;
  const own = agent as unknown as Record<string, unknown>;
  for (const name of LOOKED_AT) if (seen[name] !== undefined) own[name] = seen[name];
}

const LOOKED_AT = [
  'options',
  'keepAlive',
  'keepAliveMsecs',
  'maxSockets',
  'maxFreeSockets',
  'maxTotalSockets',
  'scheduling',
  'sockets',
  'freeSockets',
  'requests',
];
