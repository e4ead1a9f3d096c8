/** Servers that are spoken to over TLS, and what they saw of it. Their certificates: scripts/make-certificates.ts. */
import { readFileSync } from 'node:fs';
import { createServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import {
  createSecureContext,
  type PeerCertificate,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';
import { closeAfterwards } from './servers.js';

/** The files of test/integration/tls/. `cert` is for `orders` and its own authority. */
export type PemName =
  | 'address'
  | 'authority'
  | 'cert'
  | 'client'
  | 'common-name'
  | 'expired'
  | 'future'
  | 'internal'
  | 'key'
  | 'orders'
  | 'strange-authority'
  | 'strange-client'
  | 'stranger'
  | 'users'
  | 'wildcard';

export const pem = (name: PemName): string =>
  readFileSync(new URL(`tls/${name}.pem`, import.meta.url), 'utf8');

/** How a server presents itself. */
export interface Presenting {
  /** What it shows to whom asks for no name that it knows. Default: it has nothing, and no handshake succeeds. */
  readonly cert?: PemName;
  /** What it shows to whom asks for these names. */
  readonly byName?: Readonly<Record<string, PemName>>;
  /** What becomes of an unknown name where there is `byName`. Default: `cert` is shown. */
  readonly unknownName?: 'refused';
  /** Whether callers must show a certificate of our authority. Default false. */
  readonly mutual?: boolean;
  readonly versions?: readonly [min: SecureVersion, max: SecureVersion];
}

/** What the server saw of a request; it is the body of its answer, too. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  /** The name asked for (SNI); empty where none was, and for a resumed session of TLS 1.2. */
  readonly servername: string;
  readonly resumed: boolean;
  readonly version: string;
  /** Whose certificate the caller showed; empty where it showed none. */
  readonly caller: string;
}

export interface TlsServer {
  readonly port: number;
  readonly spec: { readonly host: string; readonly port: number; readonly protocol: 'https' };
  readonly seen: Seen[];
  /** Handshakes that ended well so far. */
  readonly handshakes: number;
  /** Those of them that resumed a session. */
  readonly resumed: number;
  close(): Promise<void>;
}

/**
 * On a free port; closed after the test. `/to?<location>` redirects, `/close` ends the connection with its answer, and
 * anything else is answered with {@link Seen}.
 */
export async function serveTls(presenting: Presenting, address = '127.0.0.1'): Promise<TlsServer> {
  const seen: Seen[] = [];
  let handshakes = 0;
  let resumed = 0;
  const server = createServer(optionsOf(presenting), (request, response) => {
    const socket = request.socket as TLSSocket & { readonly servername: string | false };
    const { method = '', url = '' } = request;
    const one: Seen = {
      method,
      url,
      host: request.headers.host ?? '',
      servername: socket.servername === false ? '' : socket.servername,
      resumed: socket.isSessionReused(),
      version: socket.getProtocol() ?? '',
      caller: callerOf(socket),
    };
    seen.push(one);
    const [, location] = url.split('/to?');
    if (location !== undefined) response.writeHead(302, { location });
    if (url === '/close') response.setHeader('connection', 'close');
    request.resume().once('end', () => response.end(JSON.stringify(one)));
  });
  server.on('secureConnection', (socket) => {
    handshakes++;
    if (socket.isSessionReused()) resumed++;
  });
  server.on('tlsClientError', () => {}); // what the caller makes of it is what is looked at
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  const started: TlsServer = {
    port,
    spec: { host: address, port, protocol: 'https' },
    seen,
    get handshakes() {
      return handshakes;
    },
    get resumed() {
      return resumed;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  closeAfterwards(started);
  return started;
}

function callerOf(socket: TLSSocket): string {
  const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>; // empty where there is none
  return String(subject?.CN ?? '');
}

function optionsOf({ cert, byName, unknownName, mutual, versions }: Presenting): ServerOptions {
  const contextOf = (name: PemName) => createSecureContext({ key: pem('key'), cert: pem(name) });
  const contexts = new Map(
    Object.entries(byName ?? {}).map(([name, file]) => [name, contextOf(file)]),
  );
  const others = cert === undefined || unknownName === 'refused' ? undefined : contextOf(cert);
  return {
    ...(cert !== undefined && { key: pem('key'), cert: pem(cert) }),
    ...(byName !== undefined && {
      SNICallback: (
        name: string,
        done: Parameters<NonNullable<ServerOptions['SNICallback']>>[1],
      ) => {
        const context = contexts.get(name) ?? others;
        if (context === undefined) done(new Error(`no ${name} here`));
        else done(null, context);
      },
    }),
    ...(mutual === true && { ca: pem('authority'), requestCert: true, rejectUnauthorized: true }),
    ...(versions !== undefined && { minVersion: versions[0], maxVersion: versions[1] }),
  };
}

export interface TcpServer {
  readonly port: number;
  readonly spec: { readonly host: string; readonly port: number; readonly protocol: 'https' };
  /** All that callers sent, one text per connection. */
  readonly heard: string[];
  close(): Promise<void>;
}

/** Knows nothing of TLS: hears what is sent first, and then does as told. Closed after the test. */
export async function serveTcp(answer: (socket: Socket) => void): Promise<TcpServer> {
  const heard: string[] = [];
  const open = new Set<Socket>();
  const server = createTcpServer((socket) => {
    const index = heard.push('') - 1;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard[index] = `${heard[index] ?? ''}${chunk.toString('latin1')}`;
    });
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const started: TcpServer = {
    port,
    spec: { host: '127.0.0.1', port, protocol: 'https' },
    heard,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of open) socket.destroy();
      }),
  };
  closeAfterwards(started);
  return started;
}
