import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toInstance } from '../src/discovery.js';
import { countTaking, type Held, ShrinkGuard } from '../src/shrink-guard.js';
import { ManualClock } from '../src/testing/manual-clock.js';
import type { Instance } from '../src/types.js';
import { specs } from './support/fixtures.js';

type List = ReadonlyMap<string, Instance>;

function list(...names: string[]): List {
  return new Map(specs(...names).map((spec) => [spec.id ?? '', toInstance(spec, 'x')]));
}

const TEN = 'abcdefghij'.split('');
const HIDDEN = 'results are filtered';

class Rig {
  readonly clock = new ManualClock();
  readonly held: Held[] = [];
  confirms = 0;
  readonly guard: ShrinkGuard;
  current: List = new Map();

  constructor(graceMs = 30_000) {
    this.guard = new ShrinkGuard(graceMs, this.clock, {
      onHeld: (held) => this.held.push(held),
      confirm: () => this.confirms++,
    });
  }

  report(...names: string[]): string[] {
    this.current = this.guard.believe(this.current, list(...names));
    return [...this.current.keys()];
  }

  /** The same of a source that says that its list is incomplete. */
  reportPart(...names: string[]): string[] {
    this.current = this.guard.believe(this.current, list(...names), HIDDEN);
    return [...this.current.keys()];
  }
}

