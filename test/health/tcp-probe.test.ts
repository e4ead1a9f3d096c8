import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toInstance } from '../../src/discovery.js';
import { tcpProbe } from '../../src/health/tcp-probe.js';
import { refusedPort } from '../integration/servers.js';
import { watched } from '../support/promises.js';

const { signal } = new AbortController();

/** A server that says nothing; gives its port and what connects. */
async function listening(host: string): Promise<{ port: number; connections: Socket[] }> {
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    socket.resume();
    connections.push(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of connections) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, connections };
}

const at = (host: string, port: number) => toInstance({ host, port }, 'test');

describe('tcpProbe', () => {
  it.each(['127.0.0.1', '::1'])('is good when %s accepts, and hangs up', async (host) => {
    const { port, connections } = await listening(host);
    await expect(tcpProbe(undefined)(at(host, port), signal)).resolves.toBeUndefined();
    await expect.poll(() => connections.length).toBe(1);
    await expect.poll(() => connections[0]?.destroyed).toBe(true);
  });

  it('asks the port of the check where it has one', async () => {
    const { port } = await listening('127.0.0.1');
    await expect(tcpProbe(port)(at('127.0.0.1', 1), signal)).resolves.toBeUndefined();
  });

  it('tries all addresses of a name', async () => {
    const { port } = await listening('127.0.0.1');
    await expect(tcpProbe(undefined)(at('localhost', port), signal)).resolves.toBeUndefined();
  });

  it('fails by the name of the error', async () => {
    const port = await refusedPort();
    const refused = { message: 'ECONNREFUSED' };
    await expect(tcpProbe(undefined)(at('127.0.0.1', port), signal)).rejects.toMatchObject(refused);
    await expect(tcpProbe(undefined)(at('localhost', port), signal)).rejects.toMatchObject(refused);
  });

  it('ends with the signal', async () => {
    const abort = new AbortController();
    const { port, connections } = await listening('127.0.0.1');
    const probe = watched(tcpProbe(undefined)(at('127.0.0.1', port), abort.signal));
    abort.abort();
    await expect.poll(() => probe.status).toBe('rejected');
    expect(probe.error).toMatchObject({ message: 'ABORT_ERR' });
    expect(connections).toEqual([]);
  });
});
