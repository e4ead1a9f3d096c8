import { describe, expect, it } from 'vitest';
import { refused } from './support/errors.js';
import { rig, row } from './support/fixtures.js';

describe('a retry', () => {
  it('is not spent on another instance on trial while one in good health is left', async () => {
    const { client, clock } = await rig(['a', 'b', 'c', 'd', 'e'], {
      policy: 'round-robin',
      retry: { maxAttempts: 2 },
      breaker: { openMs: 100, maxOpenMs: 200 },
    });
    const call = (): Promise<string> =>
      client.call(({ instance: { id } }) => {
        if (id === 'a' || id === 'b') throw refused();
        return id;
      });
    while (row(client, 'a').breaker !== 'open' || row(client, 'b').breaker !== 'open') {
      await call().catch(() => undefined);
    }
    for (let i = 0; i < 300; i++) {
      await clock.advance(250); // both are to be tried again each time
      expect(await call()).not.toBe('a');
    }
    await client.close();
  });
});

describe('a call in panic', () => {
  it('is retried on the instance that is left, so that two dead of three cost no call', async () => {
    const { client } = await rig(['a', 'b', 'c'], {
      policy: 'round-robin', // one that does not avoid the dead by itself
      retry: { maxAttempts: 2 },
    });
    const tried = new Map<string, number>();
    const call = (): Promise<string> =>
      client.call(({ instance: { id } }) => {
        tried.set(id, (tried.get(id) ?? 0) + 1);
        if (id !== 'c') throw refused();
        return id;
      });
    while (row(client, 'a').breaker !== 'open' || row(client, 'b').breaker !== 'open') {
      await call().catch(() => undefined);
    }
    tried.clear();
    for (let i = 0; i < 200; i++) expect(await call()).toBe('c');
    expect(client.explain().panic).toContain('1 of 3 instances available');
    expect((tried.get('a') ?? 0) + (tried.get('b') ?? 0)).toBeGreaterThan(0); // panic did try the others
  });

  it('is retried on a tried-and-failing kind only when no other is left', async () => {
    const { client } = await rig(['a', 'b'], { policy: 'round-robin', retry: { maxAttempts: 2 } });
    const failing = (): Promise<never> =>
      client.call(() => {
        throw refused();
      });
    for (let i = 0; i < 10; i++) await failing().catch(() => undefined);
    expect(client.explain().panic).toContain('0 of 2 instances available');
    await expect(failing()).rejects.toThrow('ECONNREFUSED');
    expect(client.explain().excluded).toHaveLength(1);
  });
});
