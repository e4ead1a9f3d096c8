/** What an https agent of Node does not do by itself: hold certificates against an address other than the one it connects to. */
import type { Agent as HttpAgent } from 'node:http';
import { Agent } from 'node:https';
import { checkServerIdentity } from 'node:tls';

/** By the agent that stands behind, and the address. */
const made = new WeakMap<HttpAgent, Map<string, Agent>>();

/**
 * An agent like `agent` whose certificates must be for `address`. It has connections and sessions of its own: Node keeps
 * them by what was sent as name, and an address is not sent (RFC 6066, 3), so what was checked for one address, or for
 * none, would serve a request that asks for another. A check of the agent's own is made, too, and told the address.
 *
 * An agent of another class is given back as it is: it connects in a way of its own.
 */
export function addressAgent(agent: HttpAgent, address: string): HttpAgent {
  if (agent.constructor !== Agent) return agent;
  let byAddress = made.get(agent);
  if (byAddress === undefined) {
    byAddress = new Map();
    made.set(agent, byAddress);
  }
  let found = byAddress.get(address);
  if (found === undefined) {
    const { options } = agent as Agent;
    const check = options.checkServerIdentity ?? checkServerIdentity;
    found = new Agent({
      ...options,
      servername: '',
      checkServerIdentity: (_host, certificate) => check(address, certificate),
    });
    byAddress.set(address, found);
  }
  return found;
}

/** Destroys those that were made like `agent`. */
export function destroyAddressAgents(agent: HttpAgent): void {
  for (const like of made.get(agent)?.values() ?? []) like.destroy();
  made.delete(agent);
}
