/** `tls.servername` of a client, beside what the wrappers make of it: health checks, and pools. */
import { describe, expect, it } from 'vitest';
import {
  type ClientDefaults,
  createClient,
  createClientPool,
  type HealthCheckOptions,
} from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { closeAfterwards } from './servers.js';
import { CALLERS } from './tls-callers.js';
import { outcomeOf } from './tls-outcome.js';
import { pem, type PemName, type Presenting, type Seen, serveTls } from './tls-servers.js';

const ca = pem('authority');
const INSIDE = 'orders.internal.test';

interface Checked {
  readonly health: string | undefined;
  /** Why it is not healthy. */
  readonly error: string | undefined;
  readonly seen: readonly Seen[];
}

/** Waits for the verdict of the first checks. */
async function check(
  server: Presenting,
  client: Pick<ClientDefaults, 'tls'>,
  tls: NonNullable<HealthCheckOptions['http']>['tls'] = {},
): Promise<Checked> {
  const { spec, seen } = await serveTls(server);
  const checked = createClient({
    service: 'orders',
    discovery: memoryAdapter([spec]),
    healthCheck: {
      http: { path: '/health', tls: { ca, ...tls } },
      intervalMs: 10,
      unhealthyThreshold: 1,
      healthyThreshold: 1,
    },
    ...client,
  });
  closeAfterwards(checked);
  const told = new Promise<string | undefined>((resolve) => {
    checked.on('health.changed', ({ error }) => resolve(error));
  });
  await checked.ready();
  const error = await told;
  return { health: checked.snapshot().instances[0]?.health, error, seen };
}

const showing = (cert: PemName): Presenting => ({ cert });

describe('a health check over TLS', () => {
  it("asks for the service's name by default", async () => {
    const { health, seen } = await check(showing('orders'), {});
    expect(health).toBe('healthy');
    expect(seen[0]).toMatchObject({ servername: 'orders', host: 'orders', url: '/health' });
  });

  it("asks for the client's tls.servername, and names the service to HTTP", async () => {
    const { health, seen } = await check(showing('internal'), { tls: { servername: INSIDE } });
    expect(health).toBe('healthy');
    expect(seen[0]).toMatchObject({ servername: INSIDE, host: 'orders' });
  });

  it("is not content with the service's certificate then", async () => {
    const { health, error, seen } = await check(showing('orders'), { tls: { servername: INSIDE } });
    expect(health).toBe('unhealthy');
    expect(error).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(seen).toEqual([]);
  });

  it('has a servername of its own before that', async () => {
    const client = { tls: { servername: INSIDE } };
    const { health, seen } = await check(showing('users'), client, { servername: 'users' });
    expect(health).toBe('healthy');
    expect(seen[0]).toMatchObject({ servername: 'users', host: 'orders' });
  });

  it('sends no address, and checks it', async () => {
    const good = await check(showing('address'), { tls: { servername: '127.0.0.1' } });
    expect(good.health).toBe('healthy');
    expect(good.seen[0]).toMatchObject({ servername: '', host: 'orders' });
    const bad = await check(showing('address'), { tls: { servername: '127.0.0.2' } });
    expect(bad).toMatchObject({ health: 'unhealthy', seen: [] });
    expect(bad.error).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
  });
});

describe.each(CALLERS)('$name: a pool', (caller) => {
  it('has a tls.servername for each service', async () => {
    const byName = { orders: 'orders', users: 'users', [INSIDE]: 'internal' } as const;
    const server = await serveTls({ byName, unknownName: 'refused' });
    const pool = createClientPool({
      discovery: memoryAdapter([server.spec]),
      defaults: { retry: false, tls: { servername: 'users' } },
      services: { orders: {}, stock: { tls: { servername: INSIDE } }, own: { tls: {} } },
    });
    closeAfterwards(pool);
    const sender = caller.open({ ca }, pool);
    for (const [service, servername] of [
      ['orders', 'users'],
      ['other', 'users'],
      ['stock', INSIDE],
    ]) {
      expect(await sender.send(`https://${service}/`)).toMatchObject({ servername, host: service });
    }
    expect(await outcomeOf(sender.send('https://own/'))).toMatchObject({ accepted: false });
  });
});
