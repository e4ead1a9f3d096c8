import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { consul } from '../../adapters/consul.js';
import { watchDatacenters } from '../../adapters/consul/datacenters.js';
import { Recent } from '../../adapters/consul/recent.js';
import { readOptions } from '../../adapters/consul/options.js';
import { ManualClock, settle } from '../../src/testing/manual-clock.js';
import type { InstanceSpec, Snapshot, WatchContext } from '../../src/types.js';
import { half } from './consul-scene.js';
import { entryWith } from './entry-with.js';
import { entry, type FakeCall, fakeConsul } from './fake-consul.js';
import { type Watched, watchWith } from './watched.js';

/** One datacenter, as a test plays it. */
interface Stage {
  readonly context: WatchContext;
  emit(...instances: readonly InstanceSpec[]): Promise<void>;
  say(snapshot: Snapshot): Promise<void>;
  fail(error: Error): Promise<void>;
  readonly ended: boolean;
}

interface Play {
  readonly watched: Watched;
  readonly clock: ManualClock;
  /** The newest watch of a datacenter; `undefined` names the agent's own. */
  stage(datacenter: string | undefined): Stage;
  /** How often a datacenter was watched. */
  starts(datacenter: string | undefined): number;
}

async function play(
  options: object,
  clock = new ManualClock(),
  remembered = new Recent<Snapshot>(),
): Promise<Play> {
  const stages: { datacenter: string | undefined; stage: Stage }[] = [];
  const settings = readOptions(options);
  const adapter = {
    name: 'consul',
    watch: (service: string, context: WatchContext) =>
      watchDatacenters(
        service,
        settings,
        context,
        (_service, datacenter, _settings, own) => {
          const { stage, snapshots } = createStage(own);
          stages.push({ datacenter, stage });
          return snapshots();
        },
        remembered,
      ),
  };
  const watched = watchWith(adapter, { clock, rng: half });
  await settle();
  const of = (datacenter: string | undefined): Stage[] =>
    stages.filter((one) => one.datacenter === datacenter).map(({ stage }) => stage);
  return {
    watched,
    clock,
    stage(datacenter) {
      const stage = of(datacenter).at(-1);
      if (stage === undefined) throw new Error(`${String(datacenter)} is not watched`);
      return stage;
    },
    starts: (datacenter) => of(datacenter).length,
  };
}

