import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { credentials, experimental, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { startConsulAgent } from '../../scripts/consul-agent.js';
import { INSTANCES_ATTRIBUTE, registerFairlead } from '../../src/clients/grpc.js';
import {
  type ClientDefaults,
  type ClientPool,
  createClient,
  createClientPool,
  type InstanceSpec,
} from '../../src/index.js';
import { type MemoryAdapter, memoryAdapter } from '../../src/testing.js';
import { callerOf, ROUND_ROBIN, serveGrpc, settlesOn } from './grpc-servers.js';
import { closeAfterwards, refusedPort, serve } from './servers.js';

/** Names `orders` and nothing else, and is its own authority. */
const pem = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));
const OUTLIERS = {
  ...ROUND_ROBIN,
  'grpc.service_config': JSON.stringify({
    loadBalancingConfig: [{ outlier_detection: { child_policy: [{ round_robin: {} }] } }],
  }),
};
const PICK_FIRST = {
  ...ROUND_ROBIN,
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ pick_first: {} }] }),
};

let unregister: () => void = () => undefined;
let discovery: MemoryAdapter;

beforeEach(() => {
  discovery = memoryAdapter();
});

afterEach(() => {
  unregister();
});

/** Registers a pool over `discovery`. */
function register(defaults: ClientDefaults = {}): ClientPool {
  const pool = createClientPool({ discovery, defaults: { shrinkGraceMs: 0, ...defaults } });
  closeAfterwards(pool);
  unregister = registerFairlead(pool);
  return pool;
}

const three = (): Promise<Awaited<ReturnType<typeof serveGrpc>>[]> =>
  Promise.all(['a', 'b', 'c'].map((name) => serveGrpc(name)));

const specsOf = (servers: readonly { spec: InstanceSpec }[]): InstanceSpec[] =>
  servers.map(({ spec }) => spec);

const failure = (code: status, details: string): object => ({
  code,
  details: expect.stringContaining(details) as string,
});

