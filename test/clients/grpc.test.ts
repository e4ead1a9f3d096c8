import { Client, credentials, experimental, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { registerFairlead } from '../../src/clients/grpc.js';
import { Feed, type Resolution } from '../../src/clients/grpc/feed.js';
import { serviceOf } from '../../src/clients/grpc/target-uri.js';
import type { Inside } from '../../src/client-view.js';
import { type Client as FairleadClient, createClient } from '../../src/client.js';
import { createClientPool } from '../../src/client-pool.js';
import type { ClientOptions } from '../../src/options.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { type MemoryAdapter, memoryAdapter } from '../../src/testing/memory-adapter.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { InstanceSpec } from '../../src/types.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';

const clients: FairleadClient[] = [];
const unregister: (() => void)[] = [];

afterEach(async () => {
  for (const take of unregister.splice(0)) take();
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

function insideOf({ inside }: { readonly inside?: Inside }): Inside {
  if (inside === undefined) throw new Error('nothing inside');
  return inside;
}

function scene(options: Partial<ClientOptions> = {}): {
  client: FairleadClient;
  clock: ManualClock;
  source: MemoryAdapter;
  feed: Feed;
  told: string[];
} {
  const clock = new ManualClock();
  const source = memoryAdapter();
  const client = createClient({
    service: 'orders',
    discovery: source,
    shrinkGraceMs: 0,
    env: { clock, rng: seededRng(1) },
    ...options,
  });
  clients.push(client);
  const told: string[] = [];
  const feed = new Feed(insideOf(client), (resolution) => told.push(inWords(resolution)));
  return { client, clock, source, feed, told };
}

/** Host names, or why there are none. */
function inWords(resolution: Resolution): string {
  return resolution.kind === 'nobody'
    ? resolution.why
    : resolution.instances.map(({ host }) => host).join(' ');
}

/** `a b c`, all alike but for what is given. */
function hosts(names: string, rest: Partial<InstanceSpec> = {}): InstanceSpec[] {
  return names.split(' ').map((host) => ({ host, port: 80, ...rest }));
}

describe('what a channel is fed with', () => {
  it('is each change of the list once, and nothing that is none', async () => {
    const { source, told } = scene();
    source.set(hosts('a b'));
    await settle();
    source.set(hosts('b a'));
    source.set(hosts('a b'));
    await settle();
    expect(told).toEqual(['a b']);
    source.set([...hosts('a', { weight: 2 }), ...hosts('b')]);
    await settle();
    source.set(hosts('b c'));
    await settle();
    source.set([]);
    await settle();
    source.emit({ kind: 'not-found' });
    await settle();
    expect(told.slice(1)).toEqual([
      'a b',
      'b c',
      'Service "orders": no instance takes calls.',
      'Service "orders": the source knows no such service.',
    ]);
  });

  it('is never told while somebody is in the middle of something', async () => {
    const { source, told, client } = scene();
    let heard = '';
    client.on('instances.changed', () => (heard = told.join()));
    source.set(hosts('a'));
    await settle();
    expect([heard, told]).toEqual(['', ['a']]);
  });

  it('waits for the first list, then says that there is none, with the trouble the source is in', async () => {
    const { source, told, clock, feed } = scene({ readyTimeoutMs: 1_000 });
    await clock.advance(999);
    expect(told).toEqual([]);
    await clock.advance(1);
    const late =
      'Service "orders" was not ready within readyTimeoutMs 1000: the source has not answered yet';
    expect(told).toEqual([`${late}.`]);
    source.fail(new Error('no route'));
    await settle();
    feed.wantFresh();
    await settle();
    expect(told).toEqual([`${late}.`, `${late} (no route).`]);
    source.set(hosts('a'));
    await clock.advance(60_000);
    expect(told.at(-1)).toBe('a');
  });

  it('waits for the first health checks where roles matter', async () => {
    const answers: ((role: string) => void)[] = [];
    const { source, client } = scene({
      healthCheck: {
        check: () =>
          new Promise((resolve) =>
            answers.push((role) => {
              resolve({ healthy: true, role });
            }),
          ),
      },
    });
    const told: string[] = [];
    const primary = client.where({ role: 'primary' });
    new Feed(insideOf(primary), (resolution) => told.push(inWords(resolution)));
    source.set(hosts('a b'));
    await settle();
    expect(told).toEqual([]);
    answers[0]?.('replica');
    answers[1]?.('primary');
    await settle();
    expect(told).toEqual(['b']);
  });

  it('is the best priority, and the next one too when that is short', async () => {
    const { source, told, client, clock } = scene({
      breaker: { consecutiveFailures: 1, openMs: 1_000 },
      outlierDetection: false,
      panicRatio: 0.5,
    });
    source.set([...hosts('a b c d'), ...hosts('x y', { priority: 1 })]);
    await settle();
    expect(told).toEqual(['a b c d']);
    for (const excluded of [
      ['b', 'c', 'd'],
      ['a', 'c', 'd'],
    ]) {
      client.pick({ excluded: excluded.map((host) => `${host}:80`) }).end('failure');
    }
    await settle();
    expect(told.at(-1)).toBe('c d x y'); // 2 of 4, times 1.4, carry 0.7 of the calls
    await clock.advance(120_000);
    expect(told.length).toBeGreaterThan(2); // time alone brings the others back, for a trial at least
  });

  it('is the own zone, whatever the probes of the others', async () => {
    const { source, told } = scene({ stages: { zone: { local: 'z1' } } });
    const near = hosts('a b c d', { locality: { zone: 'z1' } });
    const far = hosts('x y z', { locality: { zone: 'z2' } });
    source.set([...far, ...near]);
    await settle();
    expect(told).toEqual(['a b c d']);
  });

  it('is nothing any more after the end, and leaves no timer', async () => {
    const { source, told, feed, clock, client } = scene({ breaker: false });
    expect(insideOf(client).news.size).toBe(1);
    await settle();
    const before = clock.pendingTimers;
    source.set(hosts('a'));
    feed.close();
    await settle();
    expect(told).toEqual([]);
    expect(insideOf(client).news.size).toBe(0);
    expect(clock.pendingTimers).toBe(before - 1);
  });

  it('asks the source for fresh data at most once a second', async () => {
    const { feed, clock, client } = scene({
      discovery: {
        name: 'poll',
        async *watch(_service, { sleep }) {
          for (;;) {
            reads++;
            yield { kind: 'instances', instances: hosts('a') };
            await sleep(60_000);
          }
        },
      },
    });
    let reads = 0;
    await clock.advance(5_000);
    const before = reads;
    for (let i = 0; i < 100; i++) {
      feed.wantFresh();
      await clock.advance(20);
    }
    expect(reads - before).toBe(2);
    expect(client.snapshot().instances).toHaveLength(1);
  });
});

function refuses(fn: () => unknown, option: string, value: unknown): void {
  expectInvalidOption(thrownBy(fn), option, value);
}

describe('registerFairlead', () => {
  const pool = createClientPool({ discovery: memoryAdapter() });
  const register = (...args: Parameters<typeof registerFairlead>): (() => void) => {
    const take = registerFairlead(...args);
    unregister.push(take);
    return take;
  };

  it.each(['', 'Fairlead', 'a:b', '1a', 'dns', 'unix', 'xds', 7])(
    'refuses the scheme %j',
    (scheme) => {
      const given = { scheme: scheme as string };
      refuses(() => registerFairlead(pool, given), 'registerFairlead.scheme', scheme);
    },
  );

  it('refuses what is no target, and options that no pool takes', () => {
    refuses(() => registerFairlead(7 as never), 'target', 7);
    refuses(() => registerFairlead({ discovery: 7 } as never), 'discovery', 7);
    const misspelt = { discovery: memoryAdapter(), defaults: { timeout: 7 } };
    refuses(() => registerFairlead(misspelt as never), 'defaults.timeout', 7);
    refuses(() => registerFairlead(pool, { schema: 7 } as never), 'registerFairlead.schema', 7);
    register(pool); // none of them has taken the scheme
  });

  it('refuses a scheme that is registered, until that is taken away', () => {
    const take = register(pool, { scheme: 'twice' });
    const again = (): unknown => registerFairlead(pool, { scheme: 'twice' });
    refuses(again, 'registerFairlead.scheme', 'twice');
    take();
    const channel = (): Client => new Client('twice:///orders', credentials.createInsecure());
    expect(thrownBy(channel)).toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
    register(pool, { scheme: 'twice' });
    take(); // again: takes nothing of the other
    channel().close();
    refuses(again, 'registerFairlead.scheme', 'twice');
  });

  it.each(['forms://orders', 'forms://authority/orders', 'forms:////orders'])(
    'refuses the target %s, as the channel is made',
    (target) => {
      register(pool, { scheme: 'forms' });
      const channel = (): Client => new Client(target, credentials.createInsecure());
      expect(thrownBy(channel)).toMatchObject({
        code: 'ERR_FAIRLEAD_INVALID_OPTION',
        message: `Option "target" must be forms:///<service>; got "${target}".`,
      });
    },
  );

  it('reads the service from a target', () => {
    expect(serviceOf({ scheme: 'x', path: 'orders' })).toBe('orders');
    expect(serviceOf({ scheme: 'x', authority: '', path: 'a.b/c' })).toBe('a.b/c');
  });

  it('tells gRPC nothing after destroy, and again after the next updateResolution', async () => {
    const discovery = memoryAdapter(hosts('a'));
    register({ discovery }, { scheme: 'ends' });
    const heard: experimental.StatusOr<experimental.Endpoint[]>[] = [];
    const resolver = experimental.createResolver(
      { scheme: 'ends', path: 'orders' },
      (endpoints) => {
        heard.push(endpoints);
        return true;
      },
      {},
    );
    resolver.updateResolution();
    resolver.destroy();
    await settle();
    expect([heard.length, discovery.watching]).toEqual([0, 0]);
    resolver.updateResolution();
    await settle();
    expect(heard).toMatchObject([{ ok: true, value: [{ addresses: [{ host: 'a', port: 80 }] }] }]);
    resolver.destroy();
    resolver.destroy();
    await settle();
    expect([heard.length, discovery.watching]).toEqual([1, 0]);
  });

  it('takes away all addresses, whatever the policy, before it says that there are none', async () => {
    const discovery = memoryAdapter(hosts('a'));
    register({ discovery, defaults: { shrinkGraceMs: 0 } }, { scheme: 'empties' });
    const heard: unknown[] = [];
    const resolver = experimental.createResolver(
      { scheme: 'empties', path: 'orders' },
      (endpoints, _attributes, serviceConfig) => {
        heard.push([endpoints.ok ? endpoints.value.length : endpoints.error, serviceConfig?.ok]);
        return true;
      },
      {},
    );
    resolver.updateResolution();
    await settle();
    discovery.set([]);
    await settle();
    discovery.set(hosts('b c'));
    await settle();
    resolver.destroy();
    const error = expect.objectContaining({ code: status.UNAVAILABLE }) as object;
    expect(heard).toEqual([
      [1, undefined],
      [0, true],
      [error, undefined],
      [2, undefined],
    ]);
  });
});
