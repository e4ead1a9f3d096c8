import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FairleadError } from '../../src/errors.js';
import type { AgentSource, Pem, TlsOptions } from './agent-options.js';
import { isPapiClient, type PapiClient } from './client.js';

/** A client with a socket of its own: one request at a time. */
export interface Connection {
  readonly client: PapiClient;
  /** How messages name the agent; free of credentials. */
  readonly label: string;
  /**
   * Calls `fn` when the socket of the request in flight closes. The npm client overlooks this inside a body
   * and would wait for its end for ever. `undefined` stops listening.
   */
  onClosed(fn: (() => void) | undefined): void;
  /** Closes every socket. */
  close(): void;
}

type ConsulModule = typeof import('consul');

export async function connect(
  source: AgentSource,
  load: () => Promise<unknown> = () => import('consul'),
): Promise<Connection> {
  if ('client' in source) {
    return {
      client: asPapi(source.client),
      label: labelOf(source),
      onClosed: () => undefined,
      close: () => undefined,
    };
  }
  const { url, tls } = source;
  const Consul = await loadConsul(load);
  const sockets = quietAgent(
    url.protocol === 'https:'
      ? new https.Agent({ keepAlive: true, ...(await read(tls)) })
      : undefined,
  );
  const path = url.pathname.replace(/\/+$/, '');
  const hasCredentials = url.username !== '' || url.password !== '';
  const credentials = !hasCredentials ? '' : `${url.username}:${url.password}@`;
  const options = {
    baseUrl: `${url.protocol}//${credentials}${url.host}${path}/v1`,
    agent: sockets.agent,
  };
  return {
    client: asPapi(new Consul(options)),
    label: labelOf(source),
    onClosed: sockets.onClosed,
    close: () => {
      sockets.agent.destroy();
    },
  };
}

/** How messages name an agent; free of credentials. */
export function labelOf(source: AgentSource): string {
  if ('client' in source) return 'Consul';
  const { protocol, host, pathname } = source.url;
  return `Consul at ${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}

function asPapi(client: object): PapiClient {
  if (isPapiClient(client)) return client;
  throw new FairleadError(
    'ERR_FAIRLEAD_MISSING_DEPENDENCY',
    'The package "consul" that was found is of another version: 2.x is needed.',
  );
}

/** TLS options as Node takes them. */
async function read(tls: TlsOptions = {}): Promise<https.AgentOptions> {
  const { ca, cert, key, ...others } = tls;
  const [readCa, readCert, readKey] = await Promise.all([ca, cert, key].map(readPem));
  const given = { ca: readCa, cert: readCert, key: readKey, ...others };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

async function readPem(pem: Pem | undefined): Promise<string | Buffer | undefined> {
  return typeof pem === 'object' && 'file' in pem ? readFile(pem.file) : pem;
}

async function loadConsul(load: () => Promise<unknown>): Promise<ConsulModule> {
  try {
    const loaded = (await load()) as { readonly default: ConsulModule };
    return loaded.default;
  } catch (cause) {
    throw new FairleadError(
      'ERR_FAIRLEAD_MISSING_DEPENDENCY',
      'The package "consul" could not be loaded. Install it beside fairlead: npm install consul',
      { cause },
    );
  }
}

const CONNECT_MS = 2_000;

/**
 * An HTTP agent whose sockets never keep the process alive, not even with a query parked on them. Node
 * refs a socket each time it takes it from the pool.
 */
function quietAgent(
  agent: http.Agent = new http.Agent({ keepAlive: true }),
): Pick<Connection, 'onClosed'> & { readonly agent: http.Agent } {
  let inUse: Duplex | undefined;
  let onClosed: (() => void) | undefined;

  const create = agent.createConnection.bind(agent);
  const createConnection: typeof agent.createConnection = (options, callback) => {
    const socket = create({ ...options, host: withoutBrackets(options.host) }, callback);
    if (socket == null) return socket;
    inUse = socket;
    quieten(socket);
    limitConnecting(socket);
    // While it tries the addresses of a name in turn, each try has a handle of its own.
    socket.once('connect', () => {
      quieten(socket);
    });
    socket.once('close', () => {
      if (inUse === socket) onClosed?.();
    });
    return socket;
  };
  agent.createConnection = createConnection;
  const reuse = agent.reuseSocket.bind(agent);
  const reuseSocket: typeof agent.reuseSocket = (socket, request) => {
    reuse(socket, request);
    inUse = socket;
    quieten(socket);
  };
  agent.reuseSocket = reuseSocket;
  return {
    agent,
    onClosed: (fn) => {
      onClosed = fn;
    },
  };
}

function quieten(socket: Duplex): void {
  if (socket instanceof Socket) socket.unref();
}

/**
 * Gives up on an address that swallows what is sent there, with an error as Node's own: nothing was sent. A timer of the
 * socket's own keeps no process alive.
 */
function limitConnecting(socket: Duplex): void {
  if (!(socket instanceof Socket)) return;
  const onTimeout = (): void => {
    const error = new Error(`no connection within ${String(CONNECT_MS / 1_000)} s`);
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT', syscall: 'connect' }));
  };
  socket.setTimeout(CONNECT_MS, onTimeout);
  socket.once('connect', () => {
    socket.setTimeout(0, onTimeout);
  });
}

/** The npm client hands on `[::1]` as the URL spells it, which is no name to connect to. */
function withoutBrackets(host: string | null | undefined): string | undefined {
  return host?.replace(/^\[(.*)\]$/, '$1');
}
