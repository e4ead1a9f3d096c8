import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  inheritedMs,
  runWithin,
  withDeadline,
  type WithDeadlineOptions,
  withoutDeadline,
} from '../src/deadline-scope.js';
import { attemptsOf, InvalidOptionError } from '../src/index.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import { clientOver, rig, scripted, yielding } from './support/fixtures.js';
import { deferred, never, thrownBy, watched } from './support/promises.js';

/** What `withDeadline` makes of a header: whole ms left at once within it. */
function leftWith(header: unknown, options?: WithDeadlineOptions): number {
  return withDeadline(header as string, () => Math.round(inheritedMs()), options);
}

describe('withDeadline', () => {
  // It goes by the real clock, which is to stand still: whoever is held up between two readings has less time left.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('sets a deadline for what runs within it, and no longer', () => {
    expect(inheritedMs()).toBe(Infinity);
    const [leftMs, result] = withDeadline(1_000, () => [inheritedMs(), 'result']);
    expect(leftMs).toBeGreaterThan(900);
    expect(leftMs).toBeLessThanOrEqual(1_000);
    expect(result).toBe('result');
    expect(inheritedMs()).toBe(Infinity);
  });

  it.each<[unknown, number]>([
    ['1500', 1_500],
    ['1500.5', 1_500],
    [' 20 ', 20],
    [['1500', '20'], 1_500],
    ['0', 0],
    [0, 0],
    [0.4, 0],
    ['999999999999999', 999_999_999_999_999],
  ])('takes %j for a deadline', (header, ms) => {
    expect(Math.abs(leftWith(header) - ms)).toBeLessThanOrEqual(1);
  });

  it.each<[unknown]>([
    ['abc'],
    ['-1'],
    ['+1'],
    [''],
    [' '],
    ['.5'],
    ['5.'],
    ['1e3'],
    ['0x10'],
    ['100, 200'],
    ['9999999999999999'],
    ['NaN'],
    ['Infinity'],
    [[]],
    [['abc', '20']],
    [null],
    [undefined],
  ])('takes %j for none, and runs all the same', (header) => {
    expect(leftWith(header)).toBe(Infinity);
  });

  it.each([[-1], [NaN], [Infinity]])('refuses the number %d', (timeout) => {
    const error = thrownBy(() => withDeadline(timeout, () => undefined));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option: 'timeout' });
  });

  it('refuses what is no function, and options it does not know', () => {
    const none = undefined as unknown as () => void;
    expect(() => withDeadline('5', none)).toThrow('"fn" must be a function');
    expect(() => withoutDeadline(none)).toThrow('"fn" must be a function');
    const options = { margin: 5 } as object;
    expect(() => withDeadline('5', () => 0, options)).toThrow('"withDeadline.margin"');
    expect(() => withDeadline('5', () => 0, { marginMs: -1 })).toThrow('"withDeadline.marginMs"');
  });

  it('keeps back its margin, and all there is where that is less', () => {
    expect(leftWith('1000', { marginMs: 300 })).toBe(700);
    expect(leftWith(1_000, { marginMs: 300 })).toBe(700);
    expect(leftWith('20', { marginMs: 300 })).toBeLessThanOrEqual(0);
    expect(leftWith('none', { marginMs: 300 })).toBe(Infinity);
  });

  it('within another keeps the smaller, in either order', () => {
    withDeadline(1_000, () => {
      expect(leftWith('50')).toBe(50);
      expect(leftWith('5000')).toBe(1_000);
      expect(leftWith(undefined)).toBe(1_000);
      expect(Math.round(inheritedMs())).toBe(1_000);
    });
  });

  it('is seen after awaits and in timers and callbacks, each flow seeing its own', async () => {
    const flow = (ms: number): Promise<number[]> =>
      withDeadline(ms, async () => {
        const seen: number[] = [];
        const look = (): number => seen.push(Math.round(inheritedMs() / 1_000));
        await Promise.resolve();
        look();
        await sleep(1);
        look();
        await settle();
        look();
        await new Promise<void>((resolve) => {
          setTimeout(() => {
            look();
            resolve();
          }, 1);
        });
        return seen;
      });
    const flows = [flow(100_000), flow(200_000), flow(300_000)];
    expect(inheritedMs()).toBe(Infinity);
    expect(await Promise.all(flows)).toEqual([
      [100, 100, 100, 100],
      [200, 200, 200, 200],
      [300, 300, 300, 300],
    ]);
  });

  it('does not reach into withoutDeadline, in which another can be set', async () => {
    await withDeadline(1_000, async () => {
      await withoutDeadline(async () => {
        await settle();
        expect(inheritedMs()).toBe(Infinity);
        expect(leftWith('5000')).toBe(5_000);
      });
      expect(Math.round(inheritedMs())).toBe(1_000);
    });
  });

  it('holds on to no scope around it, however deep', () => {
    const clock = new ManualClock();
    const nowSpy = vi.spyOn(clock, 'now');
    const nest = (depth: number, fn: () => void): void =>
      depth === 0 ? fn() : runWithin(depth, clock, () => nest(depth - 1, fn));
    nest(100, () => {
      nowSpy.mockClear();
      expect(inheritedMs()).toBe(1);
      expect(nowSpy).toHaveBeenCalledTimes(1);
    });
  });
});

