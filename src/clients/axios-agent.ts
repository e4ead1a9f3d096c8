/** Agents that connect to an instance while the URL, and with it all that axios makes of it, stays logical. */
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type Socket } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { FairleadError } from '../errors.js';
import { addressAgent } from './address-agent.js';
import { isConnecting } from './http/when-connected.js';

/** Where connections go. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** What TLS names, sends and checks; `undefined`: what the request's Host header names. */
  readonly servername: string | undefined;
  /** It is spoken to over TLS, whatever the URL says. */
  readonly isSecure: boolean;
}

/** Says where the next request of an attempt goes; `undefined`: where its URL says. It may change with a redirect. */
export interface Route {
  readonly place: Place | undefined;
  /** Where that is still to be found: until it is, or why it is not. */
  readonly waiting: Promise<void> | undefined;
  /** The URL is that of the place: a request to another was redirected there by what does not tell. */
  readonly isAddressed: boolean;
}

/** What a request config of axios has for an agent: `false` makes one for each request. */
export type GivenAgent = http.Agent | false | null | undefined;

/** What Node hands to `addRequest`, as far as it matters here. */
interface Connection {
  host?: unknown;
  hostname?: unknown;
  port?: unknown;
  servername?: unknown;
  /** Whether it is for TLS, as the agents of proxies know it. */
  secureEndpoint?: boolean;
  checkServerIdentity?: typeof checkServerIdentity;
}

interface Request {
  agent: unknown;
  /** `null` until it has one. */
  readonly socket?: Socket | null | undefined;
  getHeader(name: string): unknown;
  onSocket(socket: undefined, error: unknown): void;
}

interface AgentInside {
  readonly protocol?: string;
  readonly defaultPort?: number;
  readonly keepAlive?: boolean;
  readonly maxSockets?: number;
  readonly options?: Record<string, unknown>;
  addRequest(request: Request, options: Connection): void;
}

/** The requests that the agents of one attempt were asked for. */
export class AskedRequests {
  #only: Request | undefined;
  #isRedirected = false;

  add(request: Request): void {
    this.#isRedirected ||= this.#only !== undefined;
    this.#only = request;
  }

  /** It waits for a connection still. Of a redirect the request before has been answered. */
  get isUnsent(): boolean {
    if (this.#only === undefined || this.#isRedirected) return false;
    const { socket } = this.#only;
    return socket === undefined || socket === null || isConnecting(socket);
  }
}

/**
 * Stands before an agent for one attempt, and has that connect to where `route` says. The agent's own options, and its
 * connections, are used as ever: they are kept by the instance's address. Not made with `Object.create`: axios treats
 * Node's own agents specially, and those of others as they are.
 */
export class RoutedAgent {
  readonly #agent: AgentInside;
  readonly #route: Route;
  readonly #asked: AskedRequests;

  constructor(agent: http.Agent, route: Route, asked: AskedRequests) {
    this.#agent = agent as unknown as AgentInside;
    this.#route = route;
    this.#asked = asked;
  }

  // Those that a request reads before it asks the agent.

  get protocol(): string | undefined {
    return this.#agent.protocol;
  }

  get defaultPort(): number | undefined {
    return this.#agent.defaultPort;
  }

  get keepAlive(): boolean | undefined {
    return this.#agent.keepAlive;
  }

  get maxSockets(): number | undefined {
    return this.#agent.maxSockets;
  }

  get options(): Record<string, unknown> | undefined {
    return this.#agent.options;
  }

  addRequest(request: Request, options: Connection): void {
    this.#asked.add(request);
    // From here on it is that agent's request, for whoever looks at it.
    request.agent = this.#agent;
    // Asked for now: older agents of proxies (agent-base before 7) look for https in the stack of the call.
    const isSecure = this.#agent.protocol === 'https:';
    if (this.#route.waiting === undefined) {
      this.#connect(request, options, isSecure);
      return;
    }
    this.#route.waiting
      .then(() => {
        this.#connect(request, options, isSecure);
      })
      .catch((error: unknown) => {
        request.onSocket(undefined, error); // as agents do; to destroy it would wait for a socket
      });
  }

  #connect(request: Request, options: Connection, isSecure: boolean): void {
    options.secureEndpoint = isSecure;
    let agent = this.#agent;
    const { place, isAddressed } = this.#route;
    if (place !== undefined && (!isAddressed || isAt(place, options))) {
      if (place.isSecure && !isSecure) throw tooLate();
      // The request's own copy.
      options.host = place.host;
      options.hostname = place.host;
      options.port = place.port;
      if (isSecure) {
        const name = place.servername ?? hostnameOf(request.getHeader('host')) ?? place.host;
        if (isIP(name) === 0) options.servername = name;
        else {
          options.servername = '';
          // An address is no SNI (RFC 6066, 3), and Node would have the certificate be for where it connects to.
          agent = addressAgent(agent as unknown as http.Agent, name) as unknown as AgentInside;
          const checkName: typeof checkServerIdentity = (_host, certificate) =>
            checkServerIdentity(name, certificate);
          options.checkServerIdentity = checkName;
          request.agent = agent;
        }
      }
    }
    agent.addRequest(request, options);
  }
}

function isAt(place: Place, { host, port }: Connection): boolean {
  return host === place.host && Number(port) === place.port;
}

/** The agent of a redirect is chosen before the list is there. */
function tooLate(): FairleadError {
  return new FairleadError(
    'ERR_FAIRLEAD_NOT_READY',
    'The instance redirected to asks for TLS, and was not known when the request was made.',
  );
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
