import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpossumBreaker } from '../../src/health/breaker.js';
import { UNCOUNTED } from '../../src/instance-state.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import type { BreakerState, Outcome } from '../../src/types.js';

const SETTINGS = {
  errorThresholdRatio: 0.5,
  minAttempts: 4,
  consecutiveFailures: 3,
  windowMs: 1_000,
  openMs: 100,
  maxOpenMs: 300,
};

type Step =
  | { readonly kind: 'admit' }
  | {
      readonly kind: 'record';
      /** Which of the attempts in flight, as a share of them. */
      readonly which: number;
      readonly outcome: Outcome;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: 'trip' }
  /** A whole row at once, so that it does open now and then. */
  | { readonly kind: 'fail' }
  | { readonly kind: 'wait'; readonly ms: number }
  /** On to the very instant at which the state lets a probe through, or just before it. */
  | { readonly kind: 'wait-open'; readonly shortMs: number }
  /** The same, and an attempt that ends at once. */
  | { readonly kind: 'probe'; readonly outcome: Outcome }
  | { readonly kind: 'may-open'; readonly value: boolean };

const outcome = fc.constantFrom<Outcome>('success', 'success', 'failure', 'overload', 'ignored');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('admit') }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('record'),
      which: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      outcome,
      retryAfterMs: fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: undefined, freq: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trip') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fail') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait'),
      ms: fc.oneof(fc.integer({ min: 0, max: 1_500 }), fc.constant(1e12)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait-open'),
      shortMs: fc.constantFrom(0, 1),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('probe'), outcome }) },
);
const heldStep = fc.oneof(
  { weight: 12, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('may-open'), value: fc.boolean() }) },
);

/** An attempt in flight. */
interface Attempt {
  readonly permit: number;
  /** Changes of state when it began. */
  readonly epoch: number;
}

/** Drives a breaker, and holds each of its steps against what is promised of it. */
class Checked {
  readonly #clock = new ManualClock(5_000);
  readonly #breaker: OpossumBreaker;
  readonly #flying: Attempt[] = [];
  readonly #told: Told[] = [];
  #mayOpen = true;
  #asked = 0;
  #held = 0;
  /** The last state, and how many there were. */
  #state: BreakerState;
  #changes = 0;
  #heldUntilMs = -Infinity;
  #openedAtMs = 0;
  #closedAtMs = -Infinity;
  /** When it last opened, again included, and when it was last called although it was not closed (panic). */
  #lastOpenMs = -Infinity;
  #usedAtMs = -Infinity;
  /** Full length of the last opening, before jitter. */
  #fullMs = 0;
  #retryAtMs = -Infinity;
  /** What the runs have come across: a promise that was never put to the test is not kept. */
  readonly met = new Set<string>();

  constructor(seed: number) {
    this.#breaker = new OpossumBreaker(
      SETTINGS,
      { clock: this.#clock, rng: seededRng(seed) },
      {
        onChange: (state, outMs) => this.#told.push({ state, outMs }),
        mayOpen: () => {
          this.#asked++;
          return this.#mayOpen;
        },
        onHeld: () => this.#held++,
      },
    );
    this.#state = this.#breaker.state;
  }

  async do(taken: Step): Promise<void> {
    const nowMs = this.#clock.now();
    switch (taken.kind) {
      case 'admit':
        this.#admit(nowMs);
        return;
      case 'record': {
        const [attempt] = this.#flying.splice(Math.floor(taken.which * this.#flying.length), 1);
        if (attempt !== undefined) {
          this.#record(attempt, taken.outcome, nowMs, taken.retryAfterMs);
        }
        return;
      }
      case 'trip':
        this.#trip(nowMs);
        return;
      case 'fail':
        for (let i = 0; i < SETTINGS.consecutiveFailures; i++) this.#call('failure');
        return;
      case 'wait':
        await this.#clock.advance(taken.ms);
        return;
      case 'wait-open':
        await this.#waitOpen(taken.shortMs);
        return;
      case 'probe':
        await this.#waitOpen(0);
        this.#call(taken.outcome);
        return;
      case 'may-open':
        this.#mayOpen = taken.value;
    }
  }

