/** Closes the keep-alive connections of Node's agents to instances that take no more calls. */
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { ClientView } from '../client-view.js';
import { isObject } from '../validate.js';

type Drains = Pick<ClientView, 'on' | 'origin'>;

/** By client, the agents that its requests have gone through. */
const agentsOf = new WeakMap<object, AgentSet>();

/**
 * Has the idle connections to an instance of `client` closed when the instance has drained, in the agent that sent
 * `request`: whichever that was, for what a request is configured with is not always what it is sent with. Listens to
 * each client once, however many requests come, until the client closes.
 *
 * @param request what was sent; anything but a `ClientRequest` with an agent is let be.
 */
export function closeOnceDrained(client: Drains, request: unknown): void {
  if (!isObject(request) || !(request['agent'] instanceof Agent)) return;
  const origin = client.origin ?? client;
  let agents = agentsOf.get(origin);
  if (agents === undefined) {
    const known = new AgentSet();
    client.on('instance.drained', ({ url }) => {
      for (const agent of known) closeIdle(agent, url);
    });
    agentsOf.set(origin, known);
    agents = known;
  }
  agents.add(request['agent']);
}

/** Holds none of them: an application may make agents as it goes. One with a connection is held by that. */
class AgentSet {
  readonly #known = new WeakSet<Agent>();
  readonly #refs = new Set<WeakRef<Agent>>();
  readonly #gone = new FinalizationRegistry<WeakRef<Agent>>((ref) => this.#refs.delete(ref));

  add(agent: Agent): void {
    if (this.#known.has(agent)) return;
    this.#known.add(agent);
    const ref = new WeakRef(agent);
    this.#refs.add(ref);
    this.#gone.register(agent, ref);
  }

  *[Symbol.iterator](): Iterator<Agent> {
    for (const ref of this.#refs) {
      const agent = ref.deref();
      if (agent !== undefined) yield agent;
    }
  }
}

/** Sockets that will be closed when they are next idle. */
const leaving = new WeakSet<Socket>();

/** Closes the agent's idle connections to the host and port of `url`, and those in use once they become idle. */
function closeIdle(agent: Agent, url: string): void {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, ''); // IPv6, as agents write it
  const origin = `${host}:${port || (protocol === 'https:' ? '443' : '80')}:`;
  for (const socket of socketsTo(origin, agent.freeSockets)) socket.destroy();
  // An attempt is over with the response; its connection is returned a little later, and much later where the
  // response came before the request was written.
  for (const socket of socketsTo(origin, agent.sockets)) {
    if (leaving.has(socket)) continue;
    leaving.add(socket);
    // The agent listens too, and came first: by now the socket is back, or has the next waiting request on it.
    socket.on('free', () => {
      if (socketsTo(origin, agent.freeSockets).includes(socket)) socket.destroy();
    });
  }
}

/** An agent's keys begin with `host:port:`; what the connections were made with follows (address family, TLS). */
function socketsTo(origin: string, sockets: NodeJS.ReadOnlyDict<Socket[]>): Socket[] {
  return Object.entries(sockets).flatMap(([key, list = []]) =>
    key.startsWith(origin) ? list : [],
  );
}
