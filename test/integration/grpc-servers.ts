/** Real gRPC servers that say who they are, and clients to ask them. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  credentials,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { closeAfterwards } from './servers.js';

const text = {
  serialize: (value: string): Buffer => Buffer.from(value),
  deserialize: (bytes: Buffer): string => bytes.toString(),
};
const ECHO = '/test.Echo/Whoami';

const echo: ServiceDefinition = {
  whoami: {
    path: ECHO,
    requestStream: false,
    responseStream: false,
    requestSerialize: text.serialize,
    requestDeserialize: text.deserialize,
    responseSerialize: text.serialize,
    responseDeserialize: text.deserialize,
  },
};

export interface GrpcServer {
  readonly name: string;
  readonly port: number;
  readonly spec: { readonly host: string; readonly port: number };
  /** Connections made so far. */
  readonly sessions: number;
  /** Calls answered. */
  readonly calls: number;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** Answers with its name, or, asked for `authority`, with what it was addressed as. */
export async function serveGrpc(
  name: string,
  { tls = ServerCredentials.createInsecure(), port = 0 } = {},
): Promise<GrpcServer> {
  const server = new Server();
  let calls = 0;
  const peers = new Set<string>();
  const whoami: handleUnaryCall<string, string> = (call, reply) => {
    calls++;
    peers.add(call.getPeer());
    reply(null, call.request === 'authority' ? call.getHost() : name);
  };
  server.addService(echo, { whoami });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${String(port)}`, tls, (error, used) => {
      if (error === null) resolve(used);
      else reject(error);
    });
  });
  const started: GrpcServer = {
    name,
    port: bound,
    spec: { host: '127.0.0.1', port: bound },
    get sessions() {
      return peers.size;
    },
    get calls() {
      return calls;
    },
    close: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
  closeAfterwards(started);
  return started;
}

export const ROUND_ROBIN = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 200,
};

export interface Caller {
  readonly channel: Client;
  /** Who answered, or an error's code and text. */
  call(options?: CallSettings): Promise<string>;
  /** So many, one after the other: how many each answered. */
  calls(count: number): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export interface CallSettings {
  readonly request?: string;
  readonly deadlineMs?: number;
  readonly waitForReady?: boolean;
}

/** A channel to a target; closed after the test. */
export function callerOf(
  target: string,
  options: ClientOptions = ROUND_ROBIN,
  secrets: ChannelCredentials = credentials.createInsecure(),
): Caller {
  const channel = new Client(target, secrets, options);
  const call = ({
    request = 'name',
    deadlineMs = 20_000,
    waitForReady = false,
  }: CallSettings = {}) =>
    new Promise<string>((resolve, reject) => {
      const metadata = new Metadata({ waitForReady });
      const settings = { deadline: Date.now() + deadlineMs };
      channel.makeUnaryRequest(
        ECHO,
        text.serialize,
        text.deserialize,
        request,
        metadata,
        settings,
        (error: ServiceError | null, reply) => {
          if (error === null) resolve(reply ?? '');
          else reject(error);
        },
      );
    });
  const caller: Caller = {
    channel,
    call,
    async calls(count) {
      const seen: Record<string, number> = {};
      for (let i = 0; i < count; i++) {
        const who = await call();
        seen[who] = (seen[who] ?? 0) + 1;
      }
      return seen;
    },
    close: () => {
      channel.close();
      return Promise.resolve();
    },
  };
  closeAfterwards(caller);
  return caller;
}

/** Calls until all of these, and nobody else, have answered in a round of calls: connections take their time. */
export async function settlesOn(caller: Caller, servers: readonly GrpcServer[]): Promise<void> {
  const wanted = servers.map(({ name }) => name).sort();
  const endMs = Date.now() + 20_000;
  let seen: string[] = [];
  while (Date.now() < endMs) {
    const round = await caller.calls(3 * servers.length).catch(() => ({}));
    seen = Object.keys(round).sort();
    if (seen.join() === wanted.join()) return;
    await sleep(20);
  }
  throw new Error(`Calls go to ${seen.join()}, not to ${wanted.join()}.`);
}
