/** Calls that wait for an instance with room, and what room there is. */
import { describe, expect, it } from 'vitest';
import { adaptiveLoad } from '../src/policies/adaptive-load.js';
import { settle } from '../src/testing/manual-clock.js';
import type { Lease } from '../src/lease.js';
import type { Load } from '../src/types.js';
import { reset } from './support/errors.js';
import { inOrder } from './support/in-order.js';
import { rig, row } from './support/fixtures.js';
import { watched } from './support/promises.js';

it('an instance whose open time is over while all others are full is tried, though nobody tells of it', async () => {
  const { client, clock } = await rig(['a', 'b'], {
    policy: inOrder,
    retry: false,
    breaker: { consecutiveFailures: 1, openMs: 1_000 },
    maxConcurrency: { perInstance: 1 },
  });
  const held = client.pick();
  await expect(
    client.call(() => {
      throw reset();
    }),
  ).rejects.toThrow();
  expect(row(client, 'b').breaker).toBe('open');
  const call = watched(client.call(({ instance }) => instance.id, { timeoutMs: 30_000 }));
  await clock.advance(400);
  expect(call.status).toBe('pending');
  await clock.advance(700);
  expect(call.value).toBe('b');
  expect(clock.pendingTimers).toBe(0);
  held.end('success');
  await client.close();
});

it('a breaker that half-opens while an attempt begins lets nobody in beyond the limit', async () => {
  const { client, clock } = await rig(['a', 'b'], {
    policy: inOrder,
    retry: false,
    panicRatio: 1, // whatever is open is used all the same
    breaker: { consecutiveFailures: 1, openMs: 1_000 },
    maxConcurrency: { perInstance: 1 },
  });
  await expect(
    client.call(() => {
      throw reset();
    }),
  ).rejects.toThrow();
  expect(row(client, 'a').breaker).toBe('open');
  const [onA, onB] = [client.pick(), client.pick()];
  let most = 0;
  const calls = Array.from({ length: 3 }, () =>
    watched(
      client.call(async () => {
        most = Math.max(most, row(client, 'a').pending);
        await clock.sleep(100);
      }),
    ),
  );
  await clock.advance(1_100);
  expect(calls.map(({ status }) => status)).toEqual(['pending', 'pending', 'pending']);
  onA.end('ignored'); // the first of them is the probe
  await clock.advance(1_000);
  expect(most).toBe(1);
  expect(calls.map(({ status }) => status)).toEqual(['resolved', 'resolved', 'resolved']);
  onB.end('success');
  await client.close();
});

it('an instance has its room back though a load of the application’s own throws', async () => {
  let fails = false;
  const own: Load = {
    ...adaptiveLoad(),
    observe: (_state, elapsedMs) => {
      if (fails) throw new Error('load threw');
      return elapsedMs;
    },
  };
  const { client } = await rig(['a'], {
    policy: { ...inOrder, load: own },
    retry: false,
    maxConcurrency: { perInstance: 1 },
  });
  fails = true;
  await expect(client.call(() => 1)).rejects.toThrow('load threw');
  fails = false;
  expect(await client.call(() => 2)).toBe(2);
  await client.close();
});

describe('an adaptive limit', () => {
  it('is not halved for a probe where sessions stay, which would end none', async () => {
    const { client, clock } = await rig(['a'], {
      policy: inOrder,
      breaker: false,
      retry: false,
      maxConcurrency: { perInstance: 'adaptive' },
      timeoutMs: 5_000,
    });
    const sessions: Lease[] = [];
    const open = async (): Promise<boolean> => {
      let lease: Lease;
      try {
        lease = client.pick();
      } catch {
        return false;
      }
      await clock.advance(20);
      lease.answered();
      sessions.push(lease);
      await clock.advance(20);
      return true;
    };
    while (await open());
    // A few come and go, so that there is something to measure while the limit is in force.
    for (let i = 0; i < 40; i++) {
      sessions.shift()?.end('success');
      if (!(await open())) break; // a probe has begun
      await clock.advance(50);
    }
    for (let i = 0; i < 6; i++) sessions.shift()?.end('success');
    for (let i = 0; i < 60; i++) {
      const call = watched(client.call(() => 'in'));
      await clock.advance(10_000);
      expect(call.value).toBe('in');
    }
    for (const session of sessions) session.end('success');
    await settle();
    await client.close();
  });
});