describe('scopes on clocks that run apart', () => {
  it('leave what the first to end leaves, by its own clock', async () => {
    const [slow, fast] = [new ManualClock(), new ManualClock(1_000_000)];
    await runWithin(100, slow, () =>
      runWithin(500, fast, async () => {
        expect(inheritedMs()).toBe(100);
        await fast.advance(450);
        expect(inheritedMs()).toBe(50);
        await slow.advance(80);
        expect(inheritedMs()).toBe(20);
        runWithin(10, fast, () => expect(inheritedMs()).toBe(10));
        runWithin(60, fast, () => expect(inheritedMs()).toBe(20));
        await slow.advance(30);
        expect(inheritedMs()).toBe(-10);
      }),
    );
  });

  it('bound a call on a manual clock that is made within withDeadline', async () => {
    const { client, clock } = await rig(['a'], { inheritDeadline: true });
    const call = watched(withDeadline(200, () => client.call(never)));
    await clock.advance(195);
    expect(call.status).toBe('pending');
    await clock.advance(10);
    expect(call.error).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
    await client.close();
  });
});

describe('two copies of the module', () => {
  afterEach(() => {
    vi.resetModules();
  });

  it('share their deadlines, as the ESM and the CommonJS build do', async () => {
    vi.resetModules();
    const other = await import('../src/deadline-scope.js');
    expect(other.withDeadline).not.toBe(withDeadline);
    withDeadline(1_000, () => {
      expect(Math.round(other.inheritedMs())).toBe(1_000);
      other.withDeadline(100, () => expect(Math.round(inheritedMs())).toBe(100));
      other.withoutDeadline(() => expect(inheritedMs()).toBe(Infinity));
    });
  });
});

