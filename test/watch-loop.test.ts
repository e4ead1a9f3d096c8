import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import type {
  DiscoveryAdapter,
  DiscoveryFault,
  Rng,
  Snapshot,
  SourceStanding,
  WatchContext,
} from '../src/types.js';
import { WatchLoop } from '../src/watch-loop.js';
import { fixedRng, listing, scripted, yielding } from './support/fixtures.js';
import { collectUncaught, deferred, never } from './support/promises.js';

interface LoopRig {
  readonly loop: WatchLoop;
  readonly clock: ManualClock;
  readonly snapshots: Snapshot[];
  readonly faults: DiscoveryFault[];
}

async function running(adapter: DiscoveryAdapter, rng: Rng = fixedRng(0)): Promise<LoopRig> {
  const clock = new ManualClock();
  const snapshots: Snapshot[] = [];
  const faults: DiscoveryFault[] = [];
  const loop = new WatchLoop(
    adapter,
    'orders',
    { clock, rng },
    {
      onSnapshot: (snapshot) => snapshots.push(snapshot),
      onFault: (fault) => faults.push(fault),
      onConfirm: () => undefined,
    },
  );
  loop.start();
  await settle();
  return { loop, clock, snapshots, faults };
}

function throwing(error: unknown): (context: WatchContext) => never {
  return () => {
    throw error;
  };
}

/** Times at which watches began, as the clock of each context shows them. */
async function watchTimes(rng: Rng, untilMs: number): Promise<number[]> {
  const times: number[] = [];
  const { loop, clock } = await running(
    scripted((context) => {
      times.push(context.clock.now());
      throw new Error('broken');
    }),
    rng,
  );
  await clock.advance(untilMs);
  loop.close(new Error('done'));
  return times;
}

describe('a source that works', () => {
  it('has its snapshots handed on in order', async () => {
    const { snapshots, faults, loop } = await running(
      scripted(yielding(listing('a'), listing('b'))),
    );
    expect(snapshots).toEqual([listing('a'), listing('b')]);
    expect(faults).toEqual([]);
    loop.close(new Error('done'));
  });

  it('is told the service', async () => {
    let asked: string | undefined;
    const { loop } = await running({
      name: 'x',
      watch(service) {
        asked = service;
        return yielding()({
          signal: new AbortController().signal,
        } as WatchContext) as AsyncIterable<Snapshot>;
      },
    });
    expect(asked).toBe('orders');
    loop.close(new Error('done'));
  });
});

describe('a faulty source is reported and watched again', () => {
  const good = yielding(listing('a'));
  const boom = new Error('boom');

  it.each([
    ['throws at once, synchronously', throwing(boom), 'boom'],
    [
      'throws at once, asynchronously',
      // eslint-disable-next-line require-yield
      async function* () {
        throw boom;
      },
      'boom',
    ],
    ['throws no error but a text', throwing('text'), '"text"'],
    [
      'returns before it is told to',
      async function* () {
        yield listing('b');
      },
      'stopped watching',
    ],
    ['returns nothing', () => undefined, 'must return an async iterable; got undefined'],
    ['returns a plain array', () => [listing('b')], 'must return an async iterable; got an array'],
    ['returns a promise', () => Promise.resolve(1), 'must return an async iterable; got an object'],
    [
      'has an iterator that throws synchronously',
      () => ({
        [Symbol.asyncIterator]: () => ({
          next: throwing(boom),
        }),
      }),
      'boom',
    ],
    [
      'has an iterator that returns no promise',
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => 5 }) }),
      '',
    ],
    [
      'has an iterator whose return throws too',
      () => ({
        [Symbol.asyncIterator]: () => ({ next: throwing(boom), return: throwing(new Error('r')) }),
      }),
      '',
    ],
  ])('when it %s', async (_what, bad, message) => {
    const adapter = scripted(bad, good);
    const { loop, clock, snapshots, faults } = await running(adapter);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.message).toContain(message);
    snapshots.length = 0;
    await clock.advance(1_000);
    expect(adapter.contexts).toHaveLength(2);
    expect(snapshots).toEqual([listing('a')]);
    loop.close(boom);
    await settle();
    expect(clock.pendingTimers).toBe(0);
  });

  it('with the error as cause', async () => {
    const { loop, faults } = await running(scripted(throwing(boom)));
    expect(faults).toEqual([{ message: 'boom', effect: 'stale', cause: boom }]);
    loop.close(boom);
  });

  it('when a snapshot is refused by the handler', async () => {
    const clock = new ManualClock();
    const faults: DiscoveryFault[] = [];
    const adapter = scripted(yielding('garbage'));
    const loop = new WatchLoop(
      adapter,
      'orders',
      { clock, rng: fixedRng(0) },
      {
        onSnapshot: () => {
          throw boom;
        },
        onFault: (fault) => faults.push(fault),
        onConfirm: () => undefined,
      },
    );
    loop.start();
    await settle();
    expect(faults).toMatchObject([{ message: 'boom' }]);
    expect(adapter.contexts[0]?.signal.aborted).toBe(true);
    loop.close(boom);
  });

  it('when it reports a fault itself, without watching anew', async () => {
    const fault = { message: 'bad entry', field: 'port', value: 0 };
    const adapter = scripted((context) => {
      context.report(fault);
      return good(context);
    });
    const { loop, clock, faults } = await running(adapter);
    await clock.advance(100_000);
    expect(faults).toEqual([fault]);
    expect(adapter.contexts).toHaveLength(1);
    loop.close(boom);
  });
});

