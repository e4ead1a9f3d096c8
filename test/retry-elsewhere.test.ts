import { describe, expect, it } from 'vitest';
import type { ClientOptions } from '../src/options.js';
import { createClient, type Client } from '../src/client.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { memoryAdapter } from '../src/testing/memory-adapter.js';
import { seededRng } from '../src/testing/seeded-rng.js';
import type { InstanceSpec } from '../src/types.js';
import { refused } from './support/errors.js';
import { inOrder } from './support/in-order.js';
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

/** Opens the breaker of these. */
async function breakAll(client: Client, clock: ManualClock, ids: readonly string[]): Promise<void> {
  for (let i = 0; i < 5; i++) {
    for (const id of ids) {
      const others = client.snapshot().instances.map((each) => each.id);
      const lease = client.pick({ excluded: others.filter((other) => other !== id) });
      lease.end('failure');
    }
  }
  await clock.advance(0);
}

describe('an instance in doubt', () => {
  it('is no better for being in another zone', async () => {
    for (const seed of SEEDS) {
      const { client, clock } = await made(['a1@a', 'a2@a', 'a3@a', 'b1@b'], seed, { breaker: {} });
      await breakAll(client, clock, ['b1']);
      await clock.advance(1_001); // its time is over: it may be tried
      const sent: string[] = [];
      const call = watched(
        client.call(({ instance }) => {
          sent.push(instance.id);
          if (sent.length === 1) throw refused();
        }),
      );
      await clock.advance(100);
      expect(call.status).toBe('resolved');
      if (sent[0] !== 'b1') expect(zoneOf(sent[1])).toBe('a');
      await client.close();
    }
  });

  it('gets no hedge, not even as its trial', async () => {
    const { client, clock } = await made(['a1', 'a2'], 1, {
      breaker: {},
      hedge: { delayMs: 10, maxRatio: 1 },
      policy: inOrder,
    });
    await breakAll(client, clock, ['a2']);
    await clock.advance(1_001);
    const sent: string[] = [];
    const call = watched(
      client.call(
        async ({ instance }) => {
          sent.push(instance.id);
          await clock.sleep(100);
        },
        { idempotent: true },
      ),
    );
    await clock.advance(100);
    expect([call.status, sent]).toEqual(['resolved', ['a1']]);
    await client.close();
  });
});

describe('where an instance has no room', () => {
  it('sessions of the others are bound as ever', async () => {
    const { client } = await made(['a1', 'a2', 'a3'], 1, {
      policy: 'sticky',
      maxConcurrency: { perInstance: 1 },
    });
    const held = client.pick({ hashKey: 'whoever' });
    const homes = new Map<string, string>();
    for (let i = 0; i < 60; i++) {
      const hashKey = `user-${String(i)}`;
      const lease = client.pick({ hashKey });
      homes.set(hashKey, lease.instance.id);
      lease.end('success');
    }
    held.end('success');
    // Those that were sent elsewhere for want of room are at home now; the others stay where they are.
    for (const [hashKey, home] of homes) {
      const lease = client.pick({ hashKey });
      if (lease.instance.id !== held.instance.id) expect(lease.instance.id).toBe(home);
      lease.end('success');
    }
    await client.close();
  });

  it('a reserve takes a retry when the one without room was tried already', async () => {
    const { client, clock } = await made(['a1', 'a2', 'b1#1'], 1, {
      maxConcurrency: { perInstance: 1 },
      policy: 'round-robin',
      retry: { maxAttempts: 3 },
    });
    const sent: string[] = [];
    let busy: ReturnType<Client['pick']> | undefined;
    const call = watched(
      client.call(({ instance }) => {
        sent.push(instance.id);
        if (sent.length === 2) {
          const others = client.snapshot().instances.map(({ id }) => id);
          queueMicrotask(() => {
            busy = client.pick({ excluded: others.filter((id) => id !== sent[0]) });
          });
        }
        if (sent.length < 3) throw refused();
      }),
    );
    await clock.advance(500);
    expect([call.status, sent[2]]).toEqual(['resolved', 'b1']);
    busy?.end('success');
    await client.close();
  });
});
