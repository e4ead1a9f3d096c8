import { afterEach, expect, it, vi } from 'vitest';
import type { Client } from '../src/client.js';
import { createClientPool } from '../src/client-pool.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import { clientOver, specs } from './support/fixtures.js';
import { type Deferred, deferred, watched } from './support/promises.js';

/** Writes under way: the disk answers when the test lets it. */
const writes: (Deferred<undefined> & { readonly path: string })[] = [];

vi.mock('../src/saved-list-file.js', async (original) => ({
  ...(await original<object>()),
  readSavedFile: () => Promise.resolve(undefined),
  removeLeftOvers: () => Promise.resolve(),
  writeSavedFile: (path: string) => {
    const write = { ...deferred<undefined>(), path };
    writes.push(write);
    return write.promise;
  },
}));

afterEach(async () => {
  // What is queued behind a write that hangs would wait in the next test, too.
  for (; writes.length > 0; await settle()) writes.shift()?.resolve(undefined);
});

const savedList = { folder: '/lists' };

it('a disk that does not answer holds up no call, and close() for 2 s at most', async () => {
  const { client, clock } = clientOver(memoryAdapter(specs('a')), { savedList });
  await settle();
  expect(writes).toHaveLength(1);
  expect(await client.call(() => 1)).toBe(1);
  const closed = watched(client.close());
  await clock.advance(1_999);
  expect(closed.status).toBe('pending');
  await clock.advance(1);
  expect(closed.status).toBe('resolved');
  expect(clock.pendingTimers).toBe(0);
});

it('lists are written one after the other, whatever client they are of', async () => {
  const clock = new ManualClock();
  const env = { clock, rng: seededRng(1) };
  const pool = createClientPool({
    discovery: memoryAdapter(specs('a')),
    defaults: { env, savedList },
  });
  const clients: readonly Client[] = ['a', 'b', 'c'].map((name) => pool.client(name));
  await Promise.all(clients.map((client) => client.ready()));
  await settle();
  const names: string[] = [];
  for (let i = 0; i < 3; i++) {
    expect(writes).toHaveLength(1);
    const write = writes.shift();
    names.push(write?.path ?? '');
    if (i === 1) write?.reject(new Error('no room'));
    else write?.resolve(undefined);
    await settle();
  }
  expect(names).toEqual(['a', 'b', 'c'].map((name) => `/lists/${name}@memory.json`));
  expect(writes).toEqual([]);
  await pool.close();
});

it('a list that changes while it is written is written again, a second after that began', async () => {
  const source = memoryAdapter(specs('a'));
  const { client, clock } = clientOver(source, { savedList });
  await settle();
  source.set(specs('a', 'b'));
  await clock.advance(5_000);
  expect(writes).toHaveLength(1);
  writes.shift()?.resolve(undefined);
  await settle();
  expect(writes).toHaveLength(1);
  writes.shift()?.resolve(undefined);
  await clock.advance(5_000);
  expect(writes).toEqual([]);
  await client.close();
});