describe('a client with inheritDeadline', () => {
  it('ends its calls with the deadline around', async () => {
    const { client, clock } = await rig(['a'], { inheritDeadline: true, timeoutMs: 1_000 });
    let givenMs = 0;
    const call = watched(
      runWithin(200, clock, () =>
        client.call(({ timeoutMs }) => {
          givenMs = timeoutMs;
          return never();
        }),
      ),
    );
    await clock.advance(199);
    expect(call.status).toBe('pending');
    await clock.advance(1);
    expect(givenMs).toBe(200);
    expect(call.error).toMatchObject({
      code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
      message: expect.stringContaining('200 ms that the call around it left') as string,
    });
    await client.close();
  });

  it('has its own limit where that is the smaller', async () => {
    const { client, clock } = await rig(['a'], { inheritDeadline: true, timeoutMs: 100 });
    const call = watched(runWithin(200, clock, () => client.call(never)));
    await clock.advance(100);
    expect(call.error).toMatchObject({
      code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
      message: expect.stringContaining('timeoutMs 100') as string,
    });
    await client.close();
  });

  it('sends nothing when the deadline around has passed, and says so', async () => {
    const { client, clock } = await rig(['a'], { inheritDeadline: true });
    const fn = vi.fn<() => number>();
    for (const ms of [0, -5]) {
      const call = watched(runWithin(ms, clock, () => client.call(fn)));
      await settle();
      expect(call.error).toMatchObject({
        code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED',
        attempts: [],
      });
    }
    const later = watched(
      runWithin(50, clock, async () => {
        await clock.sleep(60);
        return client.call(fn);
      }),
    );
    await clock.advance(60);
    expect(later.error).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
    expect(fn).not.toHaveBeenCalled();
    expect(clock.pendingTimers).toBe(0);
    await client.close();
  });

  it('gives nested calls the limit of the attempt they are made in, retries included', async () => {
    const { client, clock } = await rig(['a', 'b'], { inheritDeadline: true, timeoutMs: 1_000 });
    const given: [outer: number, inner: number][] = [];
    const errors: unknown[] = [];
    const call = watched(
      client.call(
        async ({ timeoutMs: outer }) => {
          await clock.sleep(100); // of the attempt's time
          try {
            return await client.call(({ timeoutMs: inner }) => {
              given.push([outer, inner]);
              return never();
            });
          } catch (error) {
            errors.push(error);
            throw error;
          }
        },
        { idempotent: true },
      ),
    );
    await clock.advance(1_000);
    const [first, second] = given;
    // Three attempts share 1,000 ms. The second has all that is left, less the pause before it: there is no third instance.
    const third = 1_000 / 3;
    expect(first).toEqual([third, expect.closeTo(third - 100)]);
    expect(second?.[0]).toBeGreaterThanOrEqual(2 * third - 25);
    expect(second?.[0]).toBeLessThanOrEqual(2 * third);
    expect(second?.[1]).toBeCloseTo((second?.[0] ?? 0) - 100);
    expect(errors).toHaveLength(2);
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_DEADLINE_EXCEEDED' });
    }
    expect(call.status).toBe('rejected');
    expect(attemptsOf(call.error)).toHaveLength(2);
    await client.close();
  });

  it('hands on its limit to clients with a clock of their own', async () => {
    const outer = await rig(['a'], { inheritDeadline: true, timeoutMs: 300 });
    const inner = await rig(['b'], { inheritDeadline: true, timeoutMs: 1_000 });
    const call = watched(outer.client.call(() => inner.client.call(({ timeoutMs }) => timeoutMs)));
    await settle();
    expect(call.value).toBe(300);
    await outer.client.close();
    await inner.client.close();
  });

  it('leaves fallback and the call after it outside the limit of the attempt', async () => {
    const { client, clock } = await rig(['a'], { inheritDeadline: true, timeoutMs: 1_000 });
    const left: number[] = [];
    const note = (): number => left.push(inheritedMs());
    const call = runWithin(5_000, clock, async () => {
      await client.call(never, { attemptTimeoutMs: 100, fallback: note });
      note();
    });
    await clock.advance(100);
    await call;
    expect(left).toEqual([4_900, 4_900]);
    await client.close();
  });

  it('gives a hedge its share of the time that is left, not the limit of the attempt beside it', async () => {
    const { client, clock } = await rig(['a', 'b'], {
      inheritDeadline: true,
      timeoutMs: 1_000,
      hedge: { delayMs: 100, maxRatio: 1 },
    });
    const left: number[] = [];
    const answer = deferred<string>();
    const call = watched(
      client.call(
        ({ attempt }) => {
          left.push(inheritedMs());
          return attempt === 1 ? never() : answer.promise;
        },
        { idempotent: true },
      ),
    );
    await clock.advance(100);
    answer.resolve('done');
    await settle();
    expect(call.value).toBe('done');
    expect(left).toEqual([1_000 / 3, 900 / 2]); // a third attempt may follow
    await client.close();
  });
});

describe('a client without inheritDeadline', () => {
  it('neither heeds deadlines nor sets any', async () => {
    const { client, clock } = await rig(['a']);
    const call = watched(
      runWithin(50, clock, () => client.call(({ timeoutMs }) => [timeoutMs, inheritedMs()])),
    );
    await settle();
    expect(call.value).toEqual([10_000, 50]);
    expect(await client.call(() => inheritedMs())).toBe(Infinity);
    await client.close();
  });

  it('uses no AsyncLocalStorage', async () => {
    const key = Symbol.for('fairlead.deadline');
    const shared = globalThis as { [key]?: unknown };
    const before = shared[key];
    Reflect.deleteProperty(shared, key);
    const off = await rig(['a']);
    await off.client.call(() => undefined);
    withoutDeadline(() => inheritedMs());
    expect(shared[key]).toBeUndefined();
    const on = await rig(['a'], { inheritDeadline: true });
    await on.client.call(() => undefined);
    expect(shared[key]).toBeDefined();
    shared[key] = before;
    await off.client.close();
    await on.client.close();
  });
});

it('bounds the wait for the first list', async () => {
  const { client, clock } = clientOver(
    scripted(() => yielding()),
    { inheritDeadline: true },
  );
  const call = watched(runWithin(50, clock, () => client.call(() => 'sent')));
  await clock.advance(49);
  expect(call.status).toBe('pending');
  await clock.advance(1);
  expect(call.error).toMatchObject({ code: 'ERR_FAIRLEAD_NOT_READY' });
  const late = watched(runWithin(0, clock, () => client.call(() => 'sent')));
  await clock.advance(0);
  expect(late.error).toMatchObject({ code: 'ERR_FAIRLEAD_NOT_READY' });
  await client.close();
});
