import { afterEach, describe, expect, it, vi } from 'vitest';
import { type BreakerSettings, OpossumBreaker } from '../../src/health/breaker.js';
import { UNCOUNTED } from '../../src/instance-state.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { BreakerState, Outcome, Rng } from '../../src/types.js';
import { collectUncaught } from '../support/promises.js';
import { fixedRng } from '../support/fixtures.js';

const SETTINGS: BreakerSettings = {
  errorThresholdRatio: 0.5,
  minAttempts: 10,
  consecutiveFailures: 5,
  windowMs: 10_000,
  openMs: 1_000,
  maxOpenMs: 60_000,
};

class Rig {
  readonly clock = new ManualClock();
  readonly changes: BreakerState[] = [];
  /** What each change was told with. */
  readonly outs: number[] = [];
  mayOpen = true;
  /** How often it asked whether it may open, and was told so. */
  asked = 0;
  held = 0;
  readonly breaker: OpossumBreaker;

  constructor(settings: Partial<BreakerSettings> = {}, rng: Rng = fixedRng(0)) {
    this.breaker = new OpossumBreaker(
      { ...SETTINGS, ...settings },
      { clock: this.clock, rng },
      {
        onChange: (state, outMs) => {
          this.changes.push(state);
          this.outs.push(outMs);
        },
        mayOpen: () => {
          this.asked++;
          return this.mayOpen;
        },
        onHeld: () => this.held++,
      },
    );
  }

  get kind(): BreakerState['kind'] {
    return this.breaker.state.kind;
  }

  admit(): number {
    return this.breaker.admit(this.clock.now());
  }

  end(permit: number, outcome: Outcome, retryAfterMs?: number): void {
    this.breaker.record(permit, outcome, this.clock.now(), retryAfterMs);
  }

  /** An attempt that is turned away with this Retry-After. */
  refuse(retryAfterMs: number): this {
    this.end(this.admit(), 'overload', retryAfterMs);
    return this;
  }

  trip(): this {
    this.breaker.trip(this.clock.now());
    return this;
  }

  /** One attempt after another: S success, F failure, O overload, I ignored. */
  run(letters: string): this {
    const outcomes = { S: 'success', F: 'failure', O: 'overload', I: 'ignored' } as const;
    for (const letter of letters) {
      this.end(this.admit(), outcomes[letter as keyof typeof outcomes]);
    }
    return this;
  }

  /** Moves on to the end of the opening. */
  async waitOpen(): Promise<void> {
    const { state } = this.breaker;
    if (state.kind !== 'open') throw new Error(`breaker is ${state.kind}`);
    await this.clock.advance(state.untilMs - this.clock.now());
  }

  openForMs(): number {
    const { state } = this.breaker;
    return state.kind === 'open' ? state.untilMs - this.clock.now() : NaN;
  }
}

