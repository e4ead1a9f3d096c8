import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openAgent } from '../../adapters/consul/agent.js';
import { readAgentOptions } from '../../adapters/consul/agent-options.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

/** What one request to a server that hangs up on whatever it hears comes to. */
async function requestOnce(): Promise<{ error: unknown; mayHaveArrived: boolean; heard: number }> {
  let heard = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      heard++;
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const settings = readAgentOptions({ url: `http://127.0.0.1:${String(port)}` });
  const agent = openAgent(settings, new ManualClock(), 1);
  let mayHaveArrived = false;
  try {
    const request = { path: '/agent/self', deadlineMs: 10_000 };
    await agent.request(request, new AbortController().signal, () => {
      mayHaveArrived = true;
    });
    throw new Error('it was answered');
  } catch (error) {
    return { error, mayHaveArrived, heard };
  } finally {
    agent.close();
    server.close();
  }
}

/** As if two seconds went by before the connection was there. */
function swallowConnections(): void {
  const setTimeout = Socket.prototype.setTimeout;
  vi.spyOn(Socket.prototype, 'setTimeout').mockImplementation(function (
    this: Socket,
    ms: number,
    onTimeout?: () => void,
  ) {
    if (ms === 2_000 && onTimeout !== undefined) process.nextTick(onTimeout);
    else setTimeout.call(this, ms, onTimeout);
    return this;
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a request without a reply', () => {
  it('may have been carried out when its connection was there', async () => {
    const { mayHaveArrived, heard } = await requestOnce();
    expect({ mayHaveArrived, heard }).toEqual({ mayHaveArrived: true, heard: 1 });
  });

  it('was not sent when no connection came in time', async () => {
    swallowConnections();
    const { error, mayHaveArrived, heard } = await requestOnce();
    expect({ mayHaveArrived, heard }).toEqual({ mayHaveArrived: false, heard: 0 });
    expect(error).toMatchObject({ message: 'no connection within 2 s (ETIMEDOUT)' });
  });
});
