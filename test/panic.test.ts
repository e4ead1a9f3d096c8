import { describe, expect, it } from 'vitest';
import type { Client } from '../src/client.js';
import { refused } from './support/errors.js';
import { rig, row } from './support/fixtures.js';

/** Calls that fail at all instances but these; each resolves with the id that answered. */
function callsTo(
  client: Client,
  alive: readonly string[],
  tried: string[] = [],
): () => Promise<string> {
  return () =>
    client.call(({ instance: { id } }) => {
      tried.push(id);
      if (!alive.includes(id)) throw refused();
      return id;
    });
}

/** Calls until these breakers are open. */
async function openUp(
  client: Client,
  call: () => Promise<string>,
  ids: readonly string[],
): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (ids.every((id) => row(client, id).breaker === 'open')) return;
    await call().catch(() => undefined);
  }
  throw new Error(`not open after 200 calls: ${ids.join()}`);
}

function openOf(client: Client): string[] {
  return client
    .snapshot()
    .instances.filter(({ breaker }) => breaker === 'open')
    .map(({ id }) => id);
}

describe('a retry', () => {
  it('is not spent on another instance on trial while one in good health is left', async () => {
    const { client, clock } = await rig(['a', 'b', 'c', 'd', 'e'], {
      policy: 'round-robin',
      retry: { maxAttempts: 2 },
      breaker: { openMs: 100, maxOpenMs: 200 },
    });
    const call = callsTo(client, ['c', 'd', 'e']);
    await openUp(client, call, ['a', 'b']);
    for (let i = 0; i < 300; i++) {
      await clock.advance(250); // both are to be tried again each time
      expect(['c', 'd', 'e']).toContain(await call());
    }
    await client.close();
  });
});

describe('a call in panic', () => {
  // Without outlier detection nothing bounds how many breakers are open.
  const options = {
    policy: 'round-robin', // one that does not avoid the dead by itself
    retry: { maxAttempts: 2 },
    outlierDetection: false,
  } as const;

  it('is retried on the instance that is left, so that two dead of three cost no call', async () => {
    const { client } = await rig(['a', 'b', 'c'], options);
    const tried: string[] = [];
    const call = callsTo(client, ['c'], tried);
    await openUp(client, call, ['a', 'b']);
    tried.length = 0;
    for (let i = 0; i < 200; i++) expect(await call()).toBe('c');
    expect(client.explain().panic).toContain('1 of 3 instances available');
    expect(tried.filter((id) => id !== 'c').length).toBeGreaterThan(0); // panic did try the others
    await client.close();
  });

  it('is retried on a tried-and-failing kind only when no other is left', async () => {
    const { client } = await rig(['a', 'b'], options);
    const call = callsTo(client, []);
    await openUp(client, call, ['a', 'b']);
    expect(client.explain().panic).toContain('0 of 2 instances available');
    await expect(call()).rejects.toThrow('ECONNREFUSED');
    expect(client.explain().excluded).toHaveLength(1);
    await client.close();
  });
});

describe('where no more than half may be out', () => {
  const options = { policy: 'round-robin', retry: { maxAttempts: 2 } } as const;

  it('of two dead of three one goes out, the other is retried elsewhere, and no call is lost', async () => {
    const { client } = await rig(['a', 'b', 'c'], options);
    const held: string[] = [];
    client.on('breaker.held', ({ instanceId }) => held.push(instanceId));
    const tried: string[] = [];
    const call = callsTo(client, ['c'], tried);
    for (let i = 0; i < 30; i++) await call().catch(() => undefined);
    const [out, ...others] = openOf(client);
    expect(others).toEqual([]);
    const left = out === 'a' ? 'b' : 'a';
    expect(held).toEqual([left]);
    tried.length = 0;
    for (let i = 0; i < 200; i++) expect(await call()).toBe('c');
    expect(new Set(tried)).toEqual(new Set([left, 'c']));
    expect(client.explain().panic).toBeUndefined();
    await client.close();
  });

  it('no call is lost there, not even one that tries the one on trial first', async () => {
    const { client, clock } = await rig(['a', 'b', 'c'], { ...options, policy: 'random' });
    let trials = 0;
    client.on('breaker.half-opened', () => trials++);
    const call = callsTo(client, ['c']);
    for (let i = 0; i < 30; i++) await call().catch(() => undefined);
    for (let i = 0; i < 3_000; i++) {
      await clock.advance(100);
      expect(await call()).toBe('c');
    }
    expect(trials).toBeGreaterThan(3);
    expect(trials).toBeLessThan(20); // twice as long between them each time, up to a minute
    await client.close();
  });

  it('of two dead of two one goes out, and both are used: the other is in doubt as well', async () => {
    const { client } = await rig(['a', 'b'], { ...options, retry: false });
    const call = callsTo(client, []);
    for (let i = 0; i < 30; i++) await expect(call()).rejects.toThrow('ECONNREFUSED');
    expect(openOf(client)).toHaveLength(1);
    expect(client.explain().panic).toBe(
      '1 of 2 instances available, 1 of them in doubt: using all',
    );
    expect(client.explain().candidates).toHaveLength(2);
    await client.close();
  });

  it('a lone instance stays in, whatever it does', async () => {
    const { client } = await rig(['a'], { ...options, retry: false });
    const call = callsTo(client, []);
    for (let i = 0; i < 30; i++) await expect(call()).rejects.toThrow('ECONNREFUSED');
    expect(openOf(client)).toEqual([]);
    expect(client.explain().panic).toBeUndefined();
    await client.close();
  });
});
