/** Agents that connect to an instance while the URL, and with it all that axios makes of it, stays logical. */
import { createHash } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/** Where connections go. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** What TLS names, sends and checks; `undefined`: what the request's Host header names. */
  readonly servername: string | undefined;
}

/** Says where the next request of an attempt goes; `undefined`: where its URL says. It may change with a redirect. */
export interface Route {
  readonly place: Place | undefined;
}

/** What a request config of axios has for an agent: `false` makes one for each request. */
export type GivenAgent = http.Agent | false | null | undefined;

/** What Node hands to `addRequest`, as far as it matters here. */
type Connection = Record<string, unknown>;

interface AgentInside {
  readonly protocol?: string;
  readonly defaultPort?: number;
  readonly keepAlive?: boolean;
  readonly maxSockets?: number;
  readonly options?: Record<string, unknown>;
  addRequest(request: http.ClientRequest, options: Connection): void;
}

/**
 * Stands before an agent for one attempt, and has that connect to where `route` says. The agent's own options, and its
 * connections, are used as ever: they are kept by the instance's address. Not made with `Object.create`: axios treats
 * Node's own agents specially, and those of others as they are.
 */
export class RoutedAgent {
  /** Those that a request reads before it asks the agent. */
  readonly protocol: string | undefined;
  readonly defaultPort: number | undefined;
  readonly keepAlive: boolean | undefined;
  readonly maxSockets: number | undefined;
  readonly options: Record<string, unknown> | undefined;
  readonly #agent: AgentInside;

  constructor(
    agent: http.Agent,
    private readonly route: Route,
  ) {
    const inside = agent as unknown as AgentInside;
    this.protocol = inside.protocol;
    this.defaultPort = inside.defaultPort;
    this.keepAlive = inside.keepAlive;
    this.maxSockets = inside.maxSockets;
    this.options = inside.options;
    this.#agent = inside;
  }

  addRequest(request: http.ClientRequest, options: Connection): void {
    // From here on it is that agent's request, for whoever looks at it.
    Object.assign(request, { agent: this.#agent });
    const { place } = this.route;
    if (place === undefined) {
      this.#agent.addRequest(request, options);
      return;
    }
    const { host, port, servername } = place;
    // The request's own copy. No name in the clear: Node would work one out for each request.
    const moved = Object.assign(options, { host, hostname: host, port, servername: '' });
    if (this.protocol === 'https:') {
      const name = servername ?? hostnameOf(request.getHeader('host')) ?? host;
      if (isIP(name) !== 0) {
        verifying(name, this.#agent).addRequest(request, moved);
        return;
      }
      moved.servername = name;
    }
    this.#agent.addRequest(request, moved);
  }
}

/** By agent, and then by address. */
const verifiers = new WeakMap<AgentInside, Map<string, AgentInside>>();

/**
 * The same agent, with its connections, but that TLS asks for no name and has the certificate be for an address: an
 * address is no SNI (RFC 6066, 3). A connection that was checked for it must not serve a request that asks for another,
 * nor must its session: no other part of an agent's key is free to tell them apart, and on a client that one has no
 * effect besides. In the agent's options, for those go before what a request says.
 */
function verifying(address: string, agent: AgentInside): AgentInside {
  let known = verifiers.get(agent);
  if (known === undefined) {
    known = new Map();
    verifiers.set(agent, known);
  }
  let verifier = known.get(address);
  if (verifier === undefined) {
    const { options = {} } = agent;
    const check = (options['checkServerIdentity'] ??
      checkServerIdentity) as typeof checkServerIdentity;
    const own = options['sessionIdContext'];
    const context = `${typeof own === 'string' ? own : ''} ${address}`;
    const verified = {
      ...options,
      // OpenSSL takes no more than 32 bytes.
      sessionIdContext: createHash('sha256').update(context).digest('hex').slice(0, 32),
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        check(address, certificate),
    };
    verifier = Object.create(agent, { options: { value: verified } }) as AgentInside;
    known.set(address, verifier);
  }
  return verifier;
}

/** Without the port, and without the brackets of IPv6. */
function hostnameOf(header: unknown): string | undefined {
  if (typeof header !== 'string') return undefined;
  if (header.startsWith('[')) return header.slice(1, header.indexOf(']'));
  return header.split(':', 1)[0];
}

/** The agent that a request is sent with, which is never one that goes by way of a proxy that the environment names. */
export function agentFor(protocol: 'http:' | 'https:', given: GivenAgent): http.Agent {
  const module = protocol === 'https:' ? https : http;
  if (given === false) return new module.Agent();
  return direct(given ?? module.globalAgent);
}

/** By an agent made to heed the environment's proxies (Node 24 and later), its like that does not. */
const directs = new WeakMap<http.Agent, http.Agent>();

function direct(agent: http.Agent): http.Agent {
  const { options, constructor } = agent as unknown as {
    readonly options?: Record<string, unknown>;
    readonly constructor: new (options: Record<string, unknown>) => http.Agent;
  };
  if (options?.['proxyEnv'] === undefined || options['proxyEnv'] === null) return agent;
  let known = directs.get(agent);
  if (known === undefined) {
    known = new constructor({ ...options, proxyEnv: undefined });
    directs.set(agent, known);
  }
  return known;
}
