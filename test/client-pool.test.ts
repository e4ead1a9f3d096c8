import { describe, expect, it } from 'vitest';
import { createClientPool } from '../src/client-pool.js';
import type { ClientPoolOptions } from '../src/options.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import { expectCode, expectInvalidOption } from './support/errors.js';
import { specs } from './support/fixtures.js';
import { never, thrownBy, watched } from './support/promises.js';

function setUp(options: ClientPoolOptions = {}) {
  const clock = new ManualClock();
  const source = memoryAdapter(specs('a'));
  const env = { clock, rng: seededRng(1) };
  const pool = createClientPool({
    discovery: source,
    ...options,
    defaults: { env, ...options.defaults },
  });
  return { pool, clock, source, env };
}

describe('client', () => {
  it('is made once per service, when first asked for', async () => {
    const { pool, source } = setUp({ services: { orders: {} } });
    expect(source.watches).toBe(0);
    const orders = pool.client('orders');
    expect(pool.client('orders')).toBe(orders);
    expect(pool.client('users')).not.toBe(orders);
    await settle();
    expect(source.watches).toBe(2);
    expect(orders.service).toBe('orders');
    await pool.close();
  });

  it("takes the pool's defaults, and the service's options over them", async () => {
    const { pool, clock } = setUp({
      defaults: { timeoutMs: 100, policy: 'random' },
      services: { orders: { timeoutMs: 300 } },
    });
    const orders = watched(pool.client('orders').call(never));
    const users = watched(pool.client('users').call(never));
    await clock.advance(100);
    expect([orders.status, users.status]).toEqual(['pending', 'rejected']);
    await clock.advance(200);
    expect(orders.status).toBe('rejected');
    expect(pool.client('orders').snapshot().policy).toBe('random');
    await pool.close();
  });

  it('takes an option given as undefined for one not given', async () => {
    const { pool, clock } = setUp({
      defaults: { timeoutMs: 100 },
      services: { orders: { timeoutMs: undefined } },
    });
    const call = watched(pool.client('orders').call(never));
    await clock.advance(100);
    expect(call.status).toBe('rejected');
    await pool.close();
  });

  it("prefers the service's own discovery", async () => {
    const own = memoryAdapter(specs('own'));
    const { pool } = setUp({ services: { orders: { discovery: own } } });
    await pool.client('orders').ready();
    expect(pool.client('orders').pick().instance.id).toBe('own');
    expect(pool.client('users').snapshot().discovery.adapter).toBe('memory');
    await pool.close();
  });

  it('of an unlisted service is refused when the pool has no discovery', async () => {
    const pool = createClientPool({ services: { orders: { discovery: memoryAdapter() } } });
    expectCode(
      thrownBy(() => pool.client('users')),
      'ERR_FAIRLEAD_SERVICE_NOT_FOUND',
    );
    expectCode(
      thrownBy(() => pool.client('toString')),
      'ERR_FAIRLEAD_SERVICE_NOT_FOUND',
    );
    await pool.close();
  });
});

describe('find', () => {
  it.each([
    ['orders', 'orders'],
    ['ORDERS', 'orders'],
    ['users_v2', 'users_v2'],
    ['localhost', undefined],
    ['LOCALHOST', undefined],
    ['localhost:3000', undefined],
    ['users:8080', undefined],
    ['users.example.com', undefined],
    ['10.0.0.1', undefined],
    ['[::1]', undefined],
    ['[::1]:80', undefined],
    ['', undefined],
    [':80', undefined],
  ])('with a discovery takes bare names for services: %j is %j', async (host, service) => {
    const { pool } = setUp();
    expect(pool.find(host)?.service).toBe(service);
    await pool.close();
  });

  it.each([
    ['Orders', 'Orders'],
    ['orders', 'Orders'],
    ['orders:8080', 'Orders'],
    ['localhost', 'localhost'],
    ['api.example.com', 'api.example.com'],
    ['api.example.com:443', 'api.example.com'],
    ['users', undefined],
    ['tostring', undefined],
    ['example.com', undefined],
  ])(
    'without one takes only listed names, with any port and case: %j is %j',
    async (host, service) => {
      const discovery = memoryAdapter();
      const pool = createClientPool({
        services: {
          Orders: { discovery },
          localhost: { discovery },
          'api.example.com': { discovery },
        },
      });
      expect(pool.find(host)?.service).toBe(service);
      await pool.close();
    },
  );

  it('gives the same client as client()', async () => {
    const { pool } = setUp({ services: { Orders: {} } });
    expect(pool.find('orders')).toBe(pool.client('Orders'));
    await pool.close();
  });
});

describe('construction refuses', () => {
  const discovery = memoryAdapter();

  it('options of a service out of range, naming field and value', () => {
    const error = thrownBy(() =>
      createClientPool({ discovery, services: { orders: { timeoutMs: -1 } } }),
    );
    expectInvalidOption(error, 'services.orders.timeoutMs', -1);
  });

  it('defaults out of range, although no service is listed', () => {
    const error = thrownBy(() => createClientPool({ discovery, defaults: { timeoutMs: -1 } }));
    expectInvalidOption(error, 'defaults.timeoutMs', -1);
  });

  it('an unknown policy name, of a service or by default', () => {
    const policy = 'fastest' as 'random';
    for (const options of [
      { discovery, services: { orders: { policy } } },
      { discovery, defaults: { policy }, services: { orders: {} } },
    ]) {
      expect(thrownBy(() => createClientPool(options))).toMatchObject({
        code: 'ERR_FAIRLEAD_INVALID_OPTION',
        value: 'fastest',
      });
    }
  });

  it('an unknown option', () => {
    expectInvalidOption(
      thrownBy(() => createClientPool({ discovery, service: 'orders' } as ClientPoolOptions)),
      'service',
      '(string, not shown)',
    );
  });
});

describe('close', () => {
  it('closes every client, and leaves no timer', async () => {
    const { pool, clock, source } = setUp();
    const clients = [pool.client('orders'), pool.client('users')];
    await settle();
    await pool.close();
    expect(clients.map((client) => client.snapshot().status)).toEqual(['closed', 'closed']);
    await settle();
    expect(source.watching).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits for calls in flight, and may be called twice', async () => {
    const { pool, clock } = setUp();
    const call = watched(pool.client('orders').call(() => clock.sleep(50)));
    await settle();
    const closed = watched(pool.close());
    expect(pool.close()).toBe(pool.close());
    await settle();
    expect(closed.status).toBe('pending');
    await clock.advance(50);
    expect(call.status).toBe('resolved');
    expect(closed.status).toBe('resolved');
  });

  it('refuses new clients', async () => {
    const { pool } = setUp();
    const orders = pool.client('orders');
    await pool[Symbol.asyncDispose]();
    expectCode(
      thrownBy(() => pool.client('orders')),
      'ERR_FAIRLEAD_CLOSED',
    );
    expectCode(
      thrownBy(() => pool.find('orders')),
      'ERR_FAIRLEAD_CLOSED',
    );
    expectCode(
      thrownBy(() => orders.pick()),
      'ERR_FAIRLEAD_CLOSED',
    );
  });
});

it('snapshot lists the clients made so far, as plain JSON', async () => {
  const { pool } = setUp();
  pool.client('orders');
  pool.client('users');
  await settle();
  const tables = pool.snapshot();
  expect(tables.map(({ service }) => service)).toEqual(['orders', 'users']);
  expect(() => structuredClone(tables)).not.toThrow();
  await pool.close();
});