describe('backoff', () => {
  it('doubles from 0.5 s to 15 s at the lower edge of the jitter', async () => {
    const times = await watchTimes(fixedRng(0), 61_000);
    const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it('doubles from 1 s to 30 s at the upper edge', async () => {
    const times = await watchTimes(fixedRng(1 - 2 ** -53), 121_000);
    const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    const ceilings = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    ceilings.forEach((ceiling, i) => expect(pauses[i]).toBeCloseTo(ceiling, 6));
  });

  it('starts small again after a watch that gave more than one snapshot', async () => {
    const adapter = scripted(
      throwing(new Error('1')),
      throwing(new Error('2')),
      async function* () {
        yield listing('a');
        yield listing('b');
        throw new Error('3');
      },
      yielding(),
    );
    const { loop, clock } = await running(adapter);
    await clock.advance(1_500);
    expect(adapter.contexts).toHaveLength(3);
    await clock.advance(500);
    expect(adapter.contexts).toHaveLength(4);
    loop.close(new Error('done'));
  });

  it('keeps growing for an adapter that gives one snapshot and breaks, each time', async () => {
    const once = async function* () {
      yield listing('a');
      throw new Error('broken');
    };
    const adapter = scripted(once);
    const { loop, clock } = await running(adapter);
    await clock.advance(60_000);
    expect(adapter.contexts.length).toBeLessThanOrEqual(8); // 0.5, 1, 2, 4, 8, 15, 15 s apart
    loop.close(new Error('done'));
  });

  it('starts small again after a watch that held for 30 s', async () => {
    const failure = deferred<never>();
    const adapter = scripted(
      throwing(new Error('1')),
      throwing(new Error('2')),
      // eslint-disable-next-line require-yield
      async function* () {
        await failure.promise;
      },
      yielding(),
    );
    const { loop, clock } = await running(adapter);
    await clock.advance(1_500);
    expect(adapter.contexts).toHaveLength(3);
    await clock.advance(30_000);
    failure.reject(new Error('3'));
    await clock.advance(499);
    expect(adapter.contexts).toHaveLength(3);
    await clock.advance(1);
    expect(adapter.contexts).toHaveLength(4);
    loop.close(new Error('done'));
  });
});

describe('wake', () => {
  it('ends the pause between two watches', async () => {
    const adapter = scripted(throwing(new Error('x')), yielding());
    const { loop, clock } = await running(adapter);
    loop.wake();
    await settle();
    expect(adapter.contexts).toHaveLength(2);
    expect(clock.pendingTimers).toBe(0);
    loop.close(new Error('done'));
  });

  it("ends the adapter's sleep early", async () => {
    let slept = 0;
    const { loop, clock } = await running(
      scripted(async function* (context) {
        for (;;) {
          yield listing('a');
          await context.sleep(10_000);
          slept++;
        }
      }),
    );
    await clock.advance(9_999);
    expect(slept).toBe(0);
    loop.wake();
    await settle();
    expect(slept).toBe(1);
    loop.close(new Error('done'));
    await settle();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('restart', () => {
  it('aborts the watch and begins another at once, which is no fault', async () => {
    const adapter = scripted(yielding(listing('a')), yielding(listing('b')));
    const { loop, snapshots, faults } = await running(adapter);
    loop.restart();
    await settle();
    expect(adapter.contexts[0]?.signal.aborted).toBe(true);
    expect(snapshots).toEqual([listing('a'), listing('b')]);
    expect(faults).toEqual([]);
    loop.close(new Error('done'));
  });

  it('during the backoff does not wait for its end', async () => {
    const adapter = scripted(throwing(new Error('x')), yielding());
    const { loop } = await running(adapter);
    loop.restart();
    await settle();
    expect(adapter.contexts).toHaveLength(2);
    loop.close(new Error('done'));
  });
});

describe('close', () => {
  it('aborts with the reason, and the adapter may not be asked again', async () => {
    const adapter = scripted(yielding());
    const { loop, clock, faults } = await running(adapter);
    const reason = new Error('closed');
    loop.close(reason);
    await clock.advance(100_000);
    expect(adapter.contexts).toHaveLength(1);
    expect(adapter.contexts[0]?.signal.reason).toBe(reason);
    expect(faults).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not wait for an adapter deaf to its signal, nor believe it afterwards', async () => {
    const late = deferred<Snapshot>();
    const { loop, clock, snapshots, faults } = await running(
      scripted(async function* (context) {
        yield await late.promise;
        context.report({ message: 'late' });
        await never();
      }),
    );
    loop.close(new Error('closed'));
    late.resolve(listing('a'));
    await settle();
    expect(snapshots).toEqual([]);
    expect(faults).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('makes a report after it unheard', async () => {
    const adapter = scripted(yielding());
    const { loop, faults } = await running(adapter);
    loop.close(new Error('closed'));
    adapter.contexts[0]?.report({ message: 'late' });
    expect(faults).toEqual([]);
  });

  it('leaves nothing unhandled when the adapter fails after it', async () => {
    const late = deferred<never>();
    const { loop } = await running(
      // eslint-disable-next-line require-yield
      scripted(async function* () {
        await late.promise;
      }),
    );
    const uncaught = await collectUncaught(async () => {
      loop.close(new Error('closed'));
      late.reject(new Error('too late'));
      await settle();
    });
    expect(uncaught).toEqual([]);
  });

  it('lets a sleep begun after it end at once, without a timer', async () => {
    let context: WatchContext | undefined;
    const { loop, clock } = await running(
      scripted((given) => {
        context = given;
        return yielding()(given);
      }),
    );
    const reason = new Error('closed');
    loop.close(reason);
    await expect(context?.sleep(60_000)).rejects.toBe(reason);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends the backoff', async () => {
    const { loop, clock } = await running(scripted(throwing(new Error('x'))));
    expect(clock.pendingTimers).toBe(1);
    loop.close(new Error('closed'));
    expect(clock.pendingTimers).toBe(0);
  });
});

it('hands on what the source confirms, until its watch is over', async () => {
  const confirmed: SourceStanding[] = [];
  const adapter = scripted((context) => {
    context.confirm();
    context.confirm({ stale: 'old', details: { index: 1 } });
    return yielding()(context);
  });
  const loop = new WatchLoop(
    adapter,
    'orders',
    { clock: new ManualClock(), rng: fixedRng(0) },
    {
      onSnapshot: () => undefined,
      onFault: () => undefined,
      onConfirm: (standing) => confirmed.push(standing),
    },
  );
  loop.start();
  await settle();
  loop.close(new Error('done'));
  adapter.contexts[0]?.confirm({ stale: 'late' });
  expect(confirmed).toEqual([{}, { stale: 'old', details: { index: 1 } }]);
});

it("unreferences every timer, the adapter's too", async () => {
  let referenced = 0;
  const clock = new ManualClock();
  const counting = {
    now: () => clock.now(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    setTimer: (ms: number, fn: () => void) => {
      referenced++;
      const timer = clock.setTimer(ms, fn);
      return { cancel: () => timer.cancel(), unref: () => referenced-- };
    },
  };
  const adapter = scripted((context) => {
    context.clock.setTimer(10, () => undefined);
    void context.clock.sleep(10);
    context.sleep(10).catch(() => undefined);
    throw new Error('x'); // and the backoff
  });
  const loop = new WatchLoop(
    adapter,
    'orders',
    { clock: counting, rng: fixedRng(0) },
    {
      onSnapshot: () => undefined,
      onFault: () => undefined,
      onConfirm: () => undefined,
    },
  );
  loop.start();
  await settle();
  expect(clock.pendingTimers).toBe(4);
  expect(referenced).toBe(0);
  loop.close(new Error('done'));
});
