import type { ClientRequest } from 'node:http';
import type { RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { hostHeaderName } from './asked.js';
import type { SentOptions } from './node-internals.js';

/** What a TLS connection to an instance asks for and verifies. */
export type TlsName = Pick<RequestOptions, 'servername' | 'checkServerIdentity'> & {
  /** What the certificate must be for, where that is not sent. */
  readonly address?: string;
};

/**
 * The name that a direct call to the URL would ask for and verify: never the instance's address. A `servername` of the
 * request's own comes first, then the service's (`tls.servername`), then the `Host` header and the URL's host.
 *
 * @param hostname of the URL.
 */
export function tlsName(
  request: ClientRequest,
  options: SentOptions,
  { hostname, service }: { readonly hostname: string; readonly service: string | undefined },
): TlsName {
  const { servername: own, checkServerIdentity: check = checkServerIdentity } = options;
  if (own !== undefined && own !== '') return {};
  const asked = own === '' ? undefined : hostHeaderName(request);
  const name = service ?? asked ?? hostname.replace(/^\[|\]$/g, '');
  if (own === undefined && isIP(name) === 0) return { servername: name };
  // An address is not sent, and Node would verify the one it connects to.
  const verify: TlsName['checkServerIdentity'] = (_host, certificate) => check(name, certificate);
  return { servername: '', checkServerIdentity: verify, address: name };
}
