import { describe, expect, it } from 'vitest';
import type { ClientView } from '../src/client-view.js';
import { createClient } from '../src/client.js';
import type { ClientOptions } from '../src/options.js';
import type { Selector } from '../src/stages/selector.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { type MemoryAdapter, memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { InstanceSpec } from '../src/types.js';
import { expectInvalidOption } from './support/errors.js';
import { specs } from './support/fixtures.js';
import { thrownBy, watched } from './support/promises.js';

const LIST: readonly InstanceSpec[] = [
  { host: 'a', port: 80, id: 'a', tags: ['v1', 'web'], metadata: { version: '1', arch: 'arm' } },
  { host: 'b', port: 80, id: 'b', tags: ['v2', 'web'], metadata: { version: '2', arch: 'arm' } },
  { host: 'c', port: 80, id: 'c', tags: ['v2'], metadata: { version: '2', arch: 'x64' } },
  { host: 'd', port: 80, id: 'd', tags: ['v2', 'web'], metadata: { version: '2' }, weight: 0 },
];

async function made(
  options: Partial<ClientOptions> = {},
  list: readonly InstanceSpec[] = LIST,
): Promise<{ client: ReturnType<typeof createClient>; clock: ManualClock; source: MemoryAdapter }> {
  const clock = new ManualClock();
  const source = memoryAdapter(list);
  const client = createClient({
    service: 'orders',
    discovery: source,
    policy: 'round-robin',
    env: { clock, rng: seededRng(1) },
    ...options,
  });
  await settle();
  return { client, clock, source };
}

/** Ids that a view picks, each once. */
function reached(view: ClientView): string[] {
  const ids = Array.from({ length: 20 }, () => {
    const lease = view.pick();
    lease.end('success');
    return lease.instance.id;
  });
  return [...new Set(ids)].sort();
}

