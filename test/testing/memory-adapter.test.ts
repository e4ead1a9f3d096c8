import { describe, expect, it } from 'vitest';
import { settle } from '../../src/testing/manual-clock.js';
import { memoryAdapter } from '../../src/testing/memory-adapter.js';
import { clientOver, idsOf, specs } from '../support/fixtures.js';

describe('memoryAdapter', () => {
  it('yields nothing until told to', async () => {
    const source = memoryAdapter();
    const { client } = clientOver(source);
    await settle();
    expect(client.snapshot().status).toBe('waiting');
    source.set(specs('a'));
    await settle();
    expect(idsOf(client)).toEqual(['a']);
    await client.close();
  });

  it('yields its initial list, and the latest to those who come later', async () => {
    const source = memoryAdapter(specs('a'));
    const early = clientOver(source).client;
    await settle();
    expect(idsOf(early)).toEqual(['a']);
    source.set(specs('b', 'c'));
    const late = clientOver(source).client;
    await settle();
    expect(idsOf(late)).toEqual(['b', 'c']);
    await Promise.all([early.close(), late.close()]);
  });

  it('counts watches, and those running', async () => {
    const source = memoryAdapter(specs('a'));
    const { client, clock } = clientOver(source);
    await settle();
    expect([source.watches, source.watching]).toEqual([1, 1]);
    source.fail(new Error('gone'));
    await settle();
    expect([source.watches, source.watching]).toEqual([1, 0]);
    await clock.advance(1_000);
    expect([source.watches, source.watching]).toEqual([2, 1]);
    await client.close();
    await settle();
    expect(source.watching).toBe(0);
  });

  it('reports and confirms on behalf of the watches that run', async () => {
    const source = memoryAdapter(specs('a'));
    const { client, clock } = clientOver(source);
    await settle();
    const faults: unknown[] = [];
    client.on('discovery.fault', ({ message }) => faults.push(message));
    source.report({ message: 'down', effect: 'stale' });
    expect(client.discoveryStatus()).toMatchObject({ state: 'stale', cause: 'down' });
    source.confirm({ details: { index: 1 } });
    expect(client.discoveryStatus()).toMatchObject({ state: 'current', details: { index: 1 } });
    source.fail(new Error('gone'));
    await clock.advance(1_000);
    source.report({ message: 'once' });
    expect(faults).toEqual(['down', 'gone', 'once']);
    await client.close();
  });

  it('publishes what is no snapshot too', async () => {
    const source = memoryAdapter();
    const { client } = clientOver(source);
    source.emit(null as unknown as Parameters<typeof source.emit>[0]);
    await settle();
    expect(client.snapshot().discovery.lastFault).toContain('got null');
    await client.close();
  });
});
