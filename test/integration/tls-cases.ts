/** What can be right and wrong about a certificate and about the one who asks for it. */
import type { CallerTls, Sent } from './tls-callers.js';
import { pem, type Presenting } from './tls-servers.js';

export interface TlsCase {
  readonly name: string;
  /**
   * Whether the direct call succeeds, so that no case passes by failing for another reason than the one it is about.
   * How it fails is not written here: the direct call tells.
   */
  readonly accepted: boolean;
  readonly server: Presenting;
  /** Added to our authority as the one that is trusted. */
  readonly tls?: CallerTls;
  /** Without our authority. */
  readonly trustsNobody?: boolean;
  /** Default `orders`. */
  readonly service?: string;
  /** The client's `tls.servername`. The direct call is then one to this host. */
  readonly servername?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: Sent['method'];
}

/** A certificate for a client, with the key that all have. */
const shown = (name: 'client' | 'strange-client'): CallerTls => ({
  cert: pem(name),
  key: pem('key'),
});

const BOTH: Presenting = { byName: { orders: 'orders', users: 'users' } };

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

const OF_CERTIFICATES: readonly TlsCase[] = [
  { name: 'for the service', accepted: true, server: { cert: 'orders' } },
  { name: 'for another name', accepted: false, server: { cert: 'users' } },
  { name: 'expired', accepted: false, server: { cert: 'expired' } },
  { name: 'not valid yet', accepted: false, server: { cert: 'future' } },
  { name: 'self-signed', accepted: false, server: { cert: 'cert' } },
  {
    name: 'self-signed and trusted',
    accepted: true,
    server: { cert: 'cert' },
    tls: { ca: pem('cert') },
  },
  { name: 'of an unknown authority', accepted: false, server: { cert: 'stranger' } },
  {
    name: 'of another authority, trusted',
    accepted: true,
    server: { cert: 'stranger' },
    tls: { ca: pem('strange-authority') },
  },
  {
    name: 'good, but trusted by nobody',
    accepted: false,
    server: { cert: 'orders' },
    trustsNobody: true,
  },
  { name: "for the instance's address alone", accepted: false, server: { cert: 'address' } },
  { name: 'with a common name alone', accepted: true, server: { cert: 'common-name' } },
  {
    name: 'for all names of a domain',
    accepted: true,
    server: { cert: 'wildcard' },
    service: 'orders.svc.test',
  },
  {
    name: 'for all names of a domain, and not of those below',
    accepted: false,
    server: { cert: 'wildcard' },
    service: 'eu.orders.svc.test',
  },
  { name: 'none', accepted: false, server: {} },
];

const OF_SERVERNAME: readonly TlsCase[] = [
  {
    name: 'tls.servername, a name: for it',
    accepted: true,
    server: { cert: 'internal' },
    servername: 'orders.internal.test',
  },
  {
    name: 'tls.servername, a name: for the service alone',
    accepted: false,
    server: { cert: 'orders' },
    servername: 'orders.internal.test',
  },
  {
    name: 'tls.servername, a name: asked for',
    accepted: true,
    server: { byName: { 'orders.internal.test': 'internal' }, unknownName: 'refused' },
    servername: 'orders.internal.test',
  },
  {
    name: 'tls.servername, an address: for it',
    accepted: true,
    server: { cert: 'address' },
    servername: '127.0.0.1',
  },
  {
    name: 'tls.servername, an address: not asked for',
    accepted: true,
    server: { cert: 'address', byName: { orders: 'orders' }, unknownName: 'refused' },
    servername: '127.0.0.1',
  },
  {
    name: 'tls.servername, an address: for the service alone',
    accepted: false,
    server: { cert: 'orders' },
    servername: '127.0.0.1',
  },
  {
    name: 'tls.servername, an address: for that of the instance alone',
    accepted: false,
    server: { cert: 'address' },
    servername: '127.0.0.2',
  },
];

const OF_ROUTING: readonly TlsCase[] = [
  { name: 'two services at one port: the one', accepted: true, server: BOTH },
  { name: 'two services at one port: the other', accepted: true, server: BOTH, service: 'users' },
  {
    name: 'two services at one port: a third gets the certificate of one',
    accepted: false,
    server: { ...BOTH, cert: 'orders' },
    service: 'stock',
  },
  {
    name: 'two services at one port: a third is turned away',
    accepted: false,
    server: { ...BOTH, unknownName: 'refused' },
    service: 'stock',
  },
  {
    name: 'two services at one port: no name, no certificate',
    accepted: false,
    server: BOTH,
    servername: '127.0.0.1',
  },
  {
    name: 'two services at one port: a third over tls.servername',
    accepted: true,
    server: BOTH,
    service: 'stock',
    servername: 'users',
  },
];

const OF_CALLERS: readonly TlsCase[] = VERSIONS.flatMap((version) => {
  const server: Presenting = { cert: 'orders', mutual: true, versions: [version, version] };
  return [
    { name: `${version}: mutual`, accepted: true, server, tls: shown('client') },
    { name: `${version}: mutual, and it shows none`, accepted: false, server },
    {
      name: `${version}: mutual, and it shows a strange one`,
      accepted: false,
      server,
      tls: shown('strange-client'),
    },
    {
      name: `${version}: mutual, and the server is another`,
      accepted: false,
      server: { ...server, cert: 'users' } as const,
      tls: shown('client'),
    },
  ];
});

const OF_VERSIONS: readonly TlsCase[] = [
  ...VERSIONS.map((version) => ({
    name: `${version} alone`,
    accepted: true,
    server: { cert: 'orders', versions: [version, version] } as const,
  })),
  {
    name: 'a version too old for the caller',
    accepted: false,
    server: { cert: 'orders', versions: ['TLSv1.2', 'TLSv1.2'] },
    tls: { minVersion: 'TLSv1.3' },
  },
];

const OF_USERS_OPTIONS: readonly TlsCase[] = [
  {
    name: 'rejectUnauthorized: false, with another name',
    accepted: true,
    server: { cert: 'users' },
    tls: { rejectUnauthorized: false },
  },
  {
    name: 'rejectUnauthorized: false, expired',
    accepted: true,
    server: { cert: 'expired' },
    tls: { rejectUnauthorized: false },
  },
  {
    name: "the agent's own servername, and the certificate is for it",
    accepted: true,
    server: { cert: 'internal' },
    tls: { servername: 'orders.internal.test' },
  },
  {
    name: "the agent's own servername, and the certificate is for the service",
    accepted: false,
    server: { cert: 'orders' },
    tls: { servername: 'orders.internal.test' },
  },
  { name: 'a POST', accepted: true, server: { cert: 'orders' }, method: 'POST' },
  { name: 'a POST, refused', accepted: false, server: { cert: 'users' }, method: 'POST' },
  {
    name: 'a Host of the user, and the certificate is for it',
    accepted: true,
    server: { cert: 'users' },
    headers: { Host: 'users' },
  },
  {
    name: 'a Host of the user, and the certificate is for the service',
    accepted: false,
    server: { cert: 'orders' },
    headers: { Host: 'users' },
  },
];

export const CASES: readonly TlsCase[] = [
  ...OF_CERTIFICATES,
  ...OF_SERVERNAME,
  ...OF_ROUTING,
  ...OF_CALLERS,
  ...OF_VERSIONS,
  ...OF_USERS_OPTIONS,
];