describe('registerFairlead', () => {
  it('spreads calls over all instances with round_robin', async () => {
    const servers = await three();
    discovery.set(specsOf(servers));
    register();
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, servers);
    expect(await orders.calls(30)).toEqual({ a: 10, b: 10, c: 10 });
  });

  it('keeps to one instance with pick_first, and goes on to the next when that is gone', async () => {
    const [first, second] = [await serveGrpc('first'), await serveGrpc('second')];
    discovery.set(specsOf([first, second]));
    register();
    const orders = callerOf('fairlead:///orders', PICK_FIRST);
    expect(await orders.calls(10)).toEqual({ first: 10 });
    discovery.set([second.spec]);
    await settlesOn(orders, [second]);
    discovery.set(specsOf([first, second]));
    await second.close();
    await settlesOn(orders, [first]);
  });

  it('sees an instance that joins and one that leaves, which gets no more calls', async () => {
    const [a, b, c] = await three();
    if (a === undefined || b === undefined || c === undefined) throw new Error('no servers');
    discovery.set(specsOf([a, b]));
    register();
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, [a, b]);
    discovery.set(specsOf([a, b, c]));
    await settlesOn(orders, [a, b, c]);
    discovery.set(specsOf([b, c]));
    await settlesOn(orders, [b, c]);
    const before = a.calls;
    expect(await orders.calls(20)).toEqual({ b: 10, c: 10 });
    expect(a.calls).toBe(before);
    expect([b.sessions, c.sessions]).toEqual([1, 1]); // an update leaves the connections of the others alone
  });

  it('goes on elsewhere when a server is killed, and comes back to it', async () => {
    const [a, b] = [await serveGrpc('a'), await serveGrpc('b')];
    discovery.set(specsOf([a, b]));
    register();
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, [a, b]);
    await a.close();
    await settlesOn(orders, [b]);
    expect(await orders.calls(20)).toEqual({ b: 20 });
    const again = await serveGrpc('again', { port: a.port });
    await settlesOn(orders, [again, b]);
  });

  it('takes names for addresses, and one of two instances at the same address', async () => {
    const a = await serveGrpc('a');
    const b = await serveGrpc('b');
    discovery.set([
      { host: 'localhost', port: a.port, id: 'a-1' },
      { host: 'localhost', port: a.port, id: 'a-2' },
      b.spec,
    ]);
    register();
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, [a, b]);
    expect(await orders.calls(20)).toEqual({ a: 10, b: 10 });
  });

  it('leaves out what the client would not pick: the draining, other priorities, other zones', async () => {
    const [a, b, c] = await three();
    if (a === undefined || b === undefined || c === undefined) throw new Error('no servers');
    register({ stages: { zone: { local: 'z1', minInstances: 1 } } });
    const orders = callerOf('fairlead:///orders');
    discovery.set([a.spec, { ...b.spec, weight: 0 }, { ...c.spec, priority: 1 }]);
    await settlesOn(orders, [a]);
    discovery.set([
      { ...a.spec, weight: 0 },
      { ...b.spec, weight: 0 },
      { ...c.spec, priority: 1 },
    ]);
    await settlesOn(orders, [c]);
    const zoned = (zone: string): Partial<InstanceSpec> => ({ locality: { zone } });
    discovery.set([
      { ...a.spec, ...zoned('z1') },
      { ...b.spec, ...zoned('z1') },
      { ...c.spec, ...zoned('z2') },
    ]);
    await settlesOn(orders, [a, b]);
    const before = c.calls;
    expect(await orders.calls(10)).toEqual({ a: 5, b: 5 });
    expect(c.calls).toBe(before);
  });

  it('leaves out the unhealthy by active checks, unless that would leave none', async () => {
    const [a, b] = [await serveGrpc('a'), await serveGrpc('b')];
    const sick = new Set<number>();
    discovery.set(specsOf([a, b]));
    const pool = register({
      healthCheck: {
        check: ({ instance }) => Promise.resolve(!sick.has(instance.port)),
        intervalMs: 20,
      },
    });
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, [a, b]);
    sick.add(a.port);
    await settlesOn(orders, [b]);
    sick.add(b.port);
    await settlesOn(orders, [a, b]);
    expect(pool.client('orders').explain().panic).toContain('0 of 2');
    sick.clear();
    await settlesOn(orders, [a, b]);
  });

  it('serves a view under a scheme of its own', async () => {
    const [a, b] = [await serveGrpc('a'), await serveGrpc('b')];
    const source = memoryAdapter([{ ...a.spec, tags: ['canary'] }, b.spec]);
    const orders = createClient({ service: 'orders', discovery: source });
    closeAfterwards(orders);
    unregister = registerFairlead(orders.where({ tags: ['canary'] }), { scheme: 'canary' });
    const canary = callerOf('canary:orders');
    expect(await canary.calls(4)).toEqual({ a: 4 });
    await expect(callerOf('canary:///users').call()).rejects.toMatchObject(
      failure(status.UNAVAILABLE, 'Service "users" is unknown'),
    );
  });

  it('hands the instances on to a load balancing policy, and leaves connections alone for that', async () => {
    const a = await serveGrpc('a');
    discovery.set([{ ...a.spec, weight: 2 }]);
    const given: unknown[] = [];
    register();
    const heard = new Promise<void>((resolve) => {
      const target = { scheme: 'fairlead', path: 'orders' };
      const resolver = experimental.createResolver(
        target,
        (_endpoints, attributes) => {
          given.push(attributes[INSTANCES_ATTRIBUTE]);
          resolve();
          return true;
        },
        {},
      );
      closeAfterwards({ close: () => Promise.resolve(resolver.destroy()) });
      resolver.updateResolution();
      expect(given).toEqual([]); // never told while it is asked
    });
    await heard;
    expect(given).toEqual([
      new Map([[`127.0.0.1:${a.port}`, expect.objectContaining({ weight: 2 })]]),
    ]);
    expect(INSTANCES_ATTRIBUTE.startsWith(experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX)).toBe(
      true,
    );
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, [a]);
    discovery.set([{ ...a.spec, weight: 3 }]);
    await expect.poll(() => given.length).toBe(2);
    await orders.calls(5);
    expect(a.sessions).toBe(1);
  });

  it('checks the certificate against the name of the service, or tls.servername', async () => {
    const tls = ServerCredentials.createSsl(null, [
      { private_key: pem('key'), cert_chain: pem('cert') },
    ]);
    const server = await serveGrpc('secure', { tls });
    discovery.set([server.spec]);
    const pool = createClientPool({
      discovery,
      services: { billing: { tls: { servername: 'orders' } } },
    });
    closeAfterwards(pool);
    unregister = registerFairlead(pool);
    const trusted = credentials.createSsl(pem('cert'));
    const to = (service: string): Promise<string> =>
      callerOf(`fairlead:///${service}`, ROUND_ROBIN, trusted).call({ request: 'authority' });
    expect(await to('orders')).toBe('orders');
    expect(await to('billing')).toBe('orders');
    await expect(to('users')).rejects.toMatchObject(failure(status.UNAVAILABLE, 'altnames'));
    const distrusting = callerOf('fairlead:///orders', ROUND_ROBIN, credentials.createSsl());
    await expect(distrusting.call()).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});

