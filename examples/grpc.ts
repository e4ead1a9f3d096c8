/** gRPC: channels to `fairlead:///<service>` follow the service's instances; how calls are spread stays gRPC's. */
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { createClientPool, fromEmitter, type InstanceSpec } from 'fairlead';
import { registerFairlead } from 'fairlead/grpc';

const servers = [await start('a'), await start('b')];

// In place of Consul: a source that tells its list whenever it changes.
let publish: (instances: readonly InstanceSpec[]) => void = () => undefined;
const discovery = fromEmitter('by hand', (_service, sink) => {
  publish = (instances) => {
    sink.emit({ kind: 'instances', instances });
  };
  publish(servers.map(({ port }) => ({ host: '127.0.0.1', port })));
  return () => undefined;
});

const pool = createClientPool({ discovery });
registerFairlead(pool);

// As with any channel: generated clients take the same target and options.
const greeter = new Client('fairlead:///greeter', credentials.createInsecure(), {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
});
// gRPC connects to both at once; whoever is first answers until the other is connected too.
for (const seen = new Set<string>(); seen.size < 2;) seen.add(await hello('everybody'));
for (let i = 1; i <= 4; i++) console.log(await hello('world')); // "a" and "b" in turn

const changed = new Promise((resolve) => {
  pool.client('greeter').on('instances.changed', () => setImmediate(resolve));
});
publish(servers.slice(0, 1).map(({ port }) => ({ host: '127.0.0.1', port })));
await changed;
for (let i = 1; i <= 3; i++) console.log(await hello('again')); // "a" alone

greeter.close();
await pool.close();
for (const { server } of servers) server.forceShutdown();

function hello(name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 2_000 };
    greeter.makeUnaryRequest(
      '/demo.Greeter/Hello',
      write,
      String,
      name,
      options,
      (error, reply) => {
        if (error === null) resolve(reply ?? '');
        else reject(error);
      },
    );
  });
}

/** Stands in for what protoc or @grpc/proto-loader makes. */
function write(text: string): Buffer {
  return Buffer.from(text);
}

/** A server on a free port, so that the example runs anywhere. */
async function start(me: string): Promise<{ server: Server; port: number }> {
  const server = new Server();
  server.register<string, string>(
    '/demo.Greeter/Hello',
    (call: { request: string }, reply: (error: null, value: string) => void) => {
      reply(null, `hello ${call.request}, from ${me}`);
    },
    write,
    String,
    'unary',
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return { server, port };
}
