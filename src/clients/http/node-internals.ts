/** What Node's agents and requests are made of, as every agent of others knows it, and Node's types do not. */
import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { Socket } from 'node:net';

/** What a request is given to its agent with: `host` and `port` are always there. */
export type SentOptions = RequestOptions & {
  readonly host: string;
  readonly port: number | string;
  /** Whether it is for TLS, as the agents of proxies know it. */
  readonly secureEndpoint?: boolean;
};

interface RequestTaker {
  addRequest(request: ClientRequest, options: SentOptions): void;
}

/** A request as its agent sees it. */
export interface AgentRequest {
  agent: Agent;
  readonly res: IncomingMessage | null;
  /** The agent's answer: a socket, or why there is none. A request destroyed before it ends itself then. */
  onSocket: (socket: Socket | null, error?: Error) => void;
}

export function asAgentSees(request: ClientRequest): AgentRequest {
  return request as unknown as AgentRequest;
}

export function addRequest(agent: Agent, request: ClientRequest, options: SentOptions): void {
  asAgentSees(request).agent = agent; // its timeout is the one that counts, and it has the sockets
  (agent as unknown as RequestTaker).addRequest(request, options);
}

/** Ends a request that got no socket: it emits `error`, later, and then `close`. */
export function failRequest(request: ClientRequest, error: Error): void {
  asAgentSees(request).onSocket(null, error);
}

/**
 * Calls `listener` once the request is destroyed, aborted or its signal aborts. No event tells of it in time: without a
 * socket there is none at all.
 *
 * @returns the function that takes the listener away again.
 */
export function onDestroy(
  request: ClientRequest,
  listener: (error: Error | undefined) => void,
): () => void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its request, and put back as it was
  const original = request.destroy;
  let isListening = true;
  const destroy = (error?: Error): ClientRequest => {
    const isFirst = isListening && !request.destroyed;
    original.call(request, error);
    if (isFirst) listener(error);
    return request;
  };
  request.destroy = destroy;
  return () => {
    isListening = false;
    // Not deleted: V8 makes objects slow that have lost a property. Somebody else may have wrapped it since.
    if (request.destroy === destroy) request.destroy = original;
  };
}
