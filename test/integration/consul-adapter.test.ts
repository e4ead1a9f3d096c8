import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consul, type ConsulOptions } from '../../adapters/consul.js';
import { startConsulAgent, type ConsulAgent } from '../../scripts/consul-agent.js';
import { realEnv } from '../../src/env.js';
import type { InstanceSpec, Snapshot } from '../../src/types.js';
import { watchWith, type Watched } from '../adapters/watched.js';

let agent: ConsulAgent;
let watches: Watched[] = [];

beforeAll(async () => {
  agent = await startConsulAgent();
});

afterAll(async () => {
  await agent.stop();
});

/** Each test has a service of its own name, and its watch ends with it. */
async function watching(
  service: string,
  options: ConsulOptions,
  test: (watched: Watched) => Promise<void>,
): Promise<void> {
  const watched = watchWith(consul({ url: agent.url, ...options }), {
    service,
    clock: realEnv().clock,
  });
  watches.push(watched);
  try {
    await test(watched);
  } finally {
    await watched.abort();
    watches = watches.filter((other) => other !== watched);
  }
}

const newest = ({ snapshots }: Watched): Snapshot | undefined => snapshots.at(-1);

const instances = (watched: Watched): readonly InstanceSpec[] => {
  const snapshot = newest(watched);
  return snapshot?.kind === 'instances' ? snapshot.instances : [];
};

/** Waits for a list that looks like this, in order of port. */
function seen(watched: Watched, ...expected: readonly Partial<InstanceSpec>[]): Promise<void> {
  return watched.until(() => {
    const found = [...instances(watched)].sort((a, b) => a.port - b.port);
    return (
      newest(watched)?.kind === 'instances' &&
      found.length === expected.length &&
      expected.every((fields, i) =>
        Object.entries(fields).every(
          ([key, value]) =>
            JSON.stringify(found[i]?.[key as keyof InstanceSpec]) === JSON.stringify(value),
        ),
      )
    );
  });
}