describe('opens', () => {
  it('on 5 failures in a row, not on 4', () => {
    const rig = new Rig().run('FFFF');
    expect(rig.kind).toBe('closed');
    expect(rig.run('F').kind).toBe('open');
  });

  it('not when a success stands between them', () => {
    expect(new Rig({ minAttempts: 1_000 }).run('FFFFSFFFFSFFFF').kind).toBe('closed');
  });

  it('on the first failure with consecutiveFailures 1', () => {
    expect(new Rig({ consecutiveFailures: 1 }).run('F').kind).toBe('open');
  });

  it('counting overload as a failure', () => {
    expect(new Rig().run('FOFOF').kind).toBe('open');
  });

  it('not counting ignored outcomes, for the row or against it', () => {
    expect(new Rig().run('IIIIIIIIIIII').kind).toBe('closed');
    expect(new Rig().run('FFIIFIF').kind).toBe('closed');
    expect(new Rig().run('FFIIFIFF').kind).toBe('open');
  });

  it('at the error ratio, not below it', () => {
    expect(new Rig().run('SSFSFSFSFF').kind).toBe('open'); // 5 of 10
    expect(new Rig().run('SSSSFSFSFF').kind).toBe('closed'); // 4 of 10
  });

  it('at an odd ratio exactly', () => {
    const settings = { errorThresholdRatio: 0.3, minAttempts: 10, consecutiveFailures: 99 };
    expect(new Rig(settings).run('SSSSSSSSFF').kind).toBe('closed'); // 2 of 10
    expect(new Rig(settings).run('SSSSSSSFFF').kind).toBe('open'); // 3 of 10
  });

  it('at ratio 1 only when all failed', () => {
    const settings = { errorThresholdRatio: 1, minAttempts: 6, consecutiveFailures: 99 };
    expect(new Rig(settings).run('SFFFFFFFF').kind).toBe('closed');
    expect(new Rig(settings).run('FFFFFF').kind).toBe('open');
  });

  it('not before minAttempts, however high the ratio', () => {
    expect(new Rig().run('FFFFSFFFF').kind).toBe('closed'); // 8 of 9
    expect(new Rig().run('FFFFSFFFSF').kind).toBe('open'); // 8 of 10
  });

  it('undiluted by attempts in flight', () => {
    const rig = new Rig({ consecutiveFailures: 99 });
    for (let i = 0; i < 100; i++) rig.admit();
    expect(rig.run('FFFFFFFFFF').kind).toBe('open');
  });

  it('on the window alone: failures that have left it do not count', async () => {
    const rig = new Rig().run('SFSFSFSF'); // 4 of 8
    await rig.clock.advance(11_000);
    expect(rig.run('SSSSSSFFFF').kind).toBe('closed'); // 4 of 10; 8 of 18 with the old ones
    const still = new Rig().run('FFFSFFSFF'); // 7 of 9
    await still.clock.advance(8_000);
    expect(still.run('F').kind).toBe('open');
  });

  it('with a window that slides: old attempts go bucket by bucket', async () => {
    const rig = new Rig({ consecutiveFailures: 99, minAttempts: 4 });
    rig.run('SS');
    await rig.clock.advance(5_000);
    rig.run('FF'); // 2 of 4: open at once
    expect(rig.kind).toBe('open');
    const other = new Rig({ consecutiveFailures: 99, minAttempts: 4 });
    other.run('SSS');
    await other.clock.advance(5_000);
    other.run('F'); // 1 of 4
    await other.clock.advance(6_000); // the successes are gone, the failure is not
    other.run('SF');
    expect(other.kind).toBe('closed'); // 2 of 3: too few
    other.run('F');
    expect(other.kind).toBe('open'); // 3 of 4; 3 of 7 with the old successes
  });
});

it('forgets on time although attempts come at odd intervals', async () => {
  const rig = new Rig({ consecutiveFailures: 99 }).run('FFFF');
  for (let i = 0; i < 6; i++) {
    await rig.clock.advance(1_900);
    rig.run('S');
  }
  expect(rig.run('FFFF').kind).toBe('closed'); // 4 of 10; 8 of 14 with those from 11.4 s ago
});

describe('an opening', () => {
  it('lasts 0.5 to 1 s at first, by equal jitter', () => {
    expect(new Rig({}, fixedRng(0)).run('FFFFF').openForMs()).toBe(500);
    expect(new Rig({}, fixedRng(0.5)).run('FFFFF').openForMs()).toBe(750);
    expect(new Rig({}, fixedRng(1 - 2 ** -53)).run('FFFFF').openForMs()).toBeCloseTo(1_000, 6);
  });

  it('lasts half as long again with each failed probe, up to maxOpenMs', async () => {
    const rig = new Rig({ maxOpenMs: 5_000 });
    rig.run('FFFFF');
    const lengths = [rig.openForMs()];
    for (let i = 0; i < 5; i++) {
      await rig.waitOpen();
      rig.run('F');
      lengths.push(rig.openForMs());
    }
    expect(lengths).toEqual([500, 750, 1_125, 1_687.5, 2_500, 2_500]);
  });

  it('stays within its bounds after a thousand failed probes', async () => {
    const rig = new Rig({}, seededRng(3));
    rig.run('FFFFF');
    for (let i = 0; i < 1_100; i++) {
      await rig.waitOpen();
      rig.run('F');
    }
    expect(rig.openForMs()).toBeGreaterThanOrEqual(30_000);
    expect(rig.openForMs()).toBeLessThan(60_000);
  });

  it('goes on growing when it opens again soon after closing, and starts over after a quiet window', async () => {
    const rig = new Rig();
    rig.run('FFFFF');
    await rig.waitOpen();
    rig.run('SFFFFF');
    expect(rig.openForMs()).toBe(750);
    await rig.waitOpen();
    rig.run('S');
    await rig.clock.advance(10_000);
    rig.run('FFFFF');
    expect(rig.openForMs()).toBe(500);
  });

  it('admits nothing that counts before it is over', async () => {
    const rig = new Rig().run('FFFFF');
    await rig.clock.advance(499);
    expect(rig.admit()).toBe(UNCOUNTED);
    expect(rig.kind).toBe('open');
  });
});

