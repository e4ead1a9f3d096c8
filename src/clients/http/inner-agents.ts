/** The agents that have the connections: given, or made here. */
import { Agent as HttpAgent, type AgentOptions as HttpAgentOptions } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from 'node:https';
import { InvalidOptionError } from '../../errors.js';
import { destroyAddressAgents } from '../address-agent.js';
import { isObject } from '../../validate.js';

export interface InnerAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
  /** Destroys those that were made here. */
  destroy(): void;
}

/** What Node's own global agents are made with. */
const DEFAULTS: HttpAgentOptions = {
  keepAlive: true,
  scheduling: 'lifo',
  timeout: 5_000,
};

/** @throws {InvalidOptionError} for what is neither an agent of its protocol nor an object. */
export function innerAgents(
  http: HttpAgent | HttpAgentOptions = {},
  https: HttpsAgent | HttpsAgentOptions = {},
): InnerAgents {
  const httpAgent = givenAgent('leaseAgents.httpAgent', http);
  if (httpAgent instanceof HttpsAgent) {
    throw new InvalidOptionError('leaseAgents.httpAgent', 'an agent for http', 'an https.Agent');
  }
  const httpsAgent = givenAgent('leaseAgents.httpsAgent', https);
  if (httpsAgent !== undefined && isClear(httpsAgent)) {
    throw new InvalidOptionError('leaseAgents.httpsAgent', 'an agent for https', 'an http.Agent');
  }
  const made: HttpAgent[] = [];
  const own = <A extends HttpAgent>(agent: A): A => {
    made.push(agent);
    return agent;
  };
  return {
    http: httpAgent ?? own(new HttpAgent({ ...DEFAULTS, ...(http as HttpAgentOptions) })),
    https:
      (httpsAgent as HttpsAgent | undefined) ??
      own(new HttpsAgent({ ...DEFAULTS, ...(https as HttpsAgentOptions) })),
    destroy: () => {
      for (const agent of made) {
        destroyAddressAgents(agent);
        agent.destroy();
      }
      if (httpsAgent !== undefined) destroyAddressAgents(httpsAgent);
    },
  };
}

/** An agent is told by what Node calls of it, as Node tells it. */
function givenAgent(option: string, given: unknown): HttpAgent | undefined {
  if (!isObject(given)) throw new InvalidOptionError(option, 'an agent or its options', given);
  return typeof given['addRequest'] === 'function' ? (given as unknown as HttpAgent) : undefined;
}

/** One that would send in the clear what was to be sent over TLS. Those of proxies connect in ways of their own. */
function isClear(agent: HttpAgent): boolean {
  const own = agent as unknown as Record<string, unknown>;
  const plain = HttpAgent.prototype as unknown as Record<string, unknown>;
  return CONNECTING.every((name) => own[name] === plain[name]);
}

const CONNECTING = ['addRequest', 'createSocket', 'createConnection'];