describe('a real agent', () => {
  it('has its registrations and deregistrations followed', async () => {
    await watching('follow', {}, async (watched) => {
      await watched.until(() => newest(watched)?.kind === 'not-found');
      const first = await agent.register({ name: 'follow', port: 8001 });
      await seen(watched, { port: 8001, id: 'dc1/fairlead-test/follow-8001', host: '127.0.0.1' });
      const second = await agent.register({
        name: 'follow',
        port: 8002,
        address: '127.0.0.2',
        tags: ['v2'],
        meta: { protocol: 'https', rack: '7' },
      });
      await seen(
        watched,
        { port: 8001 },
        { port: 8002, host: '127.0.0.2', protocol: 'https', tags: ['v2'] },
      );
      await agent.deregister(first);
      await seen(watched, { port: 8002 });
      await agent.deregister(second);
      await watched.until(() => newest(watched)?.kind === 'not-found');
      expect(watched.faults).toEqual([]);
    });
  });

  it('has its weights followed through warning, critical and maintenance', async () => {
    const weights = { passing: 10, warning: 3 };
    const id = await agent.register({ name: 'weigh', port: 8001, weights });
    await watching('weigh', {}, async (watched) => {
      await seen(watched, { weight: 10 });
      await agent.warnCheck(id);
      await seen(watched, { weight: 3 });
      await agent.failCheck(id);
      await seen(watched);
      await agent.passCheck(id);
      await seen(watched, { weight: 10 });
      await agent.maintenance(id, true);
      await seen(watched);
      await agent.maintenance(id, false);
      await seen(watched, { weight: 10 });
      await agent.register({ name: 'weigh', port: 8001, weights: { passing: 1, warning: 1 } });
      await seen(watched, { weight: 1 });
      expect(watched.faults).toEqual([]);
    });
  });

  it('hides instances in warning state when only passing ones are wanted', async () => {
    await agent.register({ name: 'strict', port: 8001 });
    const id = await agent.register({ name: 'strict', port: 8002 });
    await watching('strict', { passingOnly: true }, async (watched) => {
      await seen(watched, { port: 8001 }, { port: 8002 });
      await agent.warnCheck(id);
      await seen(watched, { port: 8001 });
    });
  });

  it('has a changed tag followed, and all tags asked for matched', async () => {
    await agent.register({ name: 'tagged', port: 8001, tags: ['v2', 'blue'] });
    await agent.register({ name: 'tagged', port: 8002, tags: ['v2'] });
    await watching('tagged', { tags: ['v2', 'blue'] }, async (watched) => {
      await seen(watched, { port: 8001, tags: ['v2', 'blue'] });
      await agent.register({ name: 'tagged', port: 8002, tags: ['v2', 'blue', 'new'] });
      await seen(watched, { port: 8001 }, { port: 8002, tags: ['v2', 'blue', 'new'] });
      await agent.register({ name: 'tagged', port: 8001, tags: ['v2'] });
      await seen(watched, { port: 8002 });
    });
  });

  it('applies filter, node metadata, near, datacenter and stale', async () => {
    await agent.register({ name: 'picky', port: 8001, meta: { rack: '7' } });
    await agent.register({ name: 'picky', port: 8002, meta: { rack: '8' } });
    const options = {
      filter: 'Service.Meta.rack == "7"',
      near: '_agent',
      datacenter: 'dc1',
      consistency: 'stale' as const,
    };
    await watching('picky', options, async (watched) => {
      await seen(watched, { port: 8001, metadata: { rack: '7' } });
    });
    await watching('picky', { nodeMeta: { rack: 'none' } }, async (watched) => {
      await watched.until(() => newest(watched)?.kind === 'not-found');
    });
  });

  it('leaves out what it accepted with an impossible port, and says so', async () => {
    await agent.register({ name: 'ports', port: 8001 });
    await agent.register({ name: 'ports', port: 70_000 });
    await agent.register({ name: 'ports', port: 0 });
    await watching('ports', {}, async (watched) => {
      await seen(watched, { port: 8001 });
      expect(watched.faults.map(({ field, value }) => [field?.slice(-12), value]).sort()).toEqual([
        ['Service.Port', 0],
        ['Service.Port', 70_000],
      ]);
    });
  });

  it.each([
    [{ filter: 'Nonsense ==' }, 'check the option "filter"'],
    [{ datacenter: 'nowhere' }, 'check the option "datacenter"'],
  ])('that will never understand %o is asked again after 20 to 40 s', async (options, message) => {
    await watching('any', options, async (watched) => {
      await watched.until(({ faults }) => faults.length === 1);
      expect(watched.faults[0]?.message).toContain(message);
      expect(watched.faults[0]?.message).toMatch(/reading again in ([23]\d|40)\.\d s/);
    });
  });

  it('killed and begun anew with a lower index is followed again within 2 s', async () => {
    // Pushes the old index well above that of a fresh agent.
    for (let round = 0; round < 20; round++) {
      await agent.register({ name: 'noise', port: 9000 + round });
    }
    await agent.register({ name: 'reborn', port: 8001 });
    await watching('reborn', {}, async (watched) => {
      await seen(watched, { port: 8001 });
      const before = newest(watched);

      await agent.kill('SIGKILL');
      await watched.until(({ faults }) => faults.length > 0);
      expect(newest(watched)).toBe(before);
      await agent.restart();
      const startMs = performance.now();
      await agent.register({ name: 'reborn', port: 8002 });
      await seen(watched, { port: 8002 });
      const tookMs = performance.now() - startMs;
      console.log(`seen ${tookMs.toFixed(0)} ms after the restart`);
      expect(tookMs).toBeLessThan(2_000);

      // The new index is one to wait on: the next change comes at once.
      const parkedMs = performance.now();
      await agent.register({ name: 'reborn', port: 8003 });
      await seen(watched, { port: 8002 }, { port: 8003 });
      expect(performance.now() - parkedMs).toBeLessThan(1_500);

      const index = (snapshot: Snapshot | undefined): number =>
        snapshot?.kind === 'instances' ? Number(snapshot.version) : 0;
      expect(index(newest(watched))).toBeLessThan(index(before));
    });
  });
});
