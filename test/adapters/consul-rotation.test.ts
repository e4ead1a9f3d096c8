import { describe, expect, it } from 'vitest';
import type { ConsulOptions } from '../../adapters/consul.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import { consulOf, half } from './consul-scene.js';
import { entry, fakeConsul, type FakeCall, type FakeConsul } from './fake-consul.js';
import { type Watched, watchWith } from './watched.js';

interface Scene {
  readonly agents: readonly [FakeConsul, FakeConsul, FakeConsul];
  readonly clock: ManualClock;
  readonly watched: Watched;
  /** How often each agent was asked for the list. */
  asked(): readonly number[];
}

/** Three agents, none of them asked anything that is answered yet. */
async function beginAmong(
  options: ConsulOptions = {},
  agents: Scene['agents'] = [fakeConsul(), fakeConsul(), fakeConsul()],
  clock = new ManualClock(),
): Promise<Scene> {
  const watched = watchWith(consulOf(agents, options), { clock, rng: half });
  await settle();
  return { agents, clock, watched, asked: () => agents.map(({ calls }) => calls.length) };
}

/** The first has failed, and the second has a query parked. */
async function parkAtSecond(): Promise<Scene> {
  const scene = await beginAmong();
  const [first, second] = scene.agents;
  first.newest().fail(new Error('down'));
  await settle();
  second.newest().reply([entry()], 20);
  await settle();
  return scene;
}

const indexOf = ({ query }: FakeCall): unknown => query['index'];

describe('another agent is asked', () => {
  it.each<[string, (call: FakeCall, clock: ManualClock) => unknown]>([
    ['a failed connection', (call) => call.fail(new Error('connect'))],
    ['a missed deadline', (_, clock) => clock.advance(10_000)],
    ['a 500', (call) => call.refuse(500, 'out of order')],
    ['a 503', (call) => call.refuse(503, '', { 'retry-after': '30' })],
    ['a 429', (call) => call.refuse(429)],
    ['a bad body', (call) => call.reply({}, 5)],
  ])('at once after %s', async (_what, fail) => {
    const { agents, asked, clock, watched } = await beginAmong();
    await fail(agents[0].newest(), clock);
    await settle();
    expect(asked()).toEqual([1, 1, 0]);
    expect(watched.faults).toMatchObject([{ effect: 'stale' }]);
    expect(watched.faults[0]?.message).toMatch(/; asking Consul instead\.$/);
    agents[1].newest().reply([entry()], 7);
    await settle();
    expect(watched.snapshots).toHaveLength(1);
    await watched.abort();
  });

  it.each<[string, number, string]>([
    ['an unknown token', 403, 'ACL not found'],
    ['an unknown datacenter', 500, 'No path to datacenter'],
    ['a bad filter', 500, 'Failed to create boolean expression evaluator: 1:9'],
  ])('not for %s', async (_what, status, body) => {
    const { agents, asked, clock, watched } = await beginAmong();
    agents[0].newest().refuse(status, body);
    await clock.advance(29_999);
    expect(asked()).toEqual([1, 0, 0]);
    await clock.advance(1);
    expect(asked()).toEqual([2, 0, 0]);
    expect(watched.faults).toMatchObject([{ effect: 'refused' }]);
    await watched.abort();
  });

  it('without the index of the one before', async () => {
    const { agents, watched } = await parkAtSecond();
    const [first, second, third] = agents;
    expect(second.calls.map(indexOf)).toEqual([undefined, '20']);
    second.newest().fail(new Error('down'));
    await settle();
    third.newest().reply([entry()], 3);
    await settle();
    expect(third.calls.map(indexOf)).toEqual([undefined, '3']);
    expect(first.calls).toHaveLength(1);
    await watched.abort();
  });

  it('once a lap, and after a pause the first is asked again', async () => {
    const { agents, asked, clock, watched } = await beginAmong();
    const pauses: number[] = [];
    for (let lap = 1; lap <= 4; lap++) {
      for (const agent of agents) {
        agent.newest().fail(new Error('down'));
        await settle();
      }
      expect(asked()).toEqual([lap, lap, lap]);
      const startMs = clock.now();
      while (agents[0].calls.length === lap) await clock.advance(125);
      pauses.push(clock.now() - startMs);
    }
    expect(pauses).toEqual([125, 250, 500, 1_000]);
    await watched.abort();
  });

  it('before the pause that one of them asked for', async () => {
    const { agents, asked, clock, watched } = await beginAmong();
    agents[0].newest().refuse(503, '', { 'retry-after': '7' });
    await settle();
    agents[1].newest().fail(new Error('down'));
    await settle();
    agents[2].newest().refuse(429);
    await clock.advance(6_999);
    expect(asked()).toEqual([1, 1, 1]);
    await clock.advance(1 + 125);
    expect(asked()).toEqual([2, 1, 1]);
    await watched.abort();
  });

  it('first where the preferred one is not trusted yet', async () => {
    const first = await parkAtSecond();
    const second = await beginAmong({}, first.agents, first.clock);
    expect(first.asked()).toEqual([1, 3, 0]);
    await second.watched.abort();
    await first.watched.abort();
  });

  it('first after a pause where the preferred one is known not to answer', async () => {
    const { agents, asked, clock, watched } = await parkAtSecond();
    const [first, second, third] = agents;
    first.probe = 'silence';
    await clock.advance(12_000);
    second.newest().fail(new Error('down'));
    await settle();
    third.newest().fail(new Error('down'));
    await settle();
    expect(asked()).toEqual([2, 2, 1]);
    first.newest().fail(new Error('down'));
    await clock.advance(125);
    expect(asked()).toEqual([2, 3, 1]);
    await watched.abort();
  });
});

