/** What the caller asked for with https is never sent in the clear, over redirects neither. */
import { describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { clientOver, closeAfterwards } from './servers.js';
import { CALLERS } from './tls-callers.js';
import { outcomeOf } from './tls-outcome.js';
import { pem, serveTcp, serveTls, type TlsServer } from './tls-servers.js';

const ca = pem('authority');
/** Where a record of a TLS handshake begins (RFC 8446, 5.1). */
const HANDSHAKE = '\u0016\u0003';

/** As Consul does of a service that is registered so. */
function clientThatSaysHttps({ spec }: TlsServer): Client {
  const client = createClient({ service: 'orders', discovery: memoryAdapter([spec]) });
  closeAfterwards(client);
  return client;
}

describe.each(CALLERS)('$name: https', (caller) => {
  it('holds where the source of the list says http', async () => {
    const server = await serveTls({ cert: 'orders' });
    const sender = caller.open({ ca }, clientOver([server]));
    expect(await sender.send('https://orders/x')).toMatchObject({ servername: 'orders' });
  });

  it('is used where the source says so and the URL does not', async () => {
    const server = await serveTls({ cert: 'orders' });
    const sender = caller.open({ ca }, clientThatSaysHttps(server));
    expect(await sender.send('http://orders/x')).toMatchObject({ servername: 'orders' });
  });

  it.each(['GET', 'POST'])(
    'shows nothing of a %s to a server that speaks no TLS',
    async (method) => {
      const server = await serveTcp((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
      const sender = caller.open({ ca }, clientOver([server]));
      const sent = { method, headers: { authorization: 'Bearer 4711' } };
      const outcome = await outcomeOf(sender.send('https://orders/secret', sent));
      expect(outcome.accepted).toBe(false);
      expect(server.heard.length).toBeGreaterThan(0);
      for (const heard of server.heard) {
        expect(heard.slice(0, 2)).toBe(HANDSHAKE);
        expect(heard).not.toMatch(/secret|4711/);
      }
    },
  );

  describe.runIf(caller.redirects)('over a redirect', () => {
    it.each(['/end', 'end', '//orders/end', 'https://orders/end', 'http://orders/end'])(
      'to %s',
      async (location) => {
        const server = await serveTls({ cert: 'orders' });
        const sender = caller.open({ ca }, clientOver([server]));
        const call = sender.send(`https://orders/to?${location}`);
        const deviation = caller.deviations?.['a redirect to http'];
        if (deviation !== undefined && location.startsWith('http:')) {
          expect(await outcomeOf(call)).toMatchObject(deviation.instead);
          return;
        }
        const last = await call;
        expect(last).toMatchObject({ servername: 'orders', url: '/end', host: 'orders' });
        expect(server.seen).toHaveLength(2);
      },
    );

    it('and where the source says https and the URL does not', async () => {
      const server = await serveTls({ cert: 'orders' });
      const sender = caller.open({ ca }, clientThatSaysHttps(server));
      const last = await sender.send('http://orders/to?http://orders/end');
      expect(last).toMatchObject({ servername: 'orders', url: '/end' });
    });
  });
});
