import { describe, expect, it } from 'vitest';
import { isFairleadError } from '../src/errors.js';
import { ManualClock, settle } from '../src/testing/manual-clock.js';
import type { ZoneSource } from '../src/topology-options.js';
import type { Clock, Rng } from '../src/types.js';
import { ZoneFinder } from '../src/zone-finder.js';
import { fixedRng } from './support/fixtures.js';
import { collectUncaught, type Deferred, deferred, never } from './support/promises.js';

/** What a finder told, and how it was asked. */
interface Search {
  readonly finder: ZoneFinder;
  readonly clock: ManualClock;
  /** Clock readings at which the source was asked. */
  readonly askedAtMs: number[];
  readonly signals: AbortSignal[];
  readonly found: string[];
  readonly faults: unknown[];
}

/** A search whose nth question the nth answer serves; the last one serves all later questions. */
function search(answers: ZoneSource[], rng: Rng = fixedRng(0.5)): Search {
  const clock = new ManualClock();
  const askedAtMs: number[] = [];
  const signals: AbortSignal[] = [];
  const found: string[] = [];
  const faults: unknown[] = [];
  const source: ZoneSource = (signal) => {
    askedAtMs.push(clock.now());
    signals.push(signal);
    return answers[Math.min(askedAtMs.length, answers.length) - 1]?.(signal);
  };
  const finder = new ZoneFinder(
    source,
    { clock, rng },
    { onFound: (zone) => found.push(zone), onFault: (error) => faults.push(error) },
  );
  return { finder, clock, askedAtMs, signals, found, faults };
}

const failing: ZoneSource = () => Promise.reject(new Error('no route'));

function messages(faults: readonly unknown[]): string[] {
  return faults.map((fault) => (fault instanceof Error ? fault.message : 'no error'));
}

describe('a zone that is given', () => {
  it('is known at once, and nothing is told', async () => {
    const clock = new ManualClock();
    const told: unknown[] = [];
    const hooks = { onFound: (zone: string) => told.push(zone), onFault: () => told.push('fault') };
    const finder = new ZoneFinder('eu-west-1a', { clock, rng: fixedRng(0) }, hooks);
    expect(finder.zone).toBe('eu-west-1a');
    await clock.advance(100_000);
    finder.close();
    expect(finder.zone).toBe('eu-west-1a');
    expect(told).toEqual([]);
  });
});