describe('half-open', () => {
  async function halfOpen(): Promise<{ readonly rig: Rig; readonly probe: number }> {
    const rig = new Rig().run('FFFFF');
    await rig.waitOpen();
    const probe = rig.admit();
    return { rig, probe };
  }

  it('admits exactly one probe', async () => {
    const { rig, probe } = await halfOpen();
    expect(probe).not.toBe(UNCOUNTED);
    expect(rig.breaker.state).toEqual({ kind: 'half-open', probeUntilMs: 60_500 });
    expect([rig.admit(), rig.admit()]).toEqual([UNCOUNTED, UNCOUNTED]);
  });

  it('closes on its success', async () => {
    const { rig, probe } = await halfOpen();
    rig.end(probe, 'success');
    expect(rig.kind).toBe('closed');
  });

  it.each(['failure', 'overload'] as const)('opens again on its %s', async (outcome) => {
    const { rig, probe } = await halfOpen();
    rig.end(probe, outcome);
    expect(rig.kind).toBe('open');
    expect(rig.openForMs()).toBe(750);
  });

  it('stays half-open when the probe is ignored, and admits another', async () => {
    const { rig, probe } = await halfOpen();
    rig.end(probe, 'ignored');
    expect(rig.breaker.state).toEqual({ kind: 'half-open', probeUntilMs: undefined });
    const second = rig.admit();
    expect(second).not.toBe(UNCOUNTED);
    expect(rig.admit()).toBe(UNCOUNTED);
    rig.end(second, 'success');
    expect(rig.kind).toBe('closed');
  });

  it('admits another when the probe has not ended within maxOpenMs, and then heeds only that one', async () => {
    const { rig, probe } = await halfOpen();
    await rig.clock.advance(59_999);
    expect(rig.admit()).toBe(UNCOUNTED);
    await rig.clock.advance(1);
    const second = rig.admit();
    expect(second).not.toBe(UNCOUNTED);
    const { state } = rig.breaker;
    rig.end(probe, 'success');
    rig.end(probe, 'failure');
    expect(rig.breaker.state).toBe(state);
    rig.end(second, 'success');
    expect(rig.kind).toBe('closed');
  });

  it('does not heed outcomes of attempts let through in panic', async () => {
    const { rig } = await halfOpen();
    const panicked = rig.admit();
    rig.end(panicked, 'success');
    expect(rig.breaker.state).toEqual({ kind: 'half-open', probeUntilMs: 60_500 });
    rig.end(panicked, 'failure');
    expect(rig.breaker.state).toEqual({ kind: 'half-open', probeUntilMs: 60_500 });
  });
});

describe('after closing', () => {
  it('the failures that opened it are history', async () => {
    const rig = new Rig().run('FFFFF');
    await rig.waitOpen();
    expect(rig.run('S').kind).toBe('closed');
    expect(rig.run('FFFF').kind).toBe('closed'); // neither 9 in a row nor 9 of 10
    expect(rig.run('F').kind).toBe('open');
  });

  it('the ratio counts only what came after', async () => {
    const rig = new Rig({ consecutiveFailures: 99 }).run('FFFFFFFFFF');
    expect(rig.kind).toBe('open');
    await rig.waitOpen();
    expect(rig.run('SFFFSFF').kind).toBe('closed'); // 5 of 6 since
    expect(rig.run('SSSF').kind).toBe('open'); // 6 of 10 since
  });
});

