/** The HTTP clients that Fairlead wraps, each by itself and wrapped, told the same of TLS. */
import { type Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { json } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import axios, { type AxiosInstance } from 'axios';
import { Agent, type Dispatcher, fetch as undiciFetch, request } from 'undici';
import { wrapAxios } from '../../src/clients/axios.js';
import { wrapFetch } from '../../src/clients/fetch.js';
import { leaseAgents } from '../../src/clients/http.js';
import { FairleadAgent, fairleadInterceptor } from '../../src/clients/undici.js';
import type { Target } from '../../src/clients/target.js';
import { closeAfterwards } from './servers.js';
import type { Seen } from './tls-servers.js';

/** What a user tells the agent or dispatcher. */
export type CallerTls = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'servername'
  | 'sessionIdContext'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
  | 'minVersion'
  | 'maxVersion'
>;

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Sender {
  /** Gives what the server saw. */
  send(url: string, sent?: Sent): Promise<Seen>;
  close(): Promise<void>;
}

/** What is otherwise than by itself, and cannot be helped. */
export interface Deviation {
  readonly why: string;
  /** What there is instead: part of the outcome. */
  readonly instead: object;
}

export interface Caller {
  readonly name: string;
  /** By the name of the case. */
  readonly deviations?: Readonly<Record<string, Deviation>>;
  /** Whether it follows redirects, as it is given here. */
  readonly redirects: boolean;
  /** Whether the user can set a `Host` header, and with it the name that is asked for. */
  readonly ownHost: boolean;
  /** Whether it retries what may have been received, where that does no harm. */
  readonly retries: boolean;
  /** Whether it is known to resume sessions for new connections. */
  readonly resumes: boolean;
  /** Closed after the test. Without a target the client by itself, for which every name is 127.0.0.1. */
  open(tls: CallerTls, target?: Target): Sender;
}

const OWN_SERVERNAME =
  'undici prefers what a request says to what the connector was told, and the Host header says the service';
const ADDRESS_IS_SENT =
  'undici has no way to ask a connection for the check of an address without sending it as a name';

const OF_NAMED_REQUESTS: Readonly<Record<string, Deviation>> = {
  "the agent's own servername, and the certificate is for it": {
    why: OWN_SERVERNAME,
    instead: { outcome: { accepted: false }, checked: ['orders'] },
  },
  "the agent's own servername, and the certificate is for the service": {
    why: OWN_SERVERNAME,
    instead: { outcome: { accepted: true }, checked: ['orders'] },
  },
};

const OF_DISPATCHERS: Readonly<Record<string, Deviation>> = {
  ...OF_NAMED_REQUESTS,
  'tls.servername, an address: for it': {
    why: ADDRESS_IS_SENT,
    instead: { outcome: { accepted: true, seen: { servername: '127.0.0.1' } } },
  },
  'tls.servername, an address: not asked for': {
    why: ADDRESS_IS_SENT,
    instead: { outcome: { accepted: false }, requests: 0 },
  },
  'two services at one port: no name, no certificate': {
    why: ADDRESS_IS_SENT,
    instead: { outcome: { accepted: false }, requests: 0 },
  },
};

const BEFORE_THE_REQUEST =
  'Node says EPROTO where the request was waiting on the socket, and here it waits for the handshake';
const refusedWith = (code: string): Deviation => ({
  why: BEFORE_THE_REQUEST,
  instead: { outcome: { accepted: false, errors: [{ code }] }, requests: 0 },
});

const OF_LEASE_AGENTS: Readonly<Record<string, Deviation>> = {
  none: refusedWith('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'),
  'two services at one port: no name, no certificate': refusedWith(
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  ),
  'TLSv1.2: mutual, and it shows none': refusedWith('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'),
  'a version too old for the caller': refusedWith('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'),
};

/** Every name is this machine's. */
const lookup: NonNullable<ConnectionOptions['lookup']> = (_name, { all }, done) => {
  if (all === true) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
};

function opened(sender: Sender): Sender {
  closeAfterwards(sender);
  return sender;
}

function overAxios(http: AxiosInstance, close: () => Promise<void>): Sender {
  return opened({
    send: async (url, { method = 'GET', headers = {}, body } = {}) =>
      (await http.request<Seen>({ url, method, headers, data: body })).data,
    close,
  });
}

/** With keep-alive, as in production. */
function httpsAgent(tls: CallerTls, isDirect: boolean): HttpsAgent {
  return new HttpsAgent({ ...tls, keepAlive: true, ...(isDirect && { lookup }) });
}

function dispatcher(tls: CallerTls, isDirect: boolean): Agent {
  return new Agent({ connect: { ...tls, ...(isDirect && { lookup }) } });
}

/** Of both fetches; their own types do not fit each other. */
type FetchFunction = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
  },
) => Promise<{ json(): Promise<unknown> }>;

