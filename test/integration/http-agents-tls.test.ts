/** Agents over TLS: the name asked for and verified is the service's, never the address's. */
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { Agent, get, type RequestOptions } from 'node:https';
import { describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import type { InstanceSpec } from '../../src/types.js';
import { agentsOver, answerTo, ask, pending, textOf } from './http-agents-rig.js';
import { closeAfterwards, serve } from './servers.js';
import { pem, type Seen, serveTls } from './tls-servers.js';

const TRUSTING = { httpsAgent: { ca: pem('authority') } };

function clientOf(instances: readonly InstanceSpec[], servername?: string): Client {
  const client = createClient({
    service: 'orders',
    discovery: memoryAdapter(instances),
    ...(servername !== undefined && { tls: { servername } }),
  });
  closeAfterwards(client);
  return client;
}

async function seenBy(request: ClientRequest): Promise<Seen> {
  return JSON.parse(await textOf(await answerTo(request))) as Seen;
}

async function codeOf(request: ClientRequest): Promise<unknown> {
  const [error] = (await once(request, 'error')) as [NodeJS.ErrnoException];
  return error.code;
}

describe('over TLS', () => {
  it.each(['http', 'https'] as const)("asks for the service's name: %s URL", async (scheme) => {
    const server = await serveTls({ byName: { orders: 'orders' } });
    const agents = agentsOver(clientOf([server.spec]), TRUSTING);
    const request =
      scheme === 'http' ? ask(agents, '/x') : get('https://orders/x', { agent: agents.https });
    expect(await seenBy(request)).toMatchObject({ servername: 'orders', host: 'orders' });
  });

  it('never sends in the clear what was asked for with https', async () => {
    const server = await serveTls({ cert: 'orders' });
    const plain = await serve((_request, response) => response.end());
    for (const { port } of [server, plain]) {
      const client = clientOf([{ host: '127.0.0.1', port, protocol: 'http' }]);
      const agents = agentsOver(client, TRUSTING);
      const request = get('https://orders/', { agent: agents.https });
      if (port === server.port) {
        expect((await seenBy(request)).version).toBe('TLSv1.3');
      } else expect(await codeOf(request)).toMatch(/^(ERR_SSL_|EPROTO|ECONNRESET)/);
    }
    expect(plain.seen).toEqual([]);
  });

  it.each([
    ['users', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['address', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['expired', 'CERT_HAS_EXPIRED'],
    ['stranger', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['cert', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ] as const)('refuses the certificate "%s": %s', async (cert, code) => {
    const server = await serveTls({ cert });
    const client = clientOf([server.spec]);
    expect(await codeOf(ask(agentsOver(client, TRUSTING)))).toBe(code);
    expect(server.seen).toEqual([]);
    expect(pending(client)).toEqual([0]);
  });

  it('goes to another instance where the certificate of one is refused', async () => {
    const [bad, good] = [await serveTls({ cert: 'expired' }), await serveTls({ cert: 'orders' })];
    const client = clientOf([bad.spec, { ...good.spec, priority: 1 }]);
    const agents = agentsOver(client, TRUSTING);
    expect((await seenBy(ask(agents))).servername).toBe('orders');
    expect(client.snapshot().instances.map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  it('asks for `tls.servername` and verifies it, a name or an address', async () => {
    const named = await serveTls({ cert: 'internal' });
    const agents = agentsOver(clientOf([named.spec], 'orders.internal.test'), TRUSTING);
    expect(await seenBy(ask(agents))).toMatchObject({
      servername: 'orders.internal.test',
      host: 'orders',
    });
    const addressed = await serveTls({ cert: 'address' });
    const byAddress = agentsOver(clientOf([addressed.spec], '127.0.0.1'), TRUSTING);
    expect((await seenBy(ask(byAddress))).servername).toBe('');
    const other = agentsOver(clientOf([addressed.spec], '127.0.0.2'), TRUSTING);
    expect(await codeOf(ask(other))).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it.each<[string, RequestOptions, string]>([
    ['a Host header', { headers: { host: 'users' } }, 'users'],
    ['a servername', { servername: 'users' }, 'users'],
    ['no Host header', { setHost: false, headers: { connection: 'close' } }, 'orders'],
    ['an empty servername', { servername: '' }, ''],
  ])('heeds what a request has of its own, as Node does: %s', async (_what, own, servername) => {
    const server = await serveTls({ cert: 'orders', byName: { users: 'users', orders: 'orders' } });
    const agents = agentsOver(clientOf([server.spec]), TRUSTING);
    const request = ask(agents, '/', own);
    if (own.setHost === false) {
      const response = await answerTo(request); // HTTP/1.1 without a Host is answered with 400
      expect(response.resume().statusCode).toBe(400);
    } else expect((await seenBy(request)).servername).toBe(servername);
  });

  it('verifies the name of the URL where no name is to be sent', async () => {
    const server = await serveTls({ cert: 'address' });
    const agents = agentsOver(clientOf([server.spec]), TRUSTING);
    expect(await codeOf(ask(agents, '/', { servername: '' } as RequestOptions))).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  it('shows a certificate of its own: made with options, or with an agent that is given', async () => {
    const server = await serveTls({ cert: 'orders', mutual: true });
    const options = { ca: pem('authority'), cert: pem('client'), key: pem('key') };
    const given = new Agent(options);
    for (const httpsAgent of [options, given]) {
      const agents = agentsOver(clientOf([server.spec]), { httpsAgent });
      expect((await seenBy(ask(agents))).caller).toBe('Caller');
    }
    given.destroy();
  });
});