describe('late outcomes', () => {
  it('of attempts from before the opening change nothing while open', () => {
    const rig = new Rig();
    const late = [rig.admit(), rig.admit()] as const;
    rig.run('FFFFF');
    const { state } = rig.breaker;
    rig.end(late[0], 'success');
    rig.end(late[1], 'failure');
    expect(rig.breaker.state).toBe(state);
  });

  it('nor while half-open', async () => {
    const rig = new Rig();
    const late = [rig.admit(), rig.admit(), rig.admit()] as const;
    rig.run('FFFFF');
    await rig.waitOpen();
    rig.admit();
    rig.end(late[0], 'success');
    rig.end(late[1], 'failure');
    rig.end(late[2], 'ignored');
    expect(rig.breaker.state).toEqual({ kind: 'half-open', probeUntilMs: 60_500 });
  });

  it('nor once closed again', async () => {
    const rig = new Rig();
    const late = Array.from({ length: 10 }, () => rig.admit());
    rig.run('FFFFF');
    await rig.waitOpen();
    rig.run('S');
    for (const permit of late) rig.end(permit, 'failure');
    expect(rig.kind).toBe('closed');
  });

  it('nor do those of attempts let through in panic while it was open', async () => {
    const rig = new Rig().run('FFFFF');
    const panicked = rig.admit();
    rig.end(panicked, 'success');
    expect(rig.kind).toBe('open');
    const slow = rig.admit();
    await rig.waitOpen();
    rig.run('S');
    for (let i = 0; i < 10; i++) rig.end(slow, 'failure');
    expect(rig.kind).toBe('closed');
  });
});

describe('onChange', () => {
  it('is told of each change, in order', async () => {
    const rig = new Rig().run('SFFFFF');
    await rig.waitOpen();
    rig.run('I');
    rig.run('S');
    expect(rig.changes).toEqual([
      { kind: 'open', untilMs: 500 },
      { kind: 'half-open', probeUntilMs: 60_500 },
      { kind: 'half-open', probeUntilMs: undefined },
      { kind: 'half-open', probeUntilMs: 60_500 },
      { kind: 'closed' },
    ]);
  });
});

describe('the time it was out', () => {
  it('is told on closing, from the first opening through all others, and is 0 else', async () => {
    const rig = new Rig().run('FFFFF');
    await rig.waitOpen(); // 500
    rig.run('F');
    await rig.waitOpen(); // 750 more
    await rig.clock.advance(250);
    rig.run('IS');
    expect(rig.kind).toBe('closed');
    expect(rig.outs.at(-1)).toBe(1_500);
    expect(rig.outs.slice(0, -1)).toEqual(rig.outs.slice(0, -1).map(() => 0));
    await rig.clock.advance(60_000);
    rig.run('FFFFF');
    await rig.waitOpen();
    rig.run('S');
    expect(rig.outs.at(-1)).toBe(500); // the outage before is over
  });
});

describe('Retry-After', () => {
  it('keeps it open at least so long, and a random part longer', () => {
    expect(new Rig({}, fixedRng(0)).run('FFFF').refuse(20_000).openForMs()).toBe(20_000);
    expect(new Rig({}, fixedRng(0.5)).run('FFFF').refuse(20_000).openForMs()).toBe(20_250);
  });

  it('shorter than the opening changes nothing', () => {
    expect(new Rig({}, fixedRng(0.5)).run('FFFF').refuse(400).openForMs()).toBe(750);
    expect(new Rig({}, fixedRng(0.5)).run('FFFF').refuse(0).openForMs()).toBe(750);
  });

  it('never keeps it open for longer than maxOpenMs', () => {
    for (const draw of [0, 0.5, 0.999]) {
      const open = (askedMs: number): number =>
        new Rig({}, fixedRng(draw)).run('FFFF').refuse(askedMs).openForMs();
      expect(open(59_900)).toBeGreaterThanOrEqual(59_900);
      expect(open(59_900)).toBeLessThanOrEqual(60_000);
      expect(open(60_000)).toBe(60_000);
      expect(open(86_400_000)).toBe(60_000 - draw * 500); // not in step with all the others
    }
  });

  it('opens nothing by itself', () => {
    expect(new Rig().refuse(20_000).kind).toBe('closed');
  });

  it('is remembered while closed, for whatever opens it before that instant', async () => {
    const failed = new Rig().refuse(20_000);
    await failed.clock.advance(5_000);
    expect(failed.run('FFFF').openForMs()).toBe(15_000);
    const tripped = new Rig().refuse(20_000).run('SSSSSS');
    await tripped.clock.advance(5_000);
    expect(tripped.trip().openForMs()).toBe(15_000);
  });

  it('is forgotten once its instant has passed', async () => {
    const rig = new Rig().refuse(2_000);
    await rig.clock.advance(1_900);
    expect(rig.run('FFFF').openForMs()).toBe(500);
  });

  it('counts as it was last given', () => {
    expect(new Rig().refuse(20_000).refuse(8_000).run('FFF').openForMs()).toBe(8_000);
    expect(new Rig().refuse(8_000).refuse(20_000).run('FFF').openForMs()).toBe(20_000);
  });

  it('holds when the probe is turned away with it', async () => {
    const rig = new Rig().run('FFFFF');
    await rig.waitOpen();
    expect(rig.refuse(30_000).openForMs()).toBe(30_000);
  });

  it('is disproved by a probe that succeeds', async () => {
    const rig = new Rig({ maxOpenMs: 10_000 }).run('FFFF').refuse(86_400_000);
    await rig.waitOpen();
    rig.run('S');
    await rig.clock.advance(10_000);
    expect(rig.run('FFFFF').openForMs()).toBe(500);
  });

  it('of an ignored outcome, of a success, or of one that comes late changes nothing', async () => {
    const rig = new Rig();
    rig.end(rig.admit(), 'ignored', 20_000);
    rig.end(rig.admit(), 'success', 20_000);
    const late = rig.admit();
    expect(rig.run('FFFFF').openForMs()).toBe(500);
    rig.end(late, 'overload', 20_000);
    expect(rig.openForMs()).toBe(500);
    await rig.waitOpen();
    expect(rig.run('F').openForMs()).toBe(750);
  });
});

