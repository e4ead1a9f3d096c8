import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { expect, it } from 'vitest';
import { memoryAdapter } from '../../src/testing.js';
import { agentsOver, clientOn } from './http-agents-rig.js';

/** The first byte of a TLS record that begins a handshake. */
const TLS_HANDSHAKE = 0x16;

function isSecureEndpoint(): boolean {
  return (new Error().stack ?? '').split('\n').some((line) => line.includes('node:https:'));
}

interface Taker {
  onSocket(socket: net.Socket): void;
}

interface Options {
  readonly host: string;
  readonly port: number;
  readonly servername?: string;
  readonly secureEndpoint?: unknown;
}

/** As agent-base 6 (https-proxy-agent 5, pac-proxy-agent 5, socks-proxy-agent 6 ...) tells http from https. */
class OldProxyAgent extends http.Agent {
  addRequest(request: Taker, { host, port, servername, secureEndpoint }: Options): void {
    const isSecure = typeof secureEndpoint === 'boolean' ? secureEndpoint : isSecureEndpoint();
    const socket = net.connect(port, host);
    const connection = isSecure ? tls.connect({ socket, servername }) : socket;
    connection.on('error', () => undefined);
    request.onSocket(connection);
  }
}

it.each([
  ['https', 'http'],
  ['http', 'https'],
] as const)(
  'an older agent of proxies, %s URL and %s instance: TLS from the first byte',
  async (scheme, protocol) => {
    const server = net.createServer((socket) => socket.on('error', () => undefined));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const firstByte = new Promise<number | undefined>((resolve) => {
      server.once('connection', (socket) => {
        socket.once('data', ([first]) => {
          resolve(first);
          socket.destroy();
        });
      });
    });
    const { port } = server.address() as net.AddressInfo;
    const client = clientOn(memoryAdapter([{ host: '127.0.0.1', port, protocol }]));
    await client.ready();
    const httpsAgent = new OldProxyAgent() as unknown as https.Agent;
    const agents = agentsOver(client, { httpsAgent });
    const request =
      scheme === 'https'
        ? https.get('https://orders/', { agent: agents.https })
        : http.get('http://orders/', { agent: agents.http });
    request.on('error', () => undefined);
    expect(await firstByte).toBe(TLS_HANDSHAKE);
    server.close();
  },
);
