/** Requests through `leaseAgents`, and what is in flight meanwhile. */
import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage, type RequestOptions } from 'node:http';
import { onTestFinished } from 'vitest';
import {
  leaseAgents,
  type LeaseAgents,
  type LeaseAgentsOptions,
  type Target,
} from '../../src/clients/http.js';
import { type Client, createClient, type DiscoveryAdapter } from '../../src/index.js';
import { closeAfterwards } from './servers.js';

/** A client of the service `orders`, closed after the test. */
export function clientOn(discovery: DiscoveryAdapter): Client {
  const client = createClient({ service: 'orders', discovery, breaker: false });
  closeAfterwards(client);
  return client;
}

/** Agents over the clients, destroyed after the test. */
export function agentsOver(target: Target, options?: LeaseAgentsOptions): LeaseAgents {
  const agents = leaseAgents(target, options);
  closeAfterwards({
    close: () => {
      agents.destroy();
      return Promise.resolve();
    },
  });
  return agents;
}

/** A GET of `http://orders<path>`; its errors are the test's. */
export function ask(agents: LeaseAgents, path = '/', options: RequestOptions = {}): ClientRequest {
  return get(`http://orders${path}`, { agent: agents.http, ...options });
}

export async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

export async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return text;
}

/** Sends, and reads all of the answer. */
export async function fetchText(agents: LeaseAgents, path?: string): Promise<string> {
  return textOf(await answerTo(ask(agents, path)));
}

/** In flight, by instance, in the order they are listed. */
export function pending(client: Client): number[] {
  return client.snapshot().instances.map((instance) => instance.pending);
}

/** Looks at every turn of the event loop; the test's own time limit ends it. */
export function until(isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (isSo()) resolve();
      else handle = setImmediate(look);
    };
    let handle = setImmediate(look);
    onTestFinished(() => clearImmediate(handle));
  });
}