describe('a zone that is asked for', () => {
  it.each<[string, ZoneSource]>([
    ['at once', () => 'eu-west-1a'],
    ['by a promise', () => Promise.resolve('eu-west-1a')],
  ])('and given %s is told once, after the finder was made', async (_how, source) => {
    const { finder, found, faults, askedAtMs, clock } = search([source]);
    expect(askedAtMs).toEqual([0]);
    expect(found).toEqual([]);
    await settle();
    expect([finder.zone, found, faults]).toEqual(['eu-west-1a', ['eu-west-1a'], []]);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(1_000_000);
    expect(askedAtMs).toEqual([0]);
    finder.close();
    expect(finder.zone).toBe('eu-west-1a');
  });

  it('is known by the time it is told', async () => {
    const clock = new ManualClock();
    const known: unknown[] = [];
    const finder: ZoneFinder = new ZoneFinder(
      () => 'eu-west-1a',
      { clock, rng: fixedRng(0) },
      { onFound: () => known.push(finder.zone), onFault: () => undefined },
    );
    await settle();
    expect(known).toEqual(['eu-west-1a']);
  });

  it.each<[string, ZoneSource, string]>([
    ['a rejection', failing, 'no route'],
    [
      'a throw',
      () => {
        throw new Error('no agent');
      },
      'no agent',
    ],
    ['undefined', () => undefined, 'The zone source knows none.'],
    ['an empty name', () => '', `The zone source gave "" where a zone's name belongs.`],
    [
      'a number',
      (() => 7) as unknown as ZoneSource,
      `The zone source gave 7 where a zone's name belongs.`,
    ],
    [
      'null',
      (() => Promise.resolve(null)) as unknown as ZoneSource,
      `The zone source gave null where a zone's name belongs.`,
    ],
  ])('and answered with %s is a fault, and asked for again', async (_how, source, message) => {
    const { finder, found, faults, askedAtMs, clock } = search([source, () => 'a']);
    expect(faults).toEqual([]);
    await settle();
    expect(messages(faults)).toEqual([message]);
    expect(finder.zone).toBeUndefined();
    await clock.advance(749);
    expect(askedAtMs).toEqual([0]);
    await clock.advance(1);
    expect(askedAtMs).toEqual([0, 750]);
    expect([finder.zone, found, faults.length]).toEqual(['a', ['a'], 1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('hands on the very error of the source, and names its own by code', async () => {
    const error = new Error('no route');
    const { faults, clock } = search([() => Promise.reject(error), () => undefined]);
    await clock.advance(750);
    expect(faults[0]).toBe(error);
    expect(isFairleadError(faults[1]) && faults[1].code).toBe('ERR_FAIRLEAD_DISCOVERY');
  });

  it.each([
    [0, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
    [0.5, [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]],
    [1 - 2 ** -32, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]],
  ])('is asked for after pauses that double to a minute (chance %s)', async (chance, pauses) => {
    const { finder, askedAtMs, clock } = search([failing], fixedRng(chance));
    await clock.advance(300_000);
    const taken = askedAtMs.slice(1).map((atMs, i) => Math.round(atMs - (askedAtMs[i] ?? 0)));
    expect(taken.slice(0, pauses.length)).toEqual(pauses);
    finder.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a source that does not answer', () => {
  it('is given up after 10 s, its signal with it, and asked again', async () => {
    const { finder, faults, signals, askedAtMs, clock } = search([never, () => 'a']);
    await clock.advance(9_999);
    expect(faults).toEqual([]);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    expect(messages(faults)).toEqual(['The zone source did not answer within 10 s.']);
    expect(signals[0]?.aborted).toBe(true);
    await clock.advance(750);
    expect(askedAtMs).toEqual([0, 10_750]);
    expect(finder.zone).toBe('a');
    expect(signals[1]?.aborted).toBe(false);
  });

  it('is not listened to when it answers late', async () => {
    const late = deferred<string>();
    const lateError = deferred<string>();
    const { finder, found, faults, clock } = search([
      () => late.promise,
      () => lateError.promise,
      never,
    ]);
    const uncaught = await collectUncaught(async () => {
      await clock.advance(25_000);
      late.resolve('a');
      lateError.reject(new Error('late'));
      await settle();
    });
    expect([finder.zone, found, uncaught]).toEqual([undefined, [], []]);
    expect(faults).toHaveLength(2);
    finder.close();
  });
});

describe('close', () => {
  it.each<[string, (answer: Deferred<string>) => void]>([
    ['answers late', (answer) => answer.resolve('a')],
    ['fails late', (answer) => answer.reject(new Error('late'))],
    ['never answers', () => undefined],
  ])('tells a source that %s to stop, and nothing more is told', async (_how, act) => {
    const answer = deferred<string>();
    const { finder, found, faults, signals, askedAtMs, clock } = search([() => answer.promise]);
    const uncaught = await collectUncaught(async () => {
      await settle();
      finder.close();
      expect(signals[0]?.aborted).toBe(true);
      expect(signals[0]?.reason).toMatchObject({ code: 'ERR_FAIRLEAD_CLOSED' });
      act(answer);
      await clock.advance(1_000_000);
    });
    expect([finder.zone, found, faults, askedAtMs]).toEqual([undefined, [], [], [0]]);
    expect(uncaught).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends the pause between two questions', async () => {
    const { finder, faults, signals, askedAtMs, clock } = search([failing]);
    const uncaught = await collectUncaught(async () => {
      await settle();
      expect(clock.pendingTimers).toBe(1);
      finder.close();
      finder.close();
      expect(clock.pendingTimers).toBe(0);
      await clock.advance(1_000_000);
    });
    expect([faults.length, askedAtMs, uncaught]).toEqual([1, [0], []]);
    expect(signals[0]?.aborted).toBe(false); // a question that was answered is over
  });

  it('may come from within a report', async () => {
    const clock = new ManualClock();
    const faults: unknown[] = [];
    const finder: ZoneFinder = new ZoneFinder(
      failing,
      { clock, rng: fixedRng(0) },
      {
        onFound: () => undefined,
        onFault: (error) => {
          faults.push(error);
          finder.close();
        },
      },
    );
    await clock.advance(1_000_000);
    expect(faults).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});

it('holds no process: all its timers are background ones', async () => {
  const inner = new ManualClock();
  let set = 0;
  let unrefs = 0;
  const clock: Clock = {
    now: () => inner.now(),
    sleep: (ms, signal) => inner.sleep(ms, signal),
    setTimer: (ms, fn) => {
      set++;
      return { ...inner.setTimer(ms, fn), unref: () => unrefs++ };
    },
  };
  const hooks = { onFound: () => undefined, onFault: () => undefined };
  const finder = new ZoneFinder(never, { clock, rng: fixedRng(0) }, hooks);
  await inner.advance(30_000); // questions and pauses by turns
  expect(set).toBeGreaterThan(3);
  expect(unrefs).toBe(set);
  finder.close();
});