describe('where', () => {
  it.each<[string, Selector, string[]]>([
    ['a tag', { tags: ['v2'] }, ['b', 'c']],
    ['all of several tags', { tags: ['v2', 'web'] }, ['b']],
    ['metadata', { metadata: { version: '2' } }, ['b', 'c']],
    ['all of several metadata', { metadata: { version: '2', arch: 'x64' } }, ['c']],
    ['tags and metadata', { tags: ['web'], metadata: { arch: 'arm' } }, ['a', 'b']],
    ['nothing in particular', {}, ['a', 'b', 'c']],
  ])('selects by %s', async (_what, selector, ids) => {
    const { client } = await made();
    expect(reached(client.where(selector))).toEqual(ids);
    await client.close();
  });

  it('sends calls only to what it selects, retries included', async () => {
    const { client, clock } = await made({ retry: { maxAttempts: 5 }, breaker: false });
    const tried: string[] = [];
    const call = watched(
      client.where({ tags: ['v2'] }).call(
        ({ instance }) => {
          tried.push(instance.id);
          throw new Error('no');
        },
        { idempotent: true },
      ),
    );
    await clock.advance(9_999);
    expect(call.status).toBe('rejected');
    expect(tried).toHaveLength(5);
    expect([...new Set(tried)].sort()).toEqual(['b', 'c']);
    await client.close();
  });

  it('shares what is known of the instances, and keeps a picker of its own', async () => {
    const { client } = await made();
    const view = client.where({ metadata: { version: '2' } });
    const lease = view.pick();
    const pending = client.snapshot().instances.filter((row) => row.pending > 0);
    expect(pending.map(({ id }) => id)).toEqual([lease.instance.id]);
    lease.end('success');
    expect(view.explain().stages).toEqual([
      { name: 'listed', left: 4 },
      { name: 'draining', left: 3 },
      { name: 'where', left: 2 },
      { name: 'available', left: 2 },
      { name: 'priority', left: 2 },
    ]);
    expect(client.explain().picked).toBeUndefined();
    await client.close();
  });

  it('has all stages, in their order, with its own after draining', async () => {
    const stages = { zone: { local: 'x' }, subset: { size: 2 } };
    const { client } = await made({ stages });
    expect(
      client
        .where({ tags: ['v2'] })
        .explain()
        .stages.map(({ name }) => name),
    ).toEqual(['listed', 'draining', 'where', 'available', 'priority', 'zone', 'subset']);
    await client.close();
  });

  it('uses the part of a large set that the client uses', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `i${String(i)}`);
    const { client } = await made({ stages: { subset: { size: 3 } } }, specs(...names));
    const ids = reached(client);
    expect(ids).toHaveLength(3);
    expect(reached(client.where({}))).toEqual(ids);
    await client.close();
  });

  it('sees an open breaker whichever view opened it', async () => {
    const { client } = await made({ breaker: { consecutiveFailures: 1 } });
    const lease = client.where({ tags: ['v2'] }).pick();
    lease.end('failure');
    expect(reached(client)).not.toContain(lease.instance.id);
    await client.close();
  });

  it('keeps to its own when one of them is out', async () => {
    const { client } = await made({ breaker: { consecutiveFailures: 1 } });
    const view = client.where({ tags: ['v2'] });
    view.pick({ excluded: ['b'] }).end('failure');
    expect(reached(view)).toEqual(['b']);
    await client.close();
  });

  it('narrows a view further, and never widens it', async () => {
    const { client } = await made();
    const arm = client.where({ metadata: { arch: 'arm' } });
    expect(reached(arm.where({ tags: ['v2'] }))).toEqual(['b']);
    expect(thrownBy(() => arm.where({ metadata: { arch: 'x64' } }).pick())).toMatchObject({
      code: 'ERR_FAIRLEAD_NO_MATCH',
    });
    await client.close();
  });

  it('gives the same view for selectors that mean the same', async () => {
    const { client } = await made();
    const view = client.where({ tags: ['v2', 'web'], metadata: { version: '2', arch: 'arm' } });
    expect(
      client.where({ metadata: { arch: 'arm', version: '2' }, tags: ['web', 'v2', 'web'] }),
    ).toBe(view);
    expect(client.where({ tags: ['v2', 'web'] })).not.toBe(view);
    expect(client.where({ tags: ['v2 web'] })).not.toBe(client.where({ tags: ['v2', 'web'] }));
    await client.close();
  });

  it('does not keep views without bound', async () => {
    const { client } = await made();
    const first = client.where({ tags: ['0'] });
    for (let i = 1; i < 1_500; i++) client.where({ tags: [String(i)] });
    expect(client.where({ tags: ['0'] })).not.toBe(first);
    await client.close();
  });

  it('follows the list', async () => {
    const { client, source } = await made();
    const view = client.where({ tags: ['v3'] });
    expect(thrownBy(() => view.pick())).toMatchObject({ code: 'ERR_FAIRLEAD_NO_MATCH' });
    source.set([...LIST, { host: 'e', port: 80, tags: ['v3'] }]);
    await settle();
    expect(reached(view)).toEqual(['e:80']);
    await client.close();
  });
});