describe('what an agent must be', () => {
  it('is asked once of each, before its first read', async () => {
    const { agents, asked, clock, watched } = await beginAmong({ peer: 'east' });
    const [first, second] = agents;
    const paths = ({ calls }: FakeConsul): readonly string[] => calls.map(({ path }) => path);
    const read = '/health/service/web';
    first.newest().reply({ Config: { Version: '1.15.2' } });
    await settle();
    first.newest().reply([entry()], 10);
    await settle();
    expect(paths(first)).toEqual(['/agent/self', read, read]);
    first.newest().fail(new Error('down'));
    await settle();
    expect(paths(second)).toEqual(['/agent/self']);
    second.newest().reply({ Config: { Version: '1.8.7' } });
    await clock.advance(1_000);
    // That it is too old would be so of all: a matter of configuration.
    expect(asked()).toEqual([3, 1, 0]);
    expect(watched.faults[1]).toMatchObject({
      effect: 'refused',
      message: expect.stringContaining('"peer" needs Consul 1.14.0 or later'),
    });
    // Back at the first, which has been asked.
    await clock.advance(15_000);
    expect(paths(first)).toEqual(['/agent/self', read, read, read]);
    await watched.abort();
  });
});

describe('the preferred agent', () => {
  it('is read again after three good probes in a row', async () => {
    const { agents, clock, watched } = await parkAtSecond();
    const [first, second] = agents;
    const parked = second.newest();
    await clock.advance(10_000);
    first.probe = 'no leader';
    await clock.advance(5_000);
    first.probe = 'leader';
    await clock.advance(10_000 + 200);
    expect(parked.cancelled).toBe(false);
    await clock.advance(4_800 + 125);
    expect(parked.cancelled).toBe(true);
    expect(first.calls.map(indexOf)).toEqual([undefined, undefined]);
    first.newest().reply([entry({ port: 81 })], 5);
    await settle();
    expect(first.calls.map(indexOf)).toEqual([undefined, undefined, '5']);
    expect(watched.snapshots).toHaveLength(2);
    expect(watched.faults).toHaveLength(1);
    await watched.abort();
  });

  it('is probed while another is read, and the other no longer once it is back', async () => {
    const { agents, clock, watched } = await parkAtSecond();
    const [first, second, third] = agents;
    await clock.advance(15_000 + 125);
    expect([first.probes, second.probes, third.probes]).toEqual([3, 3, 0]);
    first.newest().reply([entry()], 5);
    await clock.advance(15_000);
    expect([first.probes, second.probes, third.probes]).toEqual([6, 3, 0]);
    await watched.abort();
    await settle();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is left again when its read fails, until three more good probes', async () => {
    const { agents, clock, watched } = await parkAtSecond();
    const [first, second] = agents;
    await clock.advance(15_000 + 125);
    first.newest().refuse(500, 'out of order');
    await settle();
    expect(second.calls.map(indexOf)).toEqual([undefined, '20', undefined]);
    second.newest().reply([entry()], 21);
    await clock.advance(14_000);
    expect(first.calls).toHaveLength(2);
    await clock.advance(1_000 + 125);
    expect(first.calls).toHaveLength(3);
    await watched.abort();
  });

  it('is waited for by whoever was turned away by another', async () => {
    const { agents, clock, watched } = await beginAmong();
    agents[0].newest().fail(new Error('down'));
    await settle();
    agents[1].newest().refuse(403, 'ACL not found');
    await clock.advance(15_000 + 125);
    expect(agents[0].calls).toHaveLength(2);
    await watched.abort();
  });
});

it('leaves nothing behind when it is aborted in the middle of a lap, or in the pause after it', async () => {
  for (const failures of [1, 2, 3]) {
    const { agents, clock, watched } = await beginAmong();
    for (const agent of agents.slice(0, failures)) {
      agent.newest().fail(new Error('down'));
      await settle();
    }
    await watched.abort();
    await settle();
    expect(clock.pendingTimers).toBe(0);
  }
});
