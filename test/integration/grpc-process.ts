/** Calls through channels, closes them or does not, and has nothing left to do: it must end by itself. */
import { Client, credentials, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { consul } from '../../adapters/consul.js';
import { registerFairlead } from '../../src/clients/grpc.js';
import { memoryAdapter } from '../../src/testing.js';

const [end = '', consulUrl = ''] = process.argv.slice(2);
const server = new Server();
server.register(
  '/test.Echo/Whoami',
  (_call: unknown, reply: (error: null, value: string) => void) => {
    reply(null, 'hello from a');
  },
  (value: string) => Buffer.from(value),
  String,
  'unary',
);
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
    if (error === null) resolve(bound);
    else reject(error);
  });
});
registerFairlead({
  discovery: consul({ url: consulUrl }), // never answers
  defaults: { readyTimeoutMs: 300 },
  services: { orders: { discovery: memoryAdapter([{ host: '127.0.0.1', port }]) } },
});

const channels = ['orders', 'users'].map((service) => {
  const channel = new Client(`fairlead:///${service}`, credentials.createInsecure());
  return { channel, call: () => call(channel) };
});
for (const { call } of channels) console.log(await call());
if (end === 'close') for (const { channel } of channels) channel.close();
server.forceShutdown();
process.once('exit', () => {
  console.log('ended by itself');
});

function call(channel: Client): Promise<string> {
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, value?: string): void => {
      resolve(error === null ? String(value) : error.message.slice(0, '14 UNAVAILABLE'.length));
    };
    channel.makeUnaryRequest(
      '/test.Echo/Whoami',
      (value: string) => Buffer.from(value),
      String,
      'name',
      done,
    );
  });
}
