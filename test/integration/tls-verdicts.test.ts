/** What a call does when the way to an instance cannot be secured. */
import { describe, expect, it } from 'vitest';
import { clientOver } from './servers.js';
import { type Caller, CALLERS } from './tls-callers.js';
import { outcomeOf } from './tls-outcome.js';
import { pem, type PemName, serveTcp, serveTls, type TlsServer } from './tls-servers.js';

const ca = pem('authority');

interface Bad {
  readonly name: string;
  start(): Promise<{ readonly port: number; readonly seen?: readonly unknown[] }>;
}

const showing =
  (cert: PemName): Bad['start'] =>
  () =>
    serveTls({ cert });

const BAD: readonly Bad[] = [
  { name: 'with a certificate for another name', start: showing('users') },
  { name: 'with one that has expired', start: showing('expired') },
  { name: 'with one of an unknown authority', start: showing('stranger') },
  { name: 'with one for its address alone', start: showing('address') },
  { name: 'without any', start: () => serveTls({}) },
  {
    name: 'that turns the name away',
    start: () => serveTls({ byName: { users: 'users' }, unknownName: 'refused' }),
  },
  {
    name: 'that wants a certificate of the caller',
    start: () => serveTls({ cert: 'orders', mutual: true, versions: ['TLSv1.2', 'TLSv1.2'] }),
  },
  {
    name: 'that ends the connection in the handshake',
    start: () => serveTcp((socket) => socket.end()),
  },
  {
    name: 'that resets the connection in the handshake',
    start: () => serveTcp((socket) => socket.resetAndDestroy()),
  },
  {
    name: 'that speaks no TLS',
    start: () => serveTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  },
];

interface Scene {
  readonly bad: Awaited<ReturnType<Bad['start']>>;
  readonly good: TlsServer;
  /** Whether the bad instance was blamed, and the good one was not. */
  isBlamed(): boolean;
  /** Two requests, so that each instance is the first choice of one. Whether they were accepted. */
  twice(method: string): Promise<readonly boolean[]>;
}

async function sceneOf(caller: Caller, start: Bad['start']): Promise<Scene> {
  const [bad, good] = await Promise.all([start(), serveTls({ cert: 'orders' })]);
  // A breaker opens by whoever it is that sends, and at the first failure here.
  const client = clientOver([bad, good], { breaker: { consecutiveFailures: 1, openMs: 60_000 } });
  const blamed: string[] = [];
  client.on('breaker.opened', ({ instanceId }) => blamed.push(instanceId));
  const sender = caller.open({ ca }, client);
  return {
    bad,
    good,
    isBlamed: () => blamed.join() === `127.0.0.1:${bad.port}`,
    async twice(method) {
      const accepted: boolean[] = [];
      for (const path of ['/1', '/2']) {
        const sent = { method, ...(method === 'POST' && { body: 'a body' }) };
        const outcome = await outcomeOf(sender.send(`https://orders${path}`, sent));
        accepted.push(outcome.accepted);
      }
      return accepted;
    },
  };
}

describe.each(CALLERS)('$name: an instance', (caller) => {
  describe.each(BAD)('$name', ({ start }) => {
    it.each(['GET', 'POST'])('is blamed, and another one is asked: %s', async (method) => {
      const { bad, good, isBlamed, twice } = await sceneOf(caller, start);
      expect(await twice(method)).toEqual([true, true]);
      expect(good.seen.map(({ url }) => url)).toEqual(['/1', '/2']);
      expect(bad.seen ?? []).toEqual([]);
      expect(isBlamed()).toBe(true);
    });
  });

  // The caller had begun to send when it heard: there is no proof that nothing was received.
  it.each(['GET', 'POST'])(
    'that wants a certificate after the handshake (TLS 1.3) is blamed, and sent no POST twice: %s',
    async (method) => {
      const { bad, good, isBlamed, twice } = await sceneOf(caller, () =>
        serveTls({ cert: 'orders', mutual: true, versions: ['TLSv1.3', 'TLSv1.3'] }),
      );
      const accepted = await twice(method);
      const isRetried = method === 'GET' && caller.retries;
      expect(accepted.filter((isGood) => isGood)).toHaveLength(isRetried ? 2 : 1);
      expect(good.seen).toHaveLength(isRetried ? 2 : 1);
      expect(bad.seen ?? []).toEqual([]);
      expect(isBlamed()).toBe(true);
    },
  );
});
