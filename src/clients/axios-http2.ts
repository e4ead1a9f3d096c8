/** HTTP/2 under axios: its sessions connect by themselves, and heed no agent. */
import type { ClientSessionOptions, SecureClientSessionOptions } from 'node:http2';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { Place } from './axios-agent.js';
import type { Instance } from '../types.js';

type Options = ClientSessionOptions & SecureClientSessionOptions;
type Connect = (authority: URL, options: Options) => Duplex;

/** axios keeps a session by its options, among them this very function: one for each instance, and what TLS names. */
const connectors = new WeakMap<Instance, Map<string, Connect>>();

/** Connects to the instance, whatever a session's authority says. */
export function connectorTo(instance: Instance, { host, port, servername }: Place): Connect {
  let known = connectors.get(instance);
  if (known === undefined) {
    known = new Map();
    connectors.set(instance, known);
  }
  const key = servername ?? '';
  let connector = known.get(key);
  if (connector === undefined) {
    connector = (authority, options) => {
      if (authority.protocol !== 'https:') return connect({ host, port });
      const name = servername ?? authority.hostname;
      return connectTls({
        ALPNProtocols: ['h2'],
        ...(isIP(name) === 0
          ? { servername: name }
          : {
              checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
            }),
        ...options,
        host,
        port,
      });
    };
    known.set(key, connector);
  }
  return connector;
}
