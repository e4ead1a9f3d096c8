import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromEmitter, poll, readCaveats, readSnapshot, toInstance } from '../src/discovery.js';
import { InvalidInstanceError } from '../src/errors.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import type {
  DiscoveryAdapter,
  DiscoveryFault,
  Instance,
  Snapshot,
  WatchContext,
} from '../src/types.js';
import { expectCode, expectInvalidInstance, expectInvalidOption } from './support/errors.js';
import { clientOver, fixedRng, idsOf, listing, specs } from './support/fixtures.js';
import { deferred, thrownBy, watched } from './support/promises.js';

describe('toInstance', () => {
  it('fills in every default', () => {
    expect(toInstance({ host: 'h', port: 80 }, 'x')).toEqual({
      id: 'h:80',
      host: 'h',
      port: 80,
      protocol: 'http',
      weight: 1,
      priority: 0,
      locality: {},
      tags: [],
      metadata: {},
      url: 'http://h:80',
    });
  });

  it('keeps everything given', () => {
    const spec = {
      host: 'h',
      port: 443,
      id: 'i',
      protocol: 'https',
      weight: 2.5,
      priority: 3,
      locality: { region: 'r', zone: 'z' },
      tags: ['t'],
      metadata: { k: 'v' },
    };
    expect(toInstance(spec, 'x')).toEqual({ ...spec, url: 'https://h:443' });
  });

  it('writes IPv6 in brackets', () => {
    const instance = toInstance({ host: '2001:db8::1', port: 80 }, 'x');
    expect(instance.url).toBe('http://[2001:db8::1]:80');
    expect(instance.id).toBe('[2001:db8::1]:80');
  });

  it('is frozen, all the way down', () => {
    const given = { tags: ['t'], metadata: { k: 'v' }, locality: { zone: 'z' } };
    const instance = toInstance({ host: 'h', port: 80, ...given }, 'x');
    for (const part of [instance, instance.tags, instance.metadata, instance.locality]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    given.tags.push('later');
    expect(instance.tags).toEqual(['t']);
  });

  it.each([
    ['host', undefined],
    ['host', ''],
    ['host', 5],
    ['host', 'a b'],
    ['host', 'a/b'],
    ['host', 'user@a'],
    ['host', '[::1]'],
    ['host', 'a?b'],
    ['host', 'a#b'],
    ['host', 'localhost:8080'],
    ['port', undefined],
    ['port', 0],
    ['port', -1],
    ['port', 70_000],
    ['port', 80.5],
    ['port', NaN],
    ['port', '80'],
    ['weight', -1],
    ['weight', NaN],
    ['weight', Infinity],
    ['weight', '3'],
    ['priority', -1],
    ['priority', 1.5],
    ['priority', '0'],
    ['protocol', ''],
    ['protocol', '1http'],
    ['protocol', 'http://'],
    ['id', ''],
    ['id', 7],
    ['locality', 'eu'],
    ['tags', 'v2'],
    ['tags', [1]],
    ['metadata', ['x']],
  ])('refuses %s %j, naming field and value', (field, value) => {
    const error = thrownBy(() =>
      toInstance({ host: 'h', port: 80, [field]: value }, 'instances[3]'),
    );
    expectInvalidInstance(error, `instances[3].${field}`, value);
  });

  it('names the very entry of metadata and locality', () => {
    const bad = (part: object) => thrownBy(() => toInstance({ host: 'h', port: 80, ...part }, 'x'));
    expectInvalidInstance(bad({ metadata: { k: 5 } }), 'x.metadata.k', 5);
    expectInvalidInstance(bad({ locality: { zone: 5 } }), 'x.locality.zone', 5);
  });

  it.each([null, undefined, 'h:80', 5, []])('refuses %j for an instance', (spec) => {
    expectInvalidInstance(
      thrownBy(() => toInstance(spec, 'instances[0]')),
      'instances[0]',
      spec,
    );
  });

  it('gives a url that parses, or refuses the instance', () => {
    const host = fc.oneof(
      fc.string({ minLength: 1, maxLength: 12 }),
      fc.domain(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('fe80::1%eth0', '256.0.0.1', 'a:b', 'a%zz', 'a\\b', 'a<b', 'münchen'),
    );
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (given, port) => {
        let url: string;
        try {
          ({ url } = toInstance({ host: given, port }, 'x'));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInstanceError);
          return;
        }
        expect(new URL(url).pathname).toBe('/');
        expect(url.endsWith(`:${port}`)).toBe(true);
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('readSnapshot', () => {
  function read(snapshot: unknown): {
    readonly result: ReturnType<typeof readSnapshot>;
    readonly faults: DiscoveryFault[];
  } {
    const faults: DiscoveryFault[] = [];
    return { result: readSnapshot(snapshot, (fault) => faults.push(fault)), faults };
  }

  it('maps by id in emitted order', () => {
    const { result, faults } = read(listing('b', 'a'));
    expect([...(result as Map<string, unknown>).keys()]).toEqual(['b', 'a']);
    expect(faults).toEqual([]);
  });

  it('passes not-found on', () => {
    expect(read({ kind: 'not-found' }).result).toBe('not-found');
  });

  it('takes an empty list for a list', () => {
    expect(read({ kind: 'instances', instances: [] }).result).toEqual(new Map());
  });

  it.each([
    ['weight', -1],
    ['weight', NaN],
    ['weight', 'heavy'],
    ['port', 0],
    ['port', 70_000],
  ])('drops and reports an entry of %s %s and keeps the others', (field, value) => {
    const instances = [...specs('a'), { host: 'h', port: 80, [field]: value }, ...specs('b')];
    const { result, faults } = read({ kind: 'instances', instances });
    expect([...(result as Map<string, unknown>).keys()]).toEqual(['a', 'b']);
    expect(faults).toEqual([expect.objectContaining({ field: `instances[1].${field}`, value })]);
    expect(faults[0]?.cause).toBeInstanceOf(InvalidInstanceError);
  });

  it('drops and reports a repeated id; the first stays', () => {
    const instances = [
      { id: 'a', host: 'first', port: 80 },
      { id: 'a', host: 'second', port: 80 },
    ];
    const { result, faults } = read({ kind: 'instances', instances });
    expect((result as ReadonlyMap<string, Instance>).get('a')?.host).toBe('first');
    expect(faults).toMatchObject([{ field: 'instances[1].id', value: 'a' }]);
  });

  it('throws when every entry is bad, with the first as cause, and reports each', () => {
    const faults: DiscoveryFault[] = [];
    const instances = [{ host: 'h', port: 0 }, null];
    const error = thrownBy(() =>
      readSnapshot({ kind: 'instances', instances }, (fault) => faults.push(fault)),
    );
    expectCode(error, 'ERR_FAIRLEAD_DISCOVERY');
    expectInvalidInstance((error as Error).cause, 'instances[0].port', 0);
    expect(faults).toHaveLength(2);
  });

  it.each([
    null,
    undefined,
    'list',
    [],
    {},
    { kind: 'updates', instances: [] },
    { kind: 'instances' },
    { kind: 'instances', instances: {} },
  ])('throws for %j, which is no snapshot', (snapshot) => {
    expectCode(
      thrownBy(() => read(snapshot)),
      'ERR_FAIRLEAD_DISCOVERY',
    );
  });
});

describe('readCaveats', () => {
  it.each([
    ['none', { kind: 'not-found' }, {}],
    [
      'both',
      { kind: 'not-found', stale: 'old', incomplete: 'part' },
      { stale: 'old', incomplete: 'part' },
    ],
    ['those given as none', { stale: undefined, incomplete: null }, {}],
    ['empty ones', { stale: '', incomplete: false }, {}],
    ['one in no words', { incomplete: true }, { incomplete: 'the source does not say why' }],
    ['what is no snapshot', null, {}],
  ])('reads %s', (_what, snapshot, caveats) => {
    expect(readCaveats(snapshot)).toEqual(caveats);
  });
});

/** Watches an adapter by hand: `next()` asks for a snapshot. */
function watching(adapter: DiscoveryAdapter): {
  readonly clock: ManualClock;
  readonly stop: AbortController;
  readonly iterator: AsyncIterator<Snapshot>;
} {
  const clock = new ManualClock();
  const stop = new AbortController();
  const context: WatchContext = {
    signal: stop.signal,
    clock,
    rng: fixedRng(0),
    sleep: (ms) => clock.sleep(ms, stop.signal),
    report: () => undefined,
    confirm: () => undefined,
  };
  const iterator = adapter.watch('orders', context)[Symbol.asyncIterator]();
  return { clock, stop, iterator };
}

describe('poll', () => {
  it('asks at once, then each interval after the answer', async () => {
    const asked: number[] = [];
    const clock = new ManualClock();
    const adapter = poll(
      'p',
      (service) => {
        asked.push(clock.now());
        expect(service).toBe('orders');
        return Promise.resolve(listing('a'));
      },
      { intervalMs: 500 },
    );
    const { client } = clientOver(adapter, { env: { clock, rng: fixedRng(0) } });
    await clock.advance(1_200);
    expect(asked).toEqual([0, 500, 1_000]);
    await client.close();
  });

  it.each([
    [10_000, {}],
    [300, { timeoutMs: 300 }],
  ])(
    'takes a read without an answer for failed after %s ms, and aborts it',
    async (ms, options) => {
      const signals: AbortSignal[] = [];
      const hanging = poll(
        'p',
        (_service, { signal }) => {
          signals.push(signal);
          return new Promise(() => undefined);
        },
        options,
      );
      const { client, clock } = clientOver(hanging);
      await clock.advance(ms - 1);
      expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
      await clock.advance(1);
      expect(signals[0]?.aborted).toBe(true);
      expect(client.snapshot().discovery.lastFault).toContain(`No answer within ${ms} ms`);
      await client.close();
      await settle();
      expect(clock.pendingTimers).toBe(0);
    },
  );

  it('asks every 10 s by default', async () => {
    let asked = 0;
    const { client, clock } = clientOver(
      poll('p', () => {
        asked++;
        return Promise.resolve(listing('a'));
      }),
    );
    await clock.advance(9_999);
    expect(asked).toBe(1);
    await clock.advance(1);
    expect(asked).toBe(2);
    await client.close();
  });

  it('keeps the list through a rejection and asks again', async () => {
    const answers = [listing('a'), new Error('down'), listing('a', 'b')];
    const { client, clock } = clientOver(
      poll(
        'p',
        () => {
          const answer = answers.shift();
          return answer instanceof Error
            ? Promise.reject(answer)
            : Promise.resolve(answer ?? listing('a', 'b'));
        },
        { intervalMs: 100 },
      ),
    );
    await clock.advance(100);
    expect(client.snapshot().discovery.lastFault).toBe('down');
    expect(idsOf(client)).toEqual(['a']);
    await clock.advance(1_000); // the first backoff is at most 1 s
    expect(idsOf(client)).toEqual(['a', 'b']);
    await client.close();
  });

  it('hands its signal to the fetch and aborts it on close', async () => {
    let signal: AbortSignal | undefined;
    const { client, clock } = clientOver(
      poll('p', (_service, context) => {
        signal = context.signal;
        return deferred<Snapshot>().promise;
      }),
    );
    await settle();
    expect(signal?.aborted).toBe(false);
    await client.close();
    expect(signal?.aborted).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([0, -5, NaN])('refuses intervalMs %s', (intervalMs) => {
    expectInvalidOption(
      thrownBy(() => poll('p', () => Promise.resolve(listing()), { intervalMs })),
      'intervalMs',
      intervalMs,
    );
  });

  it('refuses an unknown option', () => {
    const options = { interval: 5 } as object;
    expectInvalidOption(
      thrownBy(() => poll('p', () => Promise.resolve(listing()), options)),
      'interval',
      5,
    );
  });

  it('refuses an empty name and a fetch that is no function', () => {
    expectInvalidOption(
      thrownBy(() => poll('', () => Promise.resolve(listing()))),
      'name',
      '',
    );
    expectInvalidOption(
      thrownBy(() => poll('p', 'fetch' as unknown as Parameters<typeof poll>[1])),
      'fetchOnce',
      'fetch',
    );
  });
});

describe('fromEmitter', () => {
  interface Sink {
    emit(snapshot: Snapshot): void;
    fail(error: unknown): void;
  }

  function emitting(): {
    readonly sinks: Sink[];
    readonly stopped: () => number;
    readonly adapter: DiscoveryAdapter;
  } {
    const sinks: Sink[] = [];
    let stops = 0;
    const adapter = fromEmitter('e', (_service, sink) => {
      sinks.push(sink);
      return () => {
        stops++;
      };
    });
    return { sinks, stopped: () => stops, adapter };
  }

  it('names a subscribe that gives no way to stop', async () => {
    const adapter = fromEmitter('e', (() => undefined) as unknown as () => () => void);
    const { client } = clientOver(adapter);
    await settle();
    expect(client.snapshot().discovery.lastFault).toContain('"subscribe()" must be a function');
    await client.close();
  });

  it('takes an emitted undefined for garbage, not for nothing', async () => {
    const { sinks, adapter } = emitting();
    const { client } = clientOver(adapter);
    await settle();
    sinks[0]?.emit(undefined as unknown as Snapshot);
    await settle();
    expect(client.snapshot().discovery.lastFault).toContain('got undefined');
    await client.close();
  });

  it('yields what is emitted, in order', async () => {
    const { sinks, adapter } = emitting();
    const { iterator } = watching(adapter);
    const first = iterator.next();
    sinks[0]?.emit(listing('a'));
    expect((await first).value).toEqual(listing('a'));
    const second = iterator.next();
    sinks[0]?.emit(listing('b'));
    expect((await second).value).toEqual(listing('b'));
  });

  it('keeps only the newest of snapshots that come faster than they are read', async () => {
    const { sinks, adapter } = emitting();
    const { iterator } = watching(adapter);
    const first = iterator.next();
    for (const name of ['a', 'b', 'c']) sinks[0]?.emit(listing(name));
    expect((await first).value).toEqual(listing('c'));
  });

  it('throws what it fails with, and stops listening', async () => {
    const { sinks, stopped, adapter } = emitting();
    const { iterator } = watching(adapter);
    const first = watched(iterator.next());
    const error = new Error('gone');
    sinks[0]?.fail(error);
    await settle();
    expect(first.error).toBe(error);
    expect(stopped()).toBe(1);
  });

  it('stops listening on abort', async () => {
    const { stopped, adapter } = emitting();
    const { iterator, stop } = watching(adapter);
    const first = watched(iterator.next());
    stop.abort();
    await settle();
    expect(first.status).toBe('resolved');
    expect(stopped()).toBe(1);
  });

  it('a subscribe that throws is a fault that is tolerated', async () => {
    const { client, clock } = clientOver(
      fromEmitter('e', () => {
        throw new Error('no such topic');
      }),
    );
    await settle();
    expect(client.snapshot().discovery.lastFault).toBe('no such topic');
    await client.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