describe('a selector that matches nothing', () => {
  it('is a typed error that says what was wanted, in picks and in calls', async () => {
    const { client } = await made();
    const view = client.where({ role: 'primary', tags: ['v9'], metadata: { k: 'v' } });
    const message =
      'Service "orders": no instance that takes calls has role "primary", tag "v9", metadata "k" = "v" (roles come from health checks, and there are none).';
    expect(thrownBy(() => view.pick())).toMatchObject({ code: 'ERR_FAIRLEAD_NO_MATCH', message });
    await expect(view.call(() => 'x')).rejects.toMatchObject({
      code: 'ERR_FAIRLEAD_NO_MATCH',
      message,
    });
    await client.close();
  });

  it('uses any when told to, and says so', async () => {
    const { client } = await made();
    const view = client.where({ tags: ['v9'], fallback: 'any' });
    expect(reached(view)).toEqual(['a', 'b', 'c']);
    expect(view.explain().panic).toBe('no instance has tag "v9"');
    expect(client.explain().panic).toBeUndefined();
    await client.close();
  });

  it('falls back to any of the view that it narrows, not of the client', async () => {
    const { client } = await made();
    const any = client.where({ tags: ['v9'], fallback: 'any' });
    expect(reached(any.where({ tags: ['v2'] }))).toEqual(['b', 'c']);
    expect(thrownBy(() => any.where({ tags: ['v8'] }).pick())).toMatchObject({
      code: 'ERR_FAIRLEAD_NO_MATCH',
    });
    expect(
      reached(client.where({ tags: ['v2'] }).where({ tags: ['v9'], fallback: 'any' })),
    ).toEqual(['b', 'c']);
    await client.close();
  });

  it('means what it meant when the view was made, whatever becomes of the object', async () => {
    const { client } = await made();
    const tags = ['v1'];
    const metadata = { version: '1' };
    const view = client.where({ tags, metadata });
    tags[0] = 'v2';
    metadata.version = '2';
    expect(reached(view)).toEqual(['a']);
    expect(reached(client.where({ tags: ['v1'], metadata: { version: '1' } }))).toEqual(['a']);
    expect(reached(client.where({ tags, metadata }))).toEqual(['b', 'c']);
    await client.close();
  });

  it('is the view itself when the selector leaves nobody out', async () => {
    const { client } = await made();
    const view = client.where({ tags: ['v2'] });
    expect(view.where({})).toBe(view);
    expect(view.where({ tags: [], metadata: {}, fallback: 'any' })).toBe(view);
    expect(reached(client.where({}))).toEqual(['a', 'b', 'c']);
    await client.close();
  });

  it('is another error while there is no list, or an empty one', async () => {
    const { client } = await made({}, []);
    const code = 'ERR_FAIRLEAD_NO_INSTANCES';
    expect(thrownBy(() => client.where({ tags: ['v2'] }).pick())).toMatchObject({ code });
    await client.close();
  });
});

describe('ready of a view', () => {
  it('waits for an instance that it selects', async () => {
    const { client, source, clock } = await made({}, specs('a'));
    const ready = watched(client.where({ tags: ['v2'] }).ready());
    await clock.advance(100);
    expect(ready.status).toBe('pending');
    source.set([...specs('a'), { host: 'd', port: 80, tags: ['v2'], weight: 0 }]);
    await settle();
    expect(ready.status).toBe('pending'); // it takes no calls
    source.set(LIST);
    await settle();
    expect(ready.status).toBe('resolved');
    await client.close();
  });

  it('gives up by name', async () => {
    const { client, clock } = await made({ readyTimeoutMs: 500 });
    const ready = watched(client.where({ role: 'primary' }).ready());
    await clock.advance(500);
    expect(ready.error).toMatchObject({ code: 'ERR_FAIRLEAD_NOT_READY' });
    expect(String(ready.error)).toContain('no instance that takes calls has role "primary"');
    await client.close();
  });

  it('does not wait when any will do', async () => {
    const { client } = await made();
    const ready = watched(client.where({ role: 'primary', fallback: 'any' }).ready());
    await settle();
    expect(ready.status).toBe('resolved');
    await client.close();
  });
});

it('refuses to call what is no function', async () => {
  const { client } = await made();
  const refused = client.where({ tags: ['v2'] }).call(5 as never);
  expectInvalidOption(await refused.catch((error: unknown) => error), 'fn', 5);
  await client.close();
});

describe('a closed client', () => {
  it('closes its views', async () => {
    const { client } = await made();
    const view = client.where({ tags: ['v2'] });
    await client.close();
    expect(thrownBy(() => view.pick())).toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
    await expect(view.call(() => 'x')).rejects.toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
  });
});

describe('selectors are refused by name and value', () => {
  it.each<[string, unknown, unknown]>([
    ['where', null, null],
    ['where.tag', { tag: 5 }, 5],
    ['where.tags', { tags: 'v2' }, 'v2'],
    ['where.tags', { tags: [5] }, [5]],
    ['where.metadata', { metadata: ['a'] }, ['a']],
    ['where.metadata.k', { metadata: { k: 5 } }, 5],
    ['where.role', { role: '' }, ''],
    ['where.fallback', { fallback: 'all' }, 'all'],
  ])('%s: %j', async (option, selector, value) => {
    const { client } = await made();
    expectInvalidOption(
      thrownBy(() => client.where(selector as Selector)),
      option,
      value,
    );
    await client.close();
  });
});
