import { AsyncLocalStorage } from 'node:async_hooks';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { fairleadInterceptor } from '../../src/clients/undici.js';
import { clientOver, closeAfterwards, serve } from './servers.js';

/** What tracers and loggers know a request by. */
const requestId = new AsyncLocalStorage<string>();

const IDS = ['one', 'two', 'three'];

async function listening(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterwards({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
  return (server.address() as AddressInfo).port;
}

describe('the async context of a call', () => {
  it('is that of its caller in every attempt, and for who is told of them, though limits share one timer', async () => {
    const client = clientOver([{ port: 1 }, { port: 2 }], { attemptTimeoutMs: 20 });
    await client.ready();
    const run = async (id: string): Promise<void> => {
      const seen: (string | undefined)[] = [];
      await client.call(
        ({ attempt }) => {
          seen.push(requestId.getStore());
          return attempt === 1 ? new Promise(() => undefined) : attempt;
        },
        { idempotent: true, onAttempt: () => seen.push(requestId.getStore()) },
      );
      seen.push(requestId.getStore());
      expect(seen).toEqual([id, id, id, id, id]); // two attempts, told of twice, and after the call
    };
    await Promise.all(IDS.map((id) => requestId.run(id, () => run(id))));
  });

  it('is the same for a request through undici that is sent again after a timeout and after a lost connection', async () => {
    const deaf = await listening((socket) => socket.on('error', () => undefined));
    const rude = await listening((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.destroy());
    });
    const well = await serve((_request, response) => response.end('well'));
    for (const port of [deaf, rude]) {
      const client = clientOver([{ port }, well], { attemptTimeoutMs: 50 });
      await client.ready();
      const agent = new Agent();
      closeAfterwards({ close: () => agent.destroy() });
      const dispatcher = agent.compose(fairleadInterceptor(client));
      const run = async (id: string): Promise<void> => {
        const seen: (string | undefined)[] = [];
        const options = { fairlead: { onAttempt: () => seen.push(requestId.getStore()) } };
        const response = await request('http://orders/', { dispatcher, ...options });
        expect(await response.body.text()).toBe('well');
        expect(seen.length).toBeGreaterThan(0);
        expect(new Set(seen)).toEqual(new Set([id]));
      };
      const ids = Array.from({ length: 8 }, (_, i) => `id ${String(i)}`);
      await Promise.all(ids.map((id) => requestId.run(id, () => run(id))));
    }
  });
});