describe('a channel without instances', () => {
  it('waits for the first list', async () => {
    const a = await serveGrpc('a');
    register();
    const call = callerOf('fairlead:///orders').call();
    await expect.poll(() => discovery.watching).toBe(1);
    discovery.set([a.spec]);
    expect(await call).toBe('a');
  });

  it("waits no longer than the call's deadline, nor than readyTimeoutMs, and recovers", async () => {
    const a = await serveGrpc('a');
    register({ readyTimeoutMs: 400 });
    const orders = callerOf('fairlead:///orders');
    await expect(orders.call({ deadlineMs: 50 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    await expect(orders.call()).rejects.toMatchObject(
      failure(
        status.UNAVAILABLE,
        'Service "orders" was not ready within readyTimeoutMs 400: the source has not answered yet',
      ),
    );
    discovery.fail(new Error('the registry is down'));
    await expect
      .poll(() => orders.call().catch((error: unknown) => String(error)))
      .toContain('(the registry is down)');
    const patient = orders.call({ waitForReady: true });
    await expect.poll(() => discovery.watching).toBe(1);
    discovery.set([a.spec]);
    expect(await patient).toBe('a');
    expect(await orders.call()).toBe('a');
  });

  it.each([
    ['round_robin', ROUND_ROBIN],
    ['pick_first', PICK_FIRST],
    ['outlier_detection', OUTLIERS],
  ])('fails with the reason, and recovers, with %s', async (_name, options) => {
    const a = await serveGrpc('a');
    discovery.emit({ kind: 'not-found' });
    register();
    const orders = callerOf('fairlead:///orders', options);
    const unknown = failure(
      status.UNAVAILABLE,
      'Service "orders": the source knows no such service',
    );
    await expect(orders.call()).rejects.toMatchObject(unknown);
    discovery.set([a.spec]);
    await settlesOn(orders, [a]);
    discovery.set([]);
    const empty = failure(status.UNAVAILABLE, 'Service "orders": no instance takes calls.');
    await expect
      .poll(() =>
        orders.call().then(
          () => ({}),
          (error: unknown) => error as object,
        ),
      )
      .toMatchObject(empty);
    const patient = orders.call({ waitForReady: true });
    discovery.set([a.spec]);
    expect(await patient).toBe('a');
    await settlesOn(orders, [a]);
  });

  it('says that a pool does not list the service, or is closed', async () => {
    const pool = createClientPool({ services: { orders: { discovery } } });
    unregister = registerFairlead(pool);
    await expect(callerOf('fairlead:///users').call()).rejects.toMatchObject(
      failure(status.UNAVAILABLE, 'Service "users" is not listed'),
    );
    await pool.close();
    await expect(callerOf('fairlead:///orders').call()).rejects.toMatchObject(
      failure(status.UNAVAILABLE, 'The client pool is closed'),
    );
  });

  it('asks for fresh data when connections fail, once a second at most', async () => {
    let reads = 0;
    const port = await refusedPort();
    const startedMs = performance.now();
    const pool = createClientPool({
      discovery: {
        name: 'slow poll',
        async *watch(_service, { sleep }) {
          for (;;) {
            reads++;
            yield { kind: 'instances', instances: [{ host: '127.0.0.1', port }] };
            await sleep(600_000);
          }
        },
      },
    });
    closeAfterwards(pool);
    unregister = registerFairlead(pool);
    const orders = callerOf('fairlead:///orders', {
      ...ROUND_ROBIN,
      'grpc.initial_reconnect_backoff_ms': 10,
      'grpc.max_reconnect_backoff_ms': 20,
    });
    let failures = 0;
    await expect
      .poll(
        async () => {
          await orders.call().catch(() => failures++);
          return reads;
        },
        { timeout: 20_000, interval: 5 },
      )
      .toBeGreaterThan(2);
    expect(reads).toBeLessThanOrEqual(2 + (performance.now() - startedMs) / 1_000);
    expect(failures).toBeGreaterThan(reads);
  });
});

describe('with the Consul adapter', () => {
  it('follows what is registered and deregistered', async () => {
    await using agent = await startConsulAgent();
    const [a, b] = [await serveGrpc('a'), await serveGrpc('b')];
    for (const { name, port } of [a, b]) {
      await agent.register({ id: name, name: 'orders', address: '127.0.0.1', port });
    }
    unregister = registerFairlead({
      discovery: consul({ url: agent.url }),
      defaults: { shrinkGraceMs: 0 },
    });
    const orders = callerOf('fairlead:///orders');
    await settlesOn(orders, [a, b]);
    await agent.deregister('a');
    await settlesOn(orders, [b]);
    const before = a.calls;
    expect(await orders.calls(10)).toEqual({ b: 10 });
    expect(a.calls).toBe(before);
    await expect(callerOf('fairlead:///nobody').call()).rejects.toMatchObject(
      failure(status.UNAVAILABLE, 'Service "nobody"'),
    );
    await orders.close(); // before its agent is gone
  });
});

describe('the end of a channel', () => {
  it('closes the client that was made for it, with the last channel of a service', async () => {
    const a = await serveGrpc('a');
    discovery.set([a.spec]);
    unregister = registerFairlead({ discovery });
    const [one, two] = [callerOf('fairlead:///orders'), callerOf('fairlead:///orders', PICK_FIRST)];
    expect(discovery.watches).toBe(0); // nothing before the first call
    expect([await one.call(), await two.call()]).toEqual(['a', 'a']);
    expect(discovery.watches).toBe(1);
    await one.close();
    expect(await two.call()).toBe('a');
    expect(discovery.watching).toBe(1);
    await two.close();
    await expect.poll(() => discovery.watching).toBe(0);
    expect(await callerOf('fairlead:///orders').call()).toBe('a'); // and begins anew
    expect(discovery.watches).toBe(2);
  });

  it("leaves the application's pool open, and nothing in it", async () => {
    const a = await serveGrpc('a');
    discovery.set([a.spec]);
    const pool = register();
    const orders = callerOf('fairlead:///orders');
    await orders.call();
    const { inside } = pool.client('orders');
    expect(inside?.news.size).toBe(1);
    await orders.close();
    expect(inside?.news.size).toBe(0);
    expect(discovery.watching).toBe(1);
    expect(pool.client('orders').snapshot().status).toBe('listed');
  });

  it.each(['close', 'leave open'])('lets the process end (%s)', async (end) => {
    const consulLike = await serve(() => undefined); // parks every query
    const child = fileURLToPath(new URL('grpc-process.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', child, end, `http://127.0.0.1:${consulLike.port}`],
      { timeout: 30_000 },
    );
    expect(stdout).toBe('hello from a\n14 UNAVAILABLE\nended by itself\n');
  });
});
