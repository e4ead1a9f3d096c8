import { describe, expect, it } from 'vitest';
import type { ClientOptions } from '../src/options.js';
import { createClient, type Client } from '../src/client.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { InstanceSpec } from '../src/types.js';
import { refused } from './support/errors.js';
import { watched } from './support/promises.js';

/** `'a1@x'`: instance a1 in zone x; `'b1@y#1'`: of priority 1. */
function placed(...names: string[]): InstanceSpec[] {
  return names.map((name) => {
    const [, id = '', zone, priority = '0'] = /^(\w+)(?:@(\w+))?(?:#(\d))?$/.exec(name) ?? [];
    const locality = zone === undefined ? undefined : { zone };
    return { id, host: id, port: 80, priority: Number(priority), locality };
  });
}

async function made(
  names: readonly string[],
  seed: number,
  options: Partial<ClientOptions> = {},
): Promise<{ client: Client; clock: ManualClock }> {
  const clock = new ManualClock();
  const client = createClient({
    service: 'orders',
    discovery: memoryAdapter(placed(...names)),
    policy: 'random',
    breaker: false,
    retry: { maxAttempts: 4 },
    env: { clock, rng: seededRng(seed) },
    ...options,
  });
  await settle();
  return { client, clock };
}

/** Where the attempts of a call go that fails everywhere. */
async function route(client: Client, clock: ManualClock): Promise<string[]> {
  const sent: string[] = [];
  const call = watched(
    client.call(({ instance }) => {
      sent.push(instance.id);
      throw refused();
    }),
  );
  await clock.advance(2_000);
  expect(call.status).toBe('rejected');
  return sent;
}

const zoneOf = (id = ''): string => id.slice(0, 1);
const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

describe('a retry', () => {
  it('goes to a zone that the call has not failed in, and back only when it has failed in all', async () => {
    for (const seed of SEEDS) {
      const { client, clock } = await made(['a1@a', 'a2@a', 'b1@b', 'b2@b', 'c1@c'], seed);
      const sent = await route(client, clock);
      expect(new Set(sent).size, 'none twice').toBe(4);
      expect(new Set(sent.slice(0, 3).map(zoneOf)).size, 'three zones first').toBe(3);
      await client.close();
    }
  });

  it('stays in the zone rather than leaving the priority', async () => {
    for (const seed of SEEDS) {
      const { client, clock } = await made(['a1@a', 'a2@a', 'b1@b#1', 'b2@b#1'], seed);
      const sent = await route(client, clock);
      expect(sent.slice(0, 2).sort()).toEqual(['a1', 'a2']);
      expect(sent.slice(2).sort()).toEqual(['b1', 'b2']);
      await client.close();
    }
  });

  it('leaves its zone after a second failure only, where calls keep to their zone', async () => {
    for (const seed of SEEDS) {
      const { client, clock } = await made(['a1@a', 'a2@a', 'a3@a', 'b1@b', 'b2@b', 'b3@b'], seed, {
        stages: { zone: { local: 'a', probeRatio: 0 } },
      });
      // After a failure in each, at home again.
      expect((await route(client, clock)).map(zoneOf)).toEqual(['a', 'a', 'b', 'a']);
      await client.close();
    }
  });

  it('goes on as ever where no zones are known', async () => {
    const { client, clock } = await made(['a1', 'a2', 'b1@b', 'b2@b'], 1);
    expect(new Set(await route(client, clock)).size).toBe(4);
    await client.close();
  });

  it('leaves the zone with any policy', async () => {
    const policies = ['adaptive', 'p2c', 'round-robin', 'weighted-round-robin', 'maglev'] as const;
    for (const policy of policies) {
      const { client, clock } = await made(['a1@a', 'a2@a', 'a3@a', 'b1@b'], 3, {
        policy,
        retry: { maxAttempts: 2 },
      });
      for (let i = 0; i < 8; i++) {
        const [first, second] = await route(client, clock);
        expect(zoneOf(first), policy).not.toBe(zoneOf(second));
      }
      await client.close();
    }
  });
});

describe('an instance that has no room', () => {
  it('is passed over while another of its priority has some', async () => {
    const { client } = await made(['a1', 'a2', 'b1#1'], 1, { maxConcurrency: { perInstance: 1 } });
    const picked = [client.pick(), client.pick()].map(({ instance }) => instance.id);
    expect(picked.sort()).toEqual(['a1', 'a2']);
    await client.close();
  });

  it('is waited for, rather than a reserve used', async () => {
    const { client, clock } = await made(['a1', 'b1#1'], 1, {
      maxConcurrency: { perInstance: 1 },
      stages: { priority: { mode: 'strict' } },
    });
    const lease = client.pick();
    expect(lease.instance.id).toBe('a1');
    const call = watched(client.call(({ instance }) => instance.id));
    await clock.advance(50);
    expect(call.status).toBe('pending');
    lease.end('success');
    await settle();
    expect(call.value).toBe('a1');
    await client.close();
  });

  it('is waited for by a retry that has not tried it', async () => {
    const { client, clock } = await made(['a1', 'a2'], 1, { maxConcurrency: { perInstance: 1 } });
    const held = client.pick();
    const sent: string[] = [];
    const call = watched(
      client.call(({ instance }) => {
        sent.push(instance.id);
        if (instance.id !== held.instance.id) throw refused();
        return 'ok';
      }),
    );
    await clock.advance(100);
    expect([call.status, sent.length]).toEqual(['pending', 1]);
    held.end('success');
    await settle();
    expect([call.value, sent.at(-1)]).toEqual(['ok', held.instance.id]);
    await client.close();
  });
});