  async #waitOpen(shortMs: number): Promise<void> {
    const state = this.#state;
    if (state.kind !== 'open') return;
    await this.#clock.advance(Math.max(0, state.untilMs - this.#clock.now() - shortMs));
  }

  #call(ended: Outcome): void {
    const nowMs = this.#clock.now();
    const attempt = this.#admit(nowMs);
    this.#flying.pop();
    this.#record(attempt, ended, nowMs, undefined);
  }

  /** What was asked and told counts for one operation. */
  #begin(): BreakerState {
    this.#asked = 0;
    this.#held = 0;
    return this.#state;
  }

  #admit(nowMs: number): Attempt {
    const before = this.#begin();
    const permit = this.#breaker.admit(nowMs);
    const [change] = this.#changesSince();
    if (before.kind === 'closed') {
      expect(change).toBeUndefined();
      expect(permit).not.toBe(UNCOUNTED);
    } else {
      const fromMs = before.kind === 'open' ? before.untilMs : (before.probeUntilMs ?? -Infinity);
      // One probe at a time, unless the one before has run over its limit.
      expect(permit !== UNCOUNTED).toBe(nowMs >= fromMs);
      expect(change).toEqual(
        nowMs >= fromMs
          ? {
              state: { kind: 'half-open', probeUntilMs: nowMs + SETTINGS.maxOpenMs },
              outMs: 0,
            }
          : undefined,
      );
      if (permit === UNCOUNTED) this.#usedAtMs = nowMs;
      else this.met.add(`${before.kind} -> probe`);
    }
    expect(this.#asked).toBe(0);
    const attempt = { permit, epoch: this.#changes };
    this.#flying.push(attempt);
    return attempt;
  }

  #record(
    { permit, epoch }: Attempt,
    ended: Outcome,
    nowMs: number,
    retryAfterMs: number | undefined,
  ): void {
    const before = this.#begin();
    this.#breaker.record(permit, ended, nowMs, retryAfterMs);
    const [change] = this.#changesSince();
    if (permit === UNCOUNTED || epoch !== this.#changes - (change === undefined ? 0 : 1)) {
      expect(change).toBeUndefined(); // uncounted, or late
      expect([this.#asked, this.#held]).toEqual([0, 0]);
      this.met.add('late');
      return;
    }
    const bad = ended === 'failure' || ended === 'overload';
    if (bad && retryAfterMs !== undefined) this.#retryAtMs = nowMs + retryAfterMs;
    if (before.kind === 'closed') {
      if (!bad) {
        expect(change).toBeUndefined();
        expect(this.#asked).toBe(0);
      }
      this.#checkOpening(change, nowMs);
      return;
    }
    expect(before.kind).toBe('half-open');
    expect(this.#asked).toBe(0);
    if (bad) this.#checkOpen(change, nowMs);
    else if (ended === 'success') {
      const restedSinceMs = Math.max(this.#openedAtMs, this.#usedAtMs);
      expect(change).toEqual({ state: { kind: 'closed' }, outMs: nowMs - restedSinceMs });
      this.#closedAtMs = nowMs;
      this.#retryAtMs = -Infinity;
      this.met.add('closed');
    } else {
      expect(change).toEqual({ state: { kind: 'half-open', probeUntilMs: undefined }, outMs: 0 });
      this.met.add('ignored probe');
    }
  }

  #trip(nowMs: number): void {
    const before = this.#begin();
    this.#breaker.trip(nowMs);
    const [change] = this.#changesSince();
    expect(this.#asked).toBe(before.kind === 'closed' ? 1 : 0);
    expect(change !== undefined).toBe(before.kind === 'closed' && this.#mayOpen);
    this.#checkOpening(change, nowMs);
  }

  /** It was closed before: it has opened if it wanted to and might. */
  #checkOpening(change: Told | undefined, nowMs: number): void {
    expect(this.#asked).toBeLessThanOrEqual(1);
    expect(change !== undefined).toBe(this.#asked === 1 && this.#mayOpen);
    const isHeld = this.#asked === 1 && !this.#mayOpen;
    expect(this.#held).toBe(isHeld && nowMs >= this.#heldUntilMs ? 1 : 0);
    if (isHeld) this.#heldUntilMs = nowMs + SETTINGS.windowMs;
    if (change === undefined) expect(this.#breaker.heldUntilMs).toBe(this.#heldUntilMs);
    if (change === undefined) return;
    this.#openedAtMs = nowMs;
    if (nowMs - this.#closedAtMs >= SETTINGS.windowMs) this.#fullMs = 0; // a quiet window: from the start
    this.#checkOpen(change, nowMs);
  }

  /** It has opened, for the right time. */
  #checkOpen(change: Told | undefined, nowMs: number): void {
    if (change?.state.kind !== 'open') throw new Error('did not open');
    expect(change.outMs).toBe(0);
    this.#heldUntilMs = -Infinity;
    // One that was called all the time has had no rest: no reason to wait longer for it than for its peers.
    const wasUsed = this.#fullMs > 0 && this.#usedAtMs >= this.#lastOpenMs;
    if (wasUsed) this.met.add('open, and used');
    const fullMs = wasUsed ? this.#fullMs : this.#fullMs * 1.5;
    this.#fullMs = Math.min(SETTINGS.maxOpenMs, Math.max(SETTINGS.openMs, fullMs));
    this.#lastOpenMs = nowMs;
    const forMs = change.state.untilMs - nowMs;
    const askedMs = this.#retryAtMs - nowMs;
    const slack = 1e-3; // rounding, at 1e12 ms
    expect(forMs).toBeLessThanOrEqual(SETTINGS.maxOpenMs + slack);
    expect(forMs).toBeGreaterThanOrEqual(this.#fullMs / 2 - slack);
    if (askedMs <= SETTINGS.maxOpenMs) expect(forMs).toBeGreaterThanOrEqual(askedMs - slack);
    expect(forMs).toBeLessThanOrEqual(
      Math.max(this.#fullMs / 2, askedMs) + this.#fullMs / 2 + slack,
    );
    this.met.add(askedMs > this.#fullMs / 2 ? 'asked for longer' : `open ${this.#fullMs}`);
  }

  /** What changed since it was last asked: at most once, told exactly then. */
  #changesSince(): Told[] {
    const told = this.#told.splice(0);
    const { state } = this.#breaker;
    expect(told).toHaveLength(state === this.#state ? 0 : 1);
    if (told[0] !== undefined) expect(told[0].state).toBe(state);
    this.#state = state;
    this.#changes += told.length;
    return told;
  }
}

interface Told {
  readonly state: BreakerState;
  readonly outMs: number;
}

async function run(steps: fc.Arbitrary<Step>): Promise<Set<string>> {
  const met = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 1, maxLength: 80 }),
      fc.nat(),
      async (taken, seed) => {
        const checked = new Checked(seed);
        for (const each of taken) await checked.do(each);
        for (const name of checked.met) met.add(name);
      },
    ),
    { seed: 4, numRuns: 400 },
  );
  return met;
}

describe('whatever comes in whatever order', () => {
  const everything = [
    ...['late', 'closed', 'ignored probe', 'open -> probe', 'half-open -> probe'],
    ...['open 100', 'open 150', 'open 225', 'open 300', 'asked for longer'],
  ];

  it('a breaker keeps its promises', async () => {
    expect([...(await run(step))]).toEqual(expect.arrayContaining(everything));
  });

  it('also one that sometimes may not open', async () => {
    expect([...(await run(heldStep))]).toEqual(expect.arrayContaining(everything));
  });
});
