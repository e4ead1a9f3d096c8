/** Neither a kept connection nor a resumed session vouches for another name than the one it was checked against. */
import { describe, expect, it } from 'vitest';
import { type ClientDefaults, type ClientPool, createClientPool } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { closeAfterwards } from './servers.js';
import { CALLERS, type CallerTls, type Sender } from './tls-callers.js';
import { outcomeOf } from './tls-outcome.js';
import { pem, type Seen, serveTls, type TlsServer } from './tls-servers.js';

const ca = pem('authority');

/** `orders` and `users`, both at the one port of the server. */
function poolAt(
  { spec }: TlsServer,
  servernames: { readonly orders?: string; readonly users?: string } = {},
): ClientPool {
  const options = (servername: string | undefined): ClientDefaults => ({
    tls: { servername },
    breaker: false,
    retry: false,
  });
  const pool = createClientPool({
    discovery: memoryAdapter([spec]),
    services: { orders: options(servernames.orders), users: options(servernames.users) },
  });
  closeAfterwards(pool);
  return pool;
}

/** Until a session is there to be resumed, and has been where the caller does that. */
async function warmUp(sender: Sender): Promise<Seen[]> {
  const paths = ['/', '/', '/close', '/close', '/close', '/'];
  const seen: Seen[] = [];
  for (const path of paths) seen.push(await sender.send(`https://orders${path}`));
  return seen;
}

const REFUSED = { accepted: false, errors: expect.anything() };

describe.each(CALLERS)('$name: two services at one address', (caller) => {
  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (version) => {
    const versions = [version, version] as const;

    it('does not take the session of the one for the other', async () => {
      const server = await serveTls({ cert: 'orders', versions });
      const sender = caller.open({ ca }, poolAt(server));
      await warmUp(sender);
      // What is below would show nothing otherwise.
      if (caller.resumes) expect(server.resumed).toBeGreaterThan(0);
      for (const path of ['/', '/close', '/']) {
        const outcome = await outcomeOf(sender.send(`https://users${path}`));
        expect(outcome).toMatchObject(REFUSED);
        expect(JSON.stringify(outcome)).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID.*users/);
      }
      expect((await sender.send('https://orders/')).host).toBe('orders');
      expect(server.seen.every(({ host }) => host === 'orders')).toBe(true);
    });

    it('has each served by its own certificate, in turn and at once', async () => {
      const byName = { orders: 'orders', users: 'users' } as const;
      const server = await serveTls({ byName, versions });
      const sender = caller.open({ ca }, poolAt(server));
      const services = Array.from({ length: 24 }, (_, n) => (n % 3 === 1 ? 'users' : 'orders'));
      const ask = (service: string, n: number): Promise<Seen> =>
        sender.send(`https://${service}${n % 4 === 0 ? '/close' : '/'}`);
      for (const [n, service] of services.slice(0, 8).entries()) await ask(service, n);
      await Promise.all(services.map(ask));
      expect(server.seen).toHaveLength(32);
      for (const { host, servername, resumed } of server.seen) {
        if (!resumed) expect(servername).toBe(host);
      }
      const fresh = server.seen.filter(({ resumed }) => !resumed);
      expect(new Set(fresh.map(({ host }) => host))).toEqual(new Set(['orders', 'users']));
    });

    it.each<[string, CallerTls]>([
      ['a caller as usual', { ca }],
      ['a caller with a context for its sessions', { ca, sessionIdContext: 'its own' }],
    ])('does not take a name for an address, nor one address for another: %s', async (_, tls) => {
      const server = await serveTls({ cert: 'address', versions });
      const good = { orders: '127.0.0.1' };
      const other = caller.open(tls, poolAt(server, { ...good, users: '127.0.0.2' }));
      const named = caller.open(tls, poolAt(server, good));
      for (const sender of [other, named]) {
        await warmUp(sender);
        for (const path of ['/', '/close', '/']) {
          const outcome = await outcomeOf(sender.send(`https://users${path}`));
          expect(outcome).toMatchObject(REFUSED);
          expect(JSON.stringify(outcome)).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
        }
        expect((await sender.send('https://orders/')).host).toBe('orders');
      }
      expect(server.seen.every(({ host }) => host === 'orders')).toBe(true);
    });

    it('does not take an address for a name', async () => {
      const server = await serveTls({ cert: 'orders', versions });
      const sender = caller.open({ ca }, poolAt(server, { users: '127.0.0.1' }));
      await warmUp(sender);
      for (const path of ['/', '/close', '/']) {
        expect(await outcomeOf(sender.send(`https://users${path}`))).toMatchObject(REFUSED);
      }
      expect(server.seen.every(({ host }) => host === 'orders')).toBe(true);
    });

    it('is not misled by a caller that checks nothing', async () => {
      const server = await serveTls({ cert: 'users', versions });
      const pool = poolAt(server);
      await warmUp(caller.open({ ca, rejectUnauthorized: false }, pool));
      const strict = caller.open({ ca }, pool);
      expect(await outcomeOf(strict.send('https://orders/'))).toMatchObject(REFUSED);
    });
  });
});