function overFetch(send: FetchFunction, own: Agent): Sender {
  return opened({
    async send(url, { method = 'GET', headers = {}, body } = {}) {
      const init = { method, headers: { ...headers }, ...(body !== undefined && { body }) };
      const response = await send(url, Object.assign(init, { dispatcher: own }));
      return (await response.json()) as Seen;
    },
    close: () => own.destroy(),
  });
}

function overUndici(composed: Dispatcher, own: Dispatcher): Sender {
  return opened({
    async send(url, { method = 'GET', headers = {}, body } = {}) {
      const options = { dispatcher: composed, headers, ...(body !== undefined && { body }) };
      const reply = await request(url, { ...options, method: method });
      return (await reply.body.json()) as Seen;
    },
    close: () => own.destroy(),
  });
}

function overNode(
  agentFor: (protocol: 'http' | 'https') => HttpAgent,
  close: () => Promise<void>,
): Sender {
  return opened({
    send: (url, { method = 'GET', headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const isSecure = url.startsWith('https:');
        const agent = agentFor(isSecure ? 'https' : 'http');
        const options = { method, headers, agent };
        const sent = isSecure ? httpsRequest(url, options) : httpRequest(url, options);
        sent.on('error', reject);
        sent.on('response', (response) => {
          json(response).then((seen) => resolve(seen as Seen), reject);
        });
        sent.end(body);
      }),
    close,
  });
}

export const CALLERS: readonly Caller[] = [
  {
    name: 'axios, http adapter',
    redirects: true,
    ownHost: true,
    retries: true,
    resumes: true,
    open(tls, target) {
      const agent = httpsAgent(tls, target === undefined);
      const http = axios.create({ adapter: 'http', httpsAgent: agent });
      return overAxios(target === undefined ? http : wrapAxios(http, target), async () =>
        agent.destroy(),
      );
    },
  },
  {
    name: 'axios, fetch adapter',
    deviations: OF_DISPATCHERS,
    redirects: true,
    ownHost: false,
    retries: true,
    resumes: false,
    open(tls, target) {
      const own = dispatcher(tls, target === undefined);
      const http = axios.create({ adapter: 'fetch', fetchOptions: { dispatcher: own } });
      return overAxios(target === undefined ? http : wrapAxios(http, target), () => own.destroy());
    },
  },
  {
    name: 'the global fetch',
    deviations: OF_DISPATCHERS,
    redirects: true,
    ownHost: false,
    retries: true,
    resumes: false,
    open(tls, target) {
      const own = dispatcher(tls, target === undefined);
      return overFetch(target === undefined ? fetch : wrapFetch(target), own);
    },
  },
  {
    name: 'undici, composed',
    deviations: OF_DISPATCHERS,
    redirects: false,
    ownHost: true,
    retries: true,
    resumes: false,
    open(tls, target) {
      const own = dispatcher(tls, target === undefined);
      return overUndici(target === undefined ? own : own.compose(fairleadInterceptor(target)), own);
    },
  },
  {
    name: "undici's fetch, composed",
    deviations: {
      ...OF_DISPATCHERS,
      'a redirect to http': {
        why: 'fetch follows it above the interceptor, to which it is a request like any other',
        instead: { accepted: false },
      },
    },
    redirects: true,
    ownHost: false,
    retries: true,
    resumes: false,
    open(tls, target) {
      const own = dispatcher(tls, target === undefined);
      const composed = target === undefined ? own : own.compose(fairleadInterceptor(target));
      const send: FetchFunction = (url, init) =>
        undiciFetch(url, { ...init, dispatcher: composed });
      return overFetch(send, own);
    },
  },
  {
    name: 'undici, FairleadAgent',
    redirects: false,
    ownHost: true,
    retries: true,
    resumes: false,
    open(tls, target) {
      const own =
        target === undefined
          ? dispatcher(tls, true)
          : new FairleadAgent(target, { pool: { connect: tls } });
      return overUndici(own, own);
    },
  },
  {
    name: 'https.request, leaseAgents',
    deviations: OF_LEASE_AGENTS,
    redirects: false,
    ownHost: true,
    retries: false,
    resumes: true,
    open(tls, target) {
      const own = httpsAgent(tls, target === undefined);
      const agents = target === undefined ? undefined : leaseAgents(target, { httpsAgent: own });
      return overNode(
        (protocol) => agents?.[protocol] ?? own,
        async () => {
          agents?.destroy();
          own.destroy();
        },
      );
    },
  },
  {
    name: 'https.request, leaseAgents with agents of their own',
    deviations: OF_LEASE_AGENTS,
    redirects: false,
    ownHost: true,
    retries: false,
    resumes: true,
    open(tls, target) {
      if (target === undefined) {
        const own = httpsAgent(tls, true);
        return overNode(
          () => own,
          async () => own.destroy(),
        );
      }
      const agents = leaseAgents(target, { httpsAgent: tls });
      return overNode(
        (protocol) => agents[protocol],
        async () => agents.destroy(),
      );
    },
  },
];
