/** `fairlead/http`: agents of Node's http and https whose requests go to instances of a service. */
import type { Agent as HttpAgent, AgentOptions as HttpAgentOptions } from 'node:http';
import type { Agent as HttpsAgent, AgentOptions as HttpsAgentOptions } from 'node:https';
import { checkKeys, checkMs } from '../validate.js';
import type { HashKey, HashRequest } from './hash-key.js';
import { innerAgents } from './http/inner-agents.js';
import { HttpLeaseAgent, HttpsLeaseAgent } from './http/lease-agent.js';
import { RequestRouter } from './http/request-router.js';
import type { Target } from './target.js';
import { resolveWrapping, type WrapOptions } from './wrap-options.js';

export type { HashKey, HashRequest, Target };

/** Options of {@link leaseAgents}. */
export interface LeaseAgentsOptions extends Pick<WrapOptions, 'hashKey' | 'strict'> {
  /**
   * The agent that has the connections, or the options to make one with. One that is given stays yours: it is not
   * destroyed. Default: as Node's global agent, `{ keepAlive: true, scheduling: 'lifo', timeout: 5000 }`; options are
   * added to these.
   */
  readonly httpAgent?: HttpAgent | HttpAgentOptions | undefined;
  /** The same for https: `{ ca, cert, key }` and what else TLS needs. */
  readonly httpsAgent?: HttpsAgent | HttpsAgentOptions | undefined;
  /**
   * Time in ms for a connection to an instance, TLS included, before another instance is tried. Default 2000; less where
   * the client's `attemptTimeoutMs` or the request's own `timeout` is less.
   */
  readonly connectTimeoutMs?: number | undefined;
}

/** Can be given to got as it is: `agent: leaseAgents(pool)`. */
export interface LeaseAgents {
  /** For URLs with `http:`. Where an instance has the protocol `https`, it is spoken to over TLS all the same. */
  readonly http: HttpAgent;
  /** For URLs with `https:`, which are never sent in the clear, whatever the instance's protocol. */
  readonly https: HttpsAgent;
  /**
   * Ends all requests under way and closes their connections, but for those that have become something else (a
   * WebSocket). Later requests are refused with `ERR_FAIRLEAD_CLOSED`. May be called more than once.
   */
  destroy(): void;
}

/**
 * Agents for every library that sends with Node's `http` and takes an agent: got, superagent, node-fetch, needle, SDKs,
 * `http.request` itself. Where the host of a request's URL names a service of `target`, the request goes to one of its
 * instances; any other goes where it says. The URL, the `Host` header and the name that a TLS certificate is verified
 * for stay those of the service (or its `tls.servername`).
 *
 * An instance that cannot be reached costs no request: before anything of it is sent, whatever its method, another
 * instance is tried, up to the client's `retry.maxAttempts` in all. What goes wrong after that is the library's to
 * retry, if it does; each retry is a request that picks anew. A request for which there is no instance emits the
 * {@link FairleadError}. Requests wait for the first list up to the client's `readyTimeoutMs`.
 *
 * A request is in flight at its instance until its response has ended, an upgraded connection until it closes, and is
 * judged as a call is. The client's `attemptTimeoutMs`, where one is set, bounds the time until the answer: the request
 * then fails with `ETIMEDOUT`. Its `timeoutMs`, `hedge` and retries are not used, for only a library knows its
 * calls; neither is there a `deadlineHeader`. What a response says of its instance's load in an `endpoint-load-metrics`
 * header is kept. When an instance has drained its idle connections are closed. Idle agents keep no process alive.
 *
 * @throws {InvalidOptionError} when `target` is neither a client nor a pool, and naming the option out of range.
 */
export function leaseAgents(target: Target, options: LeaseAgentsOptions = {}): LeaseAgents {
  checkKeys('leaseAgents', options, KEYS);
  const { httpAgent, httpsAgent, connectTimeoutMs = 2_000, hashKey, strict } = options;
  const wrapping = resolveWrapping('leaseAgents', target, { hashKey, strict });
  const router = new RequestRouter({
    wrapping,
    agents: innerAgents(httpAgent, httpsAgent),
    connectTimeoutMs: checkMs('leaseAgents.connectTimeoutMs', connectTimeoutMs),
  });
  const agents = { http: new HttpLeaseAgent(router), https: new HttpsLeaseAgent(router) };
  // Not enumerable: got refuses agents by any other name than its own.
  return Object.defineProperty(agents, 'destroy', {
    value: () => {
      router.destroy();
    },
  }) as typeof agents & LeaseAgents;
}

const KEYS = ['hashKey', 'strict', 'httpAgent', 'httpsAgent', 'connectTimeoutMs'];