describe('one that may not open', () => {
  function heldBack(): Rig {
    const rig = new Rig();
    rig.mayOpen = false;
    return rig;
  }

  it('stays closed, by failures in a row, by ratio and by a trip', () => {
    expect(heldBack().run('FFFFFFFF').changes).toEqual([]);
    expect(heldBack().run('SFSFSFSFSFSFSF').changes).toEqual([]);
    expect(heldBack().trip().changes).toEqual([]);
    expect(heldBack().run('FFFFFFFF').kind).toBe('closed');
  });

  it('is asked only when it would open, and not while it is out', async () => {
    const rig = heldBack().run('SSSSSFFFF');
    expect(rig.asked).toBe(0);
    rig.run('F'); // 5 in a row
    expect(rig.asked).toBe(1);
    rig.mayOpen = true;
    rig.run('F');
    expect([rig.kind, rig.asked]).toEqual(['open', 2]);
    rig.mayOpen = false;
    rig.trip();
    await rig.waitOpen();
    rig.run('F');
    expect([rig.kind, rig.asked]).toEqual(['open', 2]);
  });

  it('opens on the next failure once it may: its window is kept', () => {
    const rig = heldBack().run('SFSFSFSFSF'); // 5 of 10, never 5 in a row
    expect(rig.kind).toBe('closed');
    rig.mayOpen = true;
    expect(rig.run('S').kind).toBe('closed'); // a success opens nothing
    expect(rig.run('F').kind).toBe('open'); // 6 of 12
  });

  it('opens on a row that went on meanwhile', () => {
    const rig = heldBack().run('FFFFFFF');
    rig.mayOpen = true;
    expect(rig.run('F').kind).toBe('open');
  });

  it('says so once while it goes on, and is in doubt for a window after the last time', async () => {
    const rig = heldBack().run('FFFFF');
    expect([rig.held, rig.breaker.heldUntilMs]).toEqual([1, SETTINGS.windowMs]);
    await rig.clock.advance(SETTINGS.windowMs - 1);
    rig.run('SFFFFFF').trip();
    expect([rig.held, rig.breaker.heldUntilMs]).toEqual([1, 2 * SETTINGS.windowMs - 1]);
    await rig.clock.advance(SETTINGS.windowMs);
    rig.run('FFFFF');
    expect([rig.held, rig.breaker.heldUntilMs]).toEqual([2, 3 * SETTINGS.windowMs - 1]);
  });

  it('is in doubt no more once it opens, and says so anew after that', async () => {
    const rig = heldBack().run('FFFFF');
    rig.mayOpen = true;
    rig.run('F');
    await rig.waitOpen();
    rig.run('S');
    rig.mayOpen = false;
    expect(rig.breaker.heldUntilMs).toBe(-Infinity);
    rig.run('FFFFF');
    expect(rig.held).toBe(2);
  });

  it('says nothing to an ignored outcome', () => {
    const rig = heldBack().run('FFFFFF').run('IIII');
    expect([rig.held, rig.asked]).toEqual([1, 2]);
  });
});