describe('what is believed at once', () => {
  it.each([
    ['a first list', [], ['a', 'b']],
    ['additions', ['a'], ['a', 'b', 'c']],
    ['a loss of less than half', ['a', 'b', 'c'], ['a', 'b']],
    ['a loss of exactly half', ['a', 'b', 'c', 'd'], ['a', 'b']],
    ['a full exchange', ['a', 'b'], ['c', 'd']],
    ['an empty list where there was none', [], []],
    ['the loss of instances that took no calls', ['a', 'b*0', 'c*0'], ['a']],
  ])('%s', (_what, before, after) => {
    const rig = new Rig();
    rig.report(...before);
    expect(rig.report(...after)).toEqual(after);
    expect(rig.guard.heldFor).toBeUndefined();
    expect(rig.held).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('everything, when the grace is 0', () => {
    const rig = new Rig(0);
    rig.report(...TEN);
    expect(rig.report()).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
  });
});

describe('what is held', () => {
  it.each([
    ['an emptied list', ['a'], []],
    ['a loss of more than half', ['a', 'b', 'c'], ['a']],
    ['just more than half of many', TEN, TEN.slice(0, 4)],
  ])('%s', (_what, before, after) => {
    const rig = new Rig();
    rig.report(...before);
    expect(rig.report(...after)).toEqual(before);
    expect(rig.guard.heldFor).toMatch(/^the list shrank/);
    const [kept, reported] = [before.length, after.length];
    const reason = `the list shrank from ${kept} to ${reported}`;
    expect(rig.held).toEqual([{ kept, reported, graceMs: 30_000, reason }]);
    expect(rig.guard.heldFor).toBe(reason);
  });

  it('a list in which everything drains at once goes on taking calls', () => {
    const rig = new Rig();
    rig.report('a', 'b');
    rig.report('a*0', 'b*0');
    expect(rig.guard.heldFor).toMatch(/^the list shrank/);
    expect(countTaking(rig.current)).toBe(2);
    rig.report('a*0', 'b*0');
    expect(rig.guard.heldFor).toMatch(/^the list shrank/);
  });

  it('while what is new in it, or changed, is believed at once', () => {
    const rig = new Rig();
    rig.report(...TEN);
    expect(rig.report('a*7', 'new')).toEqual([...TEN, 'new']);
    expect(rig.current.get('a')?.weight).toBe(7);
  });

  it('is kept until all of it is back, or the grace is over', async () => {
    const rig = new Rig();
    rig.report('a', 'b', 'c', 'd');
    expect(rig.report('a')).toEqual(['a', 'b', 'c', 'd']);
    // A registry that comes back lists its instances one by one.
    expect(rig.report('a', 'c', 'd')).toEqual(['a', 'b', 'c', 'd']);
    await rig.clock.advance(30_000);
    expect(rig.report('a', 'c', 'd')).toEqual(['a', 'c', 'd']);
    expect(rig.guard.heldFor).toBeUndefined();

    rig.report('a');
    expect(rig.report('a', 'c', 'd')).toEqual(['a', 'c', 'd']);
    expect(rig.guard.heldFor).toBeUndefined();
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('is told once, however often it is reported', () => {
    const rig = new Rig();
    rig.report(...TEN);
    for (let i = 0; i < 3; i++) rig.report('a');
    expect(rig.held).toHaveLength(1);
    expect(rig.clock.pendingTimers).toBe(1);
  });
});

describe('the end of a doubt', () => {
  it('asks for a second read after the grace, not before, and believes it', async () => {
    const rig = new Rig();
    rig.report(...TEN);
    rig.report('a');
    await rig.clock.advance(29_999);
    expect(rig.confirms).toBe(0);
    expect(rig.report('a')).toEqual(TEN);
    await rig.clock.advance(1);
    expect(rig.confirms).toBe(1);
    expect(rig.report('a')).toEqual(['a']);
    expect(rig.guard.heldFor).toBeUndefined();
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('is not reached by time alone: without a second read nothing is dropped', async () => {
    const rig = new Rig();
    rig.report(...TEN);
    rig.report();
    await rig.clock.advance(1_000_000);
    expect([...rig.current.keys()]).toEqual(TEN);
    expect(rig.guard.heldFor).toMatch(/^the list shrank/);
    expect(rig.report()).toEqual([]);
  });

  it('believes the second read although the timer fired a little early, as real timers do', async () => {
    const clock = new ManualClock();
    let lagMs = 0;
    const lagging = {
      now: () => clock.now() - lagMs,
      setTimer: (ms: number, fn: () => void) => clock.setTimer(ms, fn),
      sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    };
    const quiet = { onHeld: () => undefined, confirm: () => undefined };
    const guard = new ShrinkGuard(1_000, lagging, quiet);
    const before = list('a', 'b');
    guard.believe(before, list());
    lagMs = 0.7;
    await clock.advance(1_000); // the timer fires when the clock reads 999.3
    expect(guard.believe(before, list()).size).toBe(0);
  });

  it('does not take a second read that says even less for a confirmation', async () => {
    const rig = new Rig();
    rig.report(...TEN);
    rig.report(...TEN.slice(0, 4));
    await rig.clock.advance(30_000);
    expect(rig.report()).not.toEqual([]);
  });

  it('comes at once when the list recovers, and the next doubt begins anew', async () => {
    const rig = new Rig();
    rig.report(...TEN);
    rig.report('a');
    await rig.clock.advance(20_000);
    rig.report(...TEN);
    expect(rig.guard.heldFor).toBeUndefined();
    expect(rig.clock.pendingTimers).toBe(0);
    await rig.clock.advance(20_000);
    expect(rig.report('a')).toEqual(TEN);
    expect(rig.held).toHaveLength(2);
  });

  it('leaves no timer on close', () => {
    const rig = new Rig();
    rig.report(...TEN);
    rig.report();
    rig.guard.close();
    expect(rig.clock.pendingTimers).toBe(0);
  });
});

describe('an incomplete list', () => {
  it.each([
    ['one is missing', ['a', 'b', 'c'], ['a', 'b']],
    ['most are missing', TEN, ['a']],
    ['all are missing', ['a'], []],
    ['one that takes no calls is missing', ['a', 'b*0'], ['a']],
  ])('is not believed where %s, for as long as it takes', async (_what, before, after) => {
    const rig = new Rig();
    rig.report(...before);
    for (let i = 0; i < 3; i++) {
      expect(rig.reportPart(...after)).toEqual(before.map((name) => name.replace('*0', '')));
      expect(rig.guard.heldFor).toBe(HIDDEN);
      await rig.clock.advance(1_000_000);
    }
    expect(rig.held).toEqual([
      {
        kept: before.filter((name) => !name.endsWith('*0')).length,
        reported: after.length,
        graceMs: Infinity,
        reason: HIDDEN,
      },
    ]);
    expect(rig.confirms).toBe(0);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('is not believed with a grace of 0 either', () => {
    const rig = new Rig(0);
    rig.report('a', 'b');
    expect(rig.reportPart('a')).toEqual(['a', 'b']);
    expect(rig.report('a')).toEqual(['a']);
  });

  it('is taken as it is when it is the first', () => {
    const rig = new Rig();
    expect(rig.reportPart('a')).toEqual(['a']);
    expect(rig.guard.heldFor).toBeUndefined();
    expect(rig.held).toEqual([]);
  });

  it('that lacks nothing holds nothing', () => {
    const rig = new Rig();
    rig.report('a', 'b');
    expect(rig.reportPart('b', 'a', 'c')).toEqual(['b', 'a', 'c']);
    expect(rig.guard.heldFor).toBeUndefined();
    expect(rig.held).toEqual([]);
  });

  it('has what it adds, changes and drains believed at once', () => {
    const rig = new Rig();
    rig.report('a', 'b', 'c');
    expect(rig.reportPart('a*7', 'c*0', 'new')).toEqual(['a', 'b', 'c', 'new']);
    const weights = [...rig.current.values()].map(({ weight }) => weight);
    expect(weights).toEqual([7, 1, 0, 1]);
  });

  it('in which everything drains is doubted by the usual rule', async () => {
    const rig = new Rig();
    rig.report('a', 'b', 'c');
    rig.reportPart('a*0', 'b*0');
    expect(countTaking(rig.current)).toBe(3);
    expect(rig.held.map(({ graceMs }) => graceMs)).toEqual([Infinity, 30_000]);
    await rig.clock.advance(30_000);
    rig.reportPart('a*0', 'b*0');
    expect([...rig.current.keys()]).toEqual(['a', 'b', 'c']);
    expect(countTaking(rig.current)).toBe(1);
  });

  it('is told anew when one that lacks nothing came between', () => {
    const rig = new Rig();
    rig.report('a', 'b');
    rig.reportPart('a');
    rig.reportPart('a', 'b');
    rig.reportPart('b');
    expect(rig.held).toHaveLength(2);
  });

  it.each([
    ['believed where it lacks little', ['a', 'b', 'c'], ['a', 'b'], ['a', 'b']],
    ['doubted where it lacks much', ['a', 'b', 'c'], ['a'], ['a', 'b', 'c']],
  ])('followed by a complete one: that is %s', (_what, before, after, left) => {
    const rig = new Rig();
    rig.report(...before);
    rig.reportPart(...after);
    expect(rig.report(...after)).toEqual(left);
    expect(rig.guard.heldFor).not.toBe(HIDDEN);
    expect(rig.clock.pendingTimers).toBe(left.length === before.length ? 1 : 0);
  });

  it('is no second read for a doubt whose grace is over, and ends it', async () => {
    const rig = new Rig();
    rig.report(...TEN);
    rig.report('a');
    await rig.clock.advance(30_000);
    expect(rig.reportPart('a')).toEqual(TEN);
    expect(rig.report('a')).toEqual(TEN); // a doubt of its own
    expect(rig.clock.pendingTimers).toBe(1);
  });

  it('never loses an instance, whatever came before', async () => {
    const step = fc.record({
      names: fc.subarray(TEN.flatMap((name) => [name, `${name}*0`])),
      isPart: fc.boolean(),
      pauseMs: fc.constantFrom(0, 10_000, 40_000),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 10 }),
        fc.constantFrom(0, 30_000),
        async (steps, graceMs) => {
          const rig = new Rig(graceMs);
          for (const { names, isPart, pauseMs } of steps) {
            const before = [...rig.current.keys()];
            const after = isPart ? rig.reportPart(...names) : rig.report(...names);
            if (isPart) expect(after).toEqual(expect.arrayContaining(before));
            for (const name of names) expect(after).toContain(name.replace('*0', ''));
            await rig.clock.advance(pauseMs);
          }
        },
      ),
      { seed: 12 },
    );
  });
});

it('does not keep the process alive', () => {
  const clock = new ManualClock();
  let unreferenced = 0;
  const spy = {
    now: () => clock.now(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    setTimer: (ms: number, fn: () => void) => ({
      ...clock.setTimer(ms, fn),
      unref: () => unreferenced++,
    }),
  };
  const quiet = { onHeld: () => undefined, confirm: () => undefined };
  new ShrinkGuard(1_000, spy, quiet).believe(list('a'), list());
  expect(unreferenced).toBe(1);
});

it('never loses more than half within the grace, whatever is reported', () => {
  const names = fc.subarray(TEN);
  fc.assert(
    fc.property(fc.array(names, { minLength: 1, maxLength: 8 }), (reports) => {
      const rig = new Rig();
      rig.report(...TEN);
      for (const report of reports) {
        const before = countTaking(rig.current);
        rig.report(...report);
        expect(countTaking(rig.current)).toBeGreaterThanOrEqual(before / 2);
        for (const name of report) expect(rig.current.has(name)).toBe(true);
      }
    }),
    { seed: 11 },
  );
});