function createStage(context: WatchContext) {
  const queue: (Snapshot | Error)[] = [];
  let wake = (): void => {};
  let ended = false;
  const push = async (next: Snapshot | Error): Promise<void> => {
    queue.push(next);
    wake();
    await settle();
  };
  const stage: Stage = {
    context,
    emit: (...instances) => push({ kind: 'instances', instances, version: '7' }),
    say: push,
    fail: push,
    get ended() {
      return ended;
    },
  };
  async function* snapshots(): AsyncGenerator<Snapshot, void, undefined> {
    const onAbort = (): void => wake();
    context.signal.addEventListener('abort', onAbort);
    try {
      while (!context.signal.aborted) {
        const next = queue.shift();
        if (next instanceof Error) throw next;
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      context.signal.removeEventListener('abort', onAbort);
      ended = true;
    }
  }
  return { stage, snapshots };
}

const a: InstanceSpec = { host: '10.0.0.1', port: 1, id: 'dc1/n/a' };
const b: InstanceSpec = { host: '10.0.0.2', port: 1, id: 'dc2/n/b', priority: 2 };
const c: InstanceSpec = { host: '10.0.0.3', port: 1, id: 'dc3/n/c', priority: 5_000 };

/** Ids and priorities of the newest list. */
function newest({ snapshots }: Watched): unknown {
  const snapshot = snapshots.at(-1);
  return snapshot?.kind === 'instances'
    ? snapshot.instances.map(({ id, priority }) => [id, priority])
    : snapshot?.kind;
}

const three = { datacenter: 'dc1', failover: ['dc2', 'dc3'] };
const two = { datacenter: 'dc1', failover: ['dc2'] };

describe('the lists of several datacenters', () => {
  it('are one, in which each further one comes later', async () => {
    const { watched, stage } = await play(three);
    await stage('dc1').emit(a, { ...a, id: 'dc1/n/late', priority: 4_711 });
    await stage('dc2').emit(b);
    await stage('dc3').emit(c);
    expect(newest(watched)).toEqual([
      ['dc1/n/a', undefined],
      ['dc1/n/late', 999],
      ['dc2/n/b', 1_002],
      ['dc3/n/c', 2_999],
    ]);
    expect(watched.snapshots.at(-1)).toMatchObject({ version: '7 7 7' });
    await watched.abort();
  });

  it('wait for the first, and then for nobody', async () => {
    const { watched, stage } = await play(three);
    await stage('dc2').emit(b);
    expect(watched.snapshots).toEqual([]);
    await stage('dc1').emit(a);
    expect(newest(watched)).toEqual([
      ['dc1/n/a', undefined],
      ['dc2/n/b', 1_002],
    ]);
    await watched.abort();
  });

  it('change with each of them', async () => {
    const { watched, stage } = await play(two);
    await stage('dc1').emit(a);
    await stage('dc2').emit(b);
    await stage('dc2').emit();
    await stage('dc1').say({ kind: 'not-found' });
    expect(watched.snapshots.map((snapshot) => snapshot.kind)).toEqual(Array(4).fill('instances'));
    expect(newest(watched)).toEqual([]);
    await watched.abort();
  });

  it('of the first alone do not pass through the merge', async () => {
    const { watched, stage } = await play({ datacenter: 'dc1' });
    const snapshot: Snapshot = { kind: 'instances', instances: [c] };
    await stage('dc1').say(snapshot);
    expect(watched.snapshots[0]).toBe(snapshot);
    await watched.abort();
  });

  it('are not found only if all of them say so', async () => {
    const { watched, stage } = await play(three);
    await stage('dc1').say({ kind: 'not-found' });
    await stage('dc2').say({ kind: 'not-found' });
    expect(watched.snapshots).toEqual([]); // the third may know it
    await stage('dc3').say({ kind: 'not-found' });
    expect(watched.snapshots).toEqual([{ kind: 'not-found' }]);
    await stage('dc3').emit(c);
    expect(newest(watched)).toEqual([['dc3/n/c', 2_999]]);
    await watched.abort();
  });

  it('have each instance once, and a word is said if two are of one datacenter', async () => {
    const { watched, stage } = await play({ failover: ['dc1', 'dc2'] });
    await stage(undefined).emit(a);
    await stage('dc1').emit(a);
    await stage('dc1').emit(a);
    expect(newest(watched)).toEqual([['dc1/n/a', undefined]]);
    expect(watched.faults).toMatchObject([{ field: 'failover', value: 'dc1/n/a' }]);
    expect(watched.faults[0]?.message).toContain(
      'the agent\'s own datacenter, datacenter "dc1", datacenter "dc2"',
    );
    await watched.abort();
  });

  it('may lack ids', async () => {
    const { watched, stage } = await play(two);
    const bare = { host: 'h', port: 1 };
    await stage('dc1').emit(bare, { ...bare, port: 2 });
    expect(newest(watched)).toHaveLength(2);
    await watched.abort();
  });
});

describe('a datacenter that cannot be read', () => {
  const down = { message: 'no leader', effect: 'stale' } as const;

  it('lets the others go on, when it is the first from the beginning', async () => {
    const { watched, stage } = await play(two);
    await stage('dc2').emit(b);
    stage('dc1').context.report(down);
    await settle();
    expect(newest(watched)).toEqual([['dc2/n/b', 1_002]]);
    expect(watched.snapshots[0]).toMatchObject({
      stale: 'datacenter "dc1": no leader',
      // So that what is known of it from before is not thrown away.
      incomplete: 'datacenter "dc1": nothing is known of it yet',
    });
    await stage('dc1').emit(a);
    const last = watched.snapshots.at(-1);
    expect(last).not.toHaveProperty('stale');
    expect(last).not.toHaveProperty('incomplete');
    await watched.abort();
  });

  it('is not found at once with the others, but may have instances', async () => {
    const { watched, stage } = await play(two);
    await stage('dc1').say({ kind: 'not-found' });
    stage('dc2').context.report(down);
    await settle();
    expect(watched.snapshots).toMatchObject([{ kind: 'instances', instances: [] }]);
    await watched.abort();
  });

  it('keeps its last list', async () => {
    const { watched, stage } = await play(two);
    await stage('dc1').emit(a);
    await stage('dc2').emit(b);
    stage('dc1').context.report(down);
    await stage('dc2').emit(b, { ...b, id: 'dc2/n/b2' });
    expect(newest(watched)).toEqual([
      ['dc1/n/a', undefined],
      ['dc2/n/b', 1_002],
      ['dc2/n/b2', 1_002],
    ]);
    expect(watched.snapshots.at(-1)).toMatchObject({ stale: 'datacenter "dc1": no leader' });
    await watched.abort();
  });

  it('speaks for the whole when it is the first, else for nobody', async () => {
    const { watched, stage } = await play(two);
    await stage('dc1').emit(a);
    stage('dc2').context.report({ ...down, effect: 'refused' });
    stage('dc1').context.report({ ...down, effect: 'refused' });
    stage('dc2').context.report({ message: 'a bad entry', field: 'f', value: 1 });
    expect(watched.faults).toEqual([
      { message: 'no leader', effect: 'none' },
      { message: 'no leader', effect: 'refused' },
      { message: 'a bad entry', field: 'f', value: 1, effect: 'none' },
    ]);
    await watched.abort();
  });

  it('does not make the whole old when it is a further one', async () => {
    const { watched, stage } = await play(two);
    stage('dc2').context.report(down);
    await stage('dc1').emit(a);
    expect(watched.snapshots).toEqual([{ kind: 'instances', instances: [a], version: '7 -' }]);
    await watched.abort();
  });

  it('is begun anew after a pause when its watch breaks', async () => {
    const { watched, stage, starts, clock } = await play(two);
    await stage('dc1').emit(a);
    await stage('dc2').emit(b);
    const error = new Error('it broke');
    await stage('dc2').fail(error);
    expect(newest(watched)).toHaveLength(2);
    expect(watched.faults).toEqual([
      { message: 'In datacenter "dc2": it broke', effect: 'none', cause: error },
    ]);
    await clock.advance(749);
    expect([starts('dc1'), starts('dc2')]).toEqual([1, 1]);
    await clock.advance(1);
    expect([starts('dc1'), starts('dc2')]).toEqual([1, 2]);
    // One good list is no health: the pauses grow.
    await stage('dc2').emit(b);
    await stage('dc2').fail(error);
    await clock.advance(1_499);
    expect(starts('dc2')).toBe(2);
    await clock.advance(1);
    expect(starts('dc2')).toBe(3);
    await stage('dc2').emit(b);
    await stage('dc2').emit();
    await stage('dc2').fail(error);
    await clock.advance(750);
    expect(starts('dc2')).toBe(4);
    await watched.abort();
  });
});

describe('a watch that is begun anew', () => {
  it('goes on with what was known of a datacenter that cannot be read', async () => {
    const remembered = new Recent<Snapshot>();
    const first = await play(two, undefined, remembered);
    await first.stage('dc1').emit(a);
    await first.stage('dc2').emit(b);
    // As the core does it: the next watch begins before the one before has ended.
    const aborted = first.watched.abort();
    const second = await play(two, first.clock, remembered);
    await aborted;
    await second.stage('dc2').fail(new Error('away'));
    await second.stage('dc1').say({ kind: 'not-found' });
    expect(newest(second.watched)).toEqual([['dc2/n/b', 1_002]]);
    expect(second.watched.snapshots.at(-1)).not.toHaveProperty('incomplete');
    await second.watched.abort();
  });

  it('does not take a list that has just collapsed for a second reading of it', async () => {
    const remembered = new Recent<Snapshot>();
    const first = await play(two, undefined, remembered);
    await first.stage('dc1').emit(a);
    await first.stage('dc2').emit(b);
    await first.stage('dc2').emit();
    const aborted = first.watched.abort();
    const second = await play(two, first.clock, remembered);
    await aborted;
    await second.stage('dc1').emit(a);
    expect(newest(second.watched)).toHaveLength(2);
    // What it says itself counts, and is what a third one goes on with.
    await second.stage('dc2').emit();
    expect(newest(second.watched)).toHaveLength(1);
    await second.watched.abort();
    const third = await play(two, first.clock, remembered);
    await third.stage('dc1').emit(a);
    expect(newest(third.watched)).toHaveLength(1);
    await third.watched.abort();
  });

  it('later than a minute knows nothing', async () => {
    const remembered = new Recent<Snapshot>();
    const first = await play(two, undefined, remembered);
    await first.stage('dc1').emit(a);
    await first.stage('dc2').emit(b);
    await first.watched.abort();
    await first.clock.advance(60_000);
    const second = await play(two, first.clock, remembered);
    await second.stage('dc1').emit(a);
    expect(newest(second.watched)).toEqual([['dc1/n/a', undefined]]);
    await second.watched.abort();
  });
});

describe('a first datacenter that was never heard', () => {
  it('has what a saved list knows of it kept, for ten minutes', async () => {
    const { watched, stage, clock } = await play(two);
    stage('dc1').context.report({ message: 'no servers', effect: 'stale' });
    await settle();
    await stage('dc2').emit(b);
    expect(watched.snapshots.at(-1)).toHaveProperty('incomplete');
    await clock.advance(600_000);
    // Whether or not the others have news.
    stage('dc1').context.report({ message: 'no servers', effect: 'stale' });
    await settle();
    expect(watched.snapshots.at(-1)).not.toHaveProperty('incomplete');
    await watched.abort();
  });
});

describe('a list that is incomplete', () => {
  it('keeps what is known of its datacenter, and of no other', async () => {
    const { watched, stage } = await play(two);
    await stage('dc1').emit(a);
    await stage('dc2').emit(b);
    await stage('dc2').say({ kind: 'not-found', incomplete: 'rights are missing' });
    await stage('dc1').emit();
    expect(newest(watched)).toEqual([['dc2/n/b', 1_002]]);
    expect(watched.snapshots.at(-1)).not.toHaveProperty('incomplete');
    stage('dc1').context.confirm({ details: { agent: 'x' } });
    await settle();
    expect(watched.confirmed.at(-1)?.details).toEqual({ agent: 'x', dc2: 'rights are missing' });
    await stage('dc2').emit();
    expect(newest(watched)).toEqual([]);
    await watched.abort();
  });

  it('has what a saved list knows kept, for ten minutes, when it is the first of the first', async () => {
    const { watched, stage, clock } = await play(two);
    await stage('dc1').say({ kind: 'not-found', incomplete: 'rights are missing' });
    await stage('dc2').emit(b);
    expect(watched.snapshots.at(-1)).toMatchObject({
      incomplete: 'datacenter "dc1": rights are missing',
      stale: 'datacenter "dc1": rights are missing',
    });
    await clock.advance(600_000);
    await stage('dc2').emit(b);
    expect(watched.snapshots.at(-1)).not.toHaveProperty('incomplete');
    await watched.abort();
  });
});

describe('what a datacenter says of itself', () => {
  it('marks the whole, with its name', async () => {
    const { watched, stage } = await play(two);
    await stage('dc1').emit(a);
    await stage('dc2').say({
      kind: 'instances',
      instances: [b],
      stale: 'from a cache',
      incomplete: 'rights are missing',
    });
    // Only the first datacenter's matters: the others are there in case.
    expect(watched.snapshots.at(-1)).not.toHaveProperty('incomplete');
    expect(watched.snapshots.at(-1)).not.toHaveProperty('stale');
    await stage('dc1').say({ kind: 'instances', instances: [a], stale: 'from a follower' });
    expect(watched.snapshots.at(-1)).toMatchObject({
      stale: 'datacenter "dc1": from a follower',
    });
    // The mark goes with the next good word of each.
    stage('dc2').context.confirm();
    await stage('dc1').emit(a);
    expect(watched.snapshots.at(-1)).not.toHaveProperty('stale');
    await watched.abort();
  });

  it('is confirmed by the first, with the facts of the others', async () => {
    const { watched, stage } = await play(three);
    stage('dc1').context.confirm({ details: { index: 1 } });
    await settle();
    expect(watched.confirmed).toEqual([]); // nothing was said yet
    await stage('dc1').emit(a);
    stage('dc2').context.confirm({ details: { index: 17, leader: true, gone: undefined } });
    stage('dc3').context.report({ message: 'away', effect: 'stale', cause: new Error('no path') });
    await settle();
    expect(watched.confirmed).toEqual([{ details: { index: 1 } }]);
    stage('dc1').context.confirm({ stale: 'from a follower', details: { index: 2 } });
    await settle();
    expect(watched.confirmed.at(-1)).toEqual({
      stale: 'datacenter "dc1": from a follower',
      details: { index: 2, dc2: 'index 17, leader true', dc3: 'no path' },
    });
    await watched.abort();
  });

  it('is confirmed after the list, not before', async () => {
    const order: string[] = [];
    const settings = readOptions(two);
    const controller = new AbortController();
    const clock = new ManualClock();
    const context: WatchContext = {
      signal: controller.signal,
      clock,
      rng: half,
      sleep: (ms) => clock.sleep(ms, controller.signal),
      report: () => {},
      confirm: () => order.push('confirmed'),
    };
    const lists = watchDatacenters('web', settings, context, async function* (_s, _d, _o, own) {
      yield { kind: 'instances', instances: [] };
      own.confirm();
      await own.sleep(1_000_000);
    });
    const reading = (async () => {
      for await (const { kind } of lists) order.push(kind);
    })();
    await settle();
    controller.abort();
    await reading;
    expect(order).toEqual(['instances', 'confirmed']);
  });
});

describe('a wish for fresh data', () => {
  it('reaches every datacenter', async () => {
    const { watched, stage } = await play(three);
    const woken: string[] = [];
    for (const name of ['dc1', 'dc2', 'dc3']) {
      void stage(name)
        .context.sleep(60_000)
        .then(() => woken.push(name));
    }
    watched.refresh();
    await settle();
    expect(woken).toEqual(['dc1', 'dc2', 'dc3']);
    await watched.abort();
  });
});

describe('the end', () => {
  const stages: readonly [string, (scene: Play) => unknown][] = [
    ['before the first word', () => {}],
    ['after the first list', ({ stage }) => stage('dc1').emit(a)],
    [
      'after all lists',
      async ({ stage }) => {
        await stage('dc1').emit(a);
        await stage('dc2').emit(b);
      },
    ],
    ['while a broken watch pauses', ({ stage }) => stage('dc2').fail(new Error('it broke'))],
    [
      'while all pause',
      async ({ stage }) => {
        await stage('dc1').fail(new Error('it broke'));
        await stage('dc2').fail(new Error('it broke'));
      },
    ],
    [
      'while they sleep',
      ({ stage }) => {
        stage('dc1')
          .context.sleep(60_000)
          .catch(() => {});
        stage('dc2')
          .context.sleep(60_000)
          .catch(() => {});
      },
    ],
  ];

  it.each(stages)('by an abort leaves nothing: %s', async (_when, prepare) => {
    const scene = await play(two);
    await prepare(scene);
    const parts = [scene.stage('dc1'), scene.stage('dc2')];
    await scene.watched.abort();
    await settle();
    expect(parts.map(({ ended }) => ended)).toEqual([true, true]);
    expect(scene.clock.pendingTimers).toBe(0);
    for (const signal of [scene.watched.signal, ...parts.map(({ context }) => context.signal)]) {
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    }
  });

  it('before the beginning watches nothing', async () => {
    const settings = readOptions(two);
    const context = { signal: AbortSignal.abort() } as WatchContext;
    const lists = watchDatacenters('web', settings, context, () => {
      throw new Error('it is watched');
    });
    for await (const _ of lists) throw new Error('it has a list');
  });

  it('by a reader who stops ends every datacenter, too', async () => {
    const parts: AbortSignal[] = [];
    const clock = new ManualClock();
    const controller = new AbortController();
    const context: WatchContext = {
      signal: controller.signal,
      clock,
      rng: half,
      sleep: (ms) => clock.sleep(ms, controller.signal),
      report: () => {},
      confirm: () => {},
    };
    const lists = watchDatacenters(
      'web',
      readOptions(two),
      context,
      async function* (_s, _d, _o, own) {
        parts.push(own.signal);
        yield { kind: 'instances', instances: [] };
        await own.sleep(60_000);
      },
    );
    for await (const _ of lists) break;
    expect(parts.map(({ aborted }) => aborted)).toEqual([true, true]);
    // The sleeps of both are the context's own.
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(2);
    controller.abort();
    expect(clock.pendingTimers).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});

describe('consul() with failover datacenters', () => {
  it('refuses a service without a name', async () => {
    const watched = watchWith(consul({ client: fakeConsul(), ...two }), { service: '' });
    await expect(watched.done).rejects.toMatchObject({ option: 'service' });
  });

  const at = (calls: readonly FakeCall[], dc: string): FakeCall => {
    const call = calls.filter(({ query }) => query['dc'] === dc).at(-1);
    if (call === undefined) throw new Error(`${dc} was not asked`);
    return call;
  };

  it('reads each, and leaves nothing behind', async () => {
    const client = fakeConsul();
    const clock = new ManualClock();
    const watched = watchWith(consul({ client, ...two }), { clock, rng: half });
    await settle();
    at(client.calls, 'dc1').reply([entry()], 10);
    at(client.calls, 'dc2').reply(
      [entryWith({ node: { Datacenter: 'dc2' } }, { meta: { priority: '1' } })],
      5,
    );
    await settle();
    expect(newest(watched)).toEqual([
      ['dc1/n1/web-1', 0],
      ['dc2/n1/web-1', 1_001],
    ]);
    // Both are parked.
    const parked = ['dc1', 'dc2'].map((dc) => at(client.calls, dc));
    expect(parked.map(({ query }) => query['index'])).toEqual(['10', '5']);
    await watched.abort();
    await settle();
    expect(parked.map(({ cancelled }) => cancelled)).toEqual([true, true]);
    expect(clock.pendingTimers).toBe(0);
    expect(getEventListeners(watched.signal, 'abort')).toEqual([]);
  });

  it('names the datacenter that Consul does not know', async () => {
    const client = fakeConsul();
    const watched = watchWith(consul({ client, ...two }), { rng: half });
    await settle();
    at(client.calls, 'dc1').reply([entry()], 10);
    at(client.calls, 'dc2').refuse(500, 'No path to datacenter');
    await settle();
    expect(newest(watched)).toEqual([['dc1/n1/web-1', 0]]);
    expect(watched.faults).toMatchObject([{ effect: 'none' }]);
    expect(watched.faults[0]?.message).toContain('"dc2"');
    await watched.abort();
  });
});