describe('one that had answered and failed after all', () => {
  it('is one attempt of the window, a failed one', () => {
    const rig = new Rig({ errorThresholdRatio: 0.9, consecutiveFailures: 100 });
    for (let i = 0; i < 9; i++) {
      const permit = rig.admit();
      rig.end(permit, 'success');
      rig.breaker.record(permit, 'failure', 0, undefined, true);
      expect(rig.kind).toBe('closed');
    }
    const permit = rig.admit();
    rig.end(permit, 'success');
    rig.breaker.record(permit, 'failure', 0, undefined, true);
    expect(rig.kind).toBe('open'); // 10 of 10, where 10 of 20 would be half
  });

  it('is one of its own where the answer was in an earlier bucket', async () => {
    const rig = new Rig({ errorThresholdRatio: 0.6, minAttempts: 2, consecutiveFailures: 100 });
    const permit = rig.admit();
    rig.end(permit, 'success');
    await rig.clock.advance(2_000);
    rig.breaker.record(permit, 'failure', 2_000, undefined, true);
    expect(rig.kind).toBe('closed'); // 1 of 2
    expect(rig.run('F').kind).toBe('open'); // 2 of 3
  });
});

describe('a trip', () => {
  it('opens a closed one', () => {
    expect(new Rig().trip().kind).toBe('open');
    expect(new Rig({}, fixedRng(0)).run('SSSS').trip().openForMs()).toBe(500);
  });

  it('changes nothing while open or half-open', async () => {
    const rig = new Rig().run('FFFFF');
    const { state } = rig.breaker;
    expect(rig.trip().breaker.state).toBe(state);
    await rig.waitOpen();
    const probe = rig.admit();
    rig.trip();
    expect(rig.breaker.state).toEqual({ kind: 'half-open', probeUntilMs: 60_500 });
    rig.end(probe, 'success');
    expect(rig.kind).toBe('closed');
  });

  it('makes the outcomes of attempts in flight late, and lasts longer for the openings before', async () => {
    const rig = new Rig();
    const late = rig.admit();
    rig.trip();
    rig.end(late, 'success');
    expect(rig.kind).toBe('open');
    await rig.waitOpen();
    rig.run('S');
    expect(rig.trip().openForMs()).toBe(750);
  });
});

describe('resources', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('1,000 breakers hold no timer of the clock or the process: closed, held, open, closed again', async () => {
    // Opossum's own are seen too, unref'ed as they are.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const rigs = Array.from({ length: 1_000 }, (_, i) => {
      // Half of them open by their row of failures, half by opossum's threshold.
      return new Rig(i % 2 === 0 ? { consecutiveFailures: 3 } : { minAttempts: 3 });
    });
    const expectAll = (kind: BreakerState['kind']): void => {
      expect(rigs.every((rig) => rig.kind === kind)).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
      expect(rigs.every(({ clock }) => clock.pendingTimers === 0)).toBe(true);
    };
    for (const rig of rigs) {
      rig.mayOpen = false;
      rig.run('SFFF');
    }
    expectAll('closed');
    for (const rig of rigs) {
      rig.mayOpen = true;
      rig.run('F');
    }
    expectAll('open');
    for (const rig of rigs) {
      await rig.waitOpen();
      rig.run('S');
    }
    expectAll('closed');
    for (const { breaker } of rigs) breaker.shutdown();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keep nothing of each single attempt, not even how long it took', async () => {
    const rig = new Rig({ minAttempts: 1_000 });
    const { push } = Array.prototype;
    let pushed = 0;
    Array.prototype.push = function (...items: unknown[]) {
      pushed++;
      return push.apply(this, items);
    };
    try {
      rig.run('SFSF');
      rig.breaker.record(rig.admit(), 'success', 5_000); // in another step of the window
    } finally {
      Array.prototype.push = push;
    }
    expect(pushed).toBe(0);
  });

  it('leave no unhandled rejection behind', async () => {
    expect(
      await collectUncaught(async () => {
        new Rig().run('FFFFFFSFFO');
      }),
    ).toEqual([]);
  });
});

describe('shutdown', () => {
  it('makes every later outcome harmless', () => {
    const rig = new Rig();
    const permits = Array.from({ length: 10 }, () => rig.admit());
    rig.breaker.shutdown();
    for (const permit of permits) rig.end(permit, 'failure');
    expect(rig.kind).toBe('closed');
    expect(rig.changes).toEqual([]);
  });

  it('may come while open, and twice', () => {
    const rig = new Rig().run('FFFFF');
    rig.breaker.shutdown();
    expect(() => rig.breaker.shutdown()).not.toThrow();
  });
});
