import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/**
 * A server that poses as an agent, for what a real one does not do when asked to. Probes (`/v1/status/leader`) and
 * questions of rights it answers by itself, as an agent does that has a leader and no ACLs.
 */
export interface PosingAgent extends AsyncDisposable {
  readonly url: string;
  /** What the script was asked. */
  readonly requests: readonly {
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
  }[];
  /** Connections made so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly open: number;
  /** Waits until `condition` holds, 5 s at most. */
  until(condition: (agent: PosingAgent) => boolean): Promise<void>;
}

/** @param script answers, one per request; the last one answers all that follow. */
export async function poseAsAgent(...script: readonly Answer[]): Promise<PosingAgent> {
  const requests: { url: string; headers: IncomingMessage['headers'] }[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/v1/status/leader') === true) {
      response.writeHead(200, { 'content-type': 'application/json' }).end('"127.0.0.1:8300"');
      return;
    }
    if (request.url?.includes('/v1/internal/acl/authorize') === true) {
      response.writeHead(401).end('ACL support disabled');
      return;
    }
    const answer = script[Math.min(requests.length, script.length - 1)];
    requests.push({ url: request.url ?? '', headers: request.headers });
    answer?.(response, request);
  });
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent: PosingAgent = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    async until(condition) {
      for (let waited = 0; !condition(agent); waited += 5) {
        if (waited > 5_000) throw new Error('the condition did not come to hold within 5 s');
        await sleep(5);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return agent;
}

export function list(entries: unknown, index: number | string = 1): Answer {
  return (response) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'x-consul-index': String(index),
    });
    response.end(JSON.stringify(entries));
  };
}

export function text(status: number, body: string, type = 'text/plain'): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': type, 'x-consul-index': '1' }).end(body);
  };
}

/** Answers never: what a parked query sees, or a client of a stopped agent. */
export const silence: Answer = () => undefined;

/** Half a list, and the connection is gone. */
export const truncated: Answer = (response) => {
  response.writeHead(200, {
    'content-type': 'application/json',
    'x-consul-index': '7',
    'content-length': '5000',
  });
  response.write('[{"Node":', () => response.destroy());
};

/** Half a list, and no more. */
export const stuck: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': '7' });
  response.write('[{"Node":');
};
