import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import { type Client, type ClientDefaults, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';

export interface TestServer {
  readonly port: number;
  readonly spec: { readonly host: string; readonly port: number };
  /** Requests that arrived, as `METHOD /path`. */
  readonly seen: string[];
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

const open = new Set<{ close(): Promise<void> }>();

afterEach(async () => {
  await Promise.all([...open].map((resource) => resource.close()));
  open.clear();
});

export function closeAfterwards(resource: { close(): Promise<void> }): void {
  open.add(resource);
}

/** A client of the service `orders` over these servers, in turn; closed after the test. */
export function clientOver(
  servers: readonly { readonly port: number }[],
  options: ClientDefaults = {},
): Client {
  const client = createClient({
    service: 'orders',
    discovery: memoryAdapter(servers.map(({ port }) => ({ host: '127.0.0.1', port }))),
    policy: 'round-robin',
    breaker: false,
    ...options,
  });
  closeAfterwards(client);
  return client;
}

/** A real HTTP server on a free loopback port; closed after the test. */
export async function serve(handler: RequestListener): Promise<TestServer> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
    handler(request, response);
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;
  const started: TestServer = {
    port,
    spec: { host: '127.0.0.1', port },
    seen,
    close: () =>
      new Promise((resolve) => {
        open.delete(started);
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  open.add(started);
  return started;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}

/** A port that nothing listens on: connecting is refused. */
export async function refusedPort(): Promise<number> {
  const server = await serve(() => undefined);
  await server.close();
  return server.port;
}

export async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text;
}
