import { describe, expect, it } from 'vitest';
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
  readonly breaker: OpossumBreaker;

  constructor(settings: Partial<BreakerSettings> = {}, rng: Rng = fixedRng(0)) {
    this.breaker = new OpossumBreaker(
      { ...SETTINGS, ...settings },
      { clock: this.clock, rng },
      {
        onChange: (state) => this.changes.push(state),
        mayOpen: () => true,
        onHeld: () => undefined,
      },
    );
  }

  get kind(): BreakerState['kind'] {
    return this.breaker.state.kind;
  }

  admit(): number {
    return this.breaker.admit(this.clock.now());
  }

  end(permit: number, outcome: Outcome): void {
    this.breaker.record(permit, outcome, this.clock.now());
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

  it('doubles with each failed probe up to maxOpenMs', async () => {
    const rig = new Rig({ maxOpenMs: 5_000 });
    rig.run('FFFFF');
    const lengths = [rig.openForMs()];
    for (let i = 0; i < 5; i++) {
      await rig.waitOpen();
      rig.run('F');
      lengths.push(rig.openForMs());
    }
    expect(lengths).toEqual([500, 1_000, 2_000, 2_500, 2_500, 2_500]);
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

  it('goes on doubling when it opens again soon after closing, and starts over after a quiet window', async () => {
    const rig = new Rig();
    rig.run('FFFFF');
    await rig.waitOpen();
    rig.run('SFFFFF');
    expect(rig.openForMs()).toBe(1_000);
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
    expect(rig.openForMs()).toBe(1_000);
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

describe('resources', () => {
  it('10,000 breakers hold no timers of the clock or the process, open or closed', () => {
    const before = process.getActiveResourcesInfo().length;
    const rigs = Array.from({ length: 10_000 }, () => new Rig({ consecutiveFailures: 1 }));
    expect(process.getActiveResourcesInfo()).toHaveLength(before);
    for (const rig of rigs) rig.run('SF');
    expect(rigs.every(({ kind }) => kind === 'open')).toBe(true);
    expect(process.getActiveResourcesInfo()).toHaveLength(before);
    expect(rigs.every(({ clock }) => clock.pendingTimers === 0)).toBe(true);
    for (const { breaker } of rigs) breaker.shutdown();
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
