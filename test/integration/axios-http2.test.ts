/** HTTP/2 below a wrapped axios: its sessions connect by themselves. */
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { inspect } from 'node:util';
import axios, { type AxiosRequestConfig } from 'axios';
import { expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { clientOver, closeAfterwards } from './servers.js';
import { pem } from './tls-servers.js';

interface Seen {
  readonly authority: string;
  readonly version: string;
  readonly port: number;
}

interface Http2Server {
  readonly port: number;
  /** Connections so far. */
  connections: number;
}

/** Shows a certificate for `orders`. */
async function serveHttp2(): Promise<Http2Server> {
  const sockets = new Set<Socket>();
  const server = createSecureServer(
    { key: pem('key'), cert: pem('orders') },
    (request, response) => {
      const { authority, httpVersion: version } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ authority, version, port: started.port }));
    },
  );
  server.on('connection', (socket: Socket) => {
    started.connections++;
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const started = { port: (server.address() as AddressInfo).port, connections: 0 };
  closeAfterwards({
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  });
  return started;
}

const config = (ca = pem('authority')): AxiosRequestConfig =>
  ({ baseURL: 'https://orders', httpVersion: 2, http2Options: { ca } }) as AxiosRequestConfig;

it('goes to each instance by a session of its own, for the name of the service', async () => {
  const servers = [await serveHttp2(), await serveHttp2()];
  const http = wrapAxios(axios.create(config()), clientOver(servers));
  const seen: Seen[] = [];
  for (let i = 0; i < 4; i++) seen.push((await http.get<Seen>('/x')).data);
  for (const { port, connections } of servers) {
    expect(seen.filter((one) => one.port === port)).toHaveLength(2);
    expect(connections).toBe(1);
  }
  for (const { authority, version } of seen) {
    expect(version).toBe('2.0');
    expect(authority).toMatch(/^orders(:443)?$/);
  }
});

it('refuses a certificate for another name, or of another authority', async () => {
  const servers = [await serveHttp2()];
  for (const http of [
    wrapAxios(axios.create(config()), clientOver(servers, { tls: { servername: 'users' } })),
    wrapAxios(axios.create(config(pem('strange-authority'))), clientOver(servers)),
  ]) {
    const error: unknown = await http.get('/').catch((e: unknown) => e);
    expect(error).toMatchObject({ isAxiosError: true, code: 'ERR_HTTP2_STREAM_CANCEL' });
    // Node says so of every stream of a session that came to nothing; why it did is the cause.
    expect(inspect(error)).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID|UNABLE_TO_VERIFY|SELF_SIGNED/);
  }
});
