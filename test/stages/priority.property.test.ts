import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { available } from '../../src/stages/available.js';
import { whole } from '../../src/stages/part.js';
import { priority } from '../../src/stages/priority.js';
import type { ResolvedPriority } from '../../src/topology-options.js';
import type { Candidate, Part, Stage } from '../../src/types.js';
import type { TestCandidate } from '../support/candidates.js';
import { CLOSED, level, leveled, OUT, setUp } from './leveled.js';

/** Shares are sums of a few quotients: they agree to this but for the tolerance of the stage itself, 1e-9 each. */
const NEAR = 1e-7;

const settings = fc.record<ResolvedPriority>({
  mode: fc.constantFrom('spill', 'strict'),
  minMembers: fc.integer({ min: 1, max: 6 }),
  overprovisioningFactor: fc.constantFrom(1, 1.4, 3),
  holdDownMs: fc.constantFrom(0, 1, 10_000),
  rampMs: fc.constantFrom(0, 1, 30_000),
});
const weight = fc.oneof(
  fc.constantFrom(1, 1, 1, 2, 5e-324, 1e-300, 1e300, Number.MAX_VALUE),
  fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
);
/** All instances there ever are: their priorities and weights. */
const instances = fc.array(fc.record({ priority: fc.integer({ min: 0, max: 4 }), weight }), {
  minLength: 1,
  maxLength: 14,
});
/** What happens next: instances that are listed, those that are out, and the time until then. */
const step = fc.record({
  listed: fc.infiniteStream(fc.boolean()),
  out: fc.infiniteStream(fc.boolean()),
  /** Whom the change concerns; the others stay as they were. */
  touched: fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
  /** Time until the next one; `undefined`: until the stage asks for it. */
  afterMs: fc.option(fc.constantFrom(0, 1, 500, 1_000, 9_999, 10_000, 30_000, 1e9), {
    nil: undefined,
  }),
});

class Run {
  nowMs = 0;
  nextMs = Infinity;

  constructor(private readonly stages: readonly Stage[]) {}

  apply(list: readonly Candidate[], ratio: number): readonly Part[] {
    this.nextMs = Infinity;
    const context = {
      nowMs: this.nowMs,
      expireAt: (atMs: number): void => {
        expect(atMs).not.toBeNaN();
        if (atMs > this.nowMs) this.nextMs = Math.min(this.nextMs, atMs);
      },
      panic: () => undefined,
    };
    return this.stages.reduce<readonly Part[]>(
      (parts, stage) => parts.flatMap((part) => stage.apply(part, context)),
      [{ ...whole(list), ratio }],
    );
  }
}

function priorityOf({ eligible }: Part): number {
  return eligible[0]?.instance.priority ?? -1;
}

/** Shares of a level and those before it, by priority. */
function cumulative(parts: readonly Part[], upTo: number): number {
  return parts
    .filter((part) => priorityOf(part) <= upTo)
    .reduce((sum, { ratio }) => sum + ratio, 0);
}

describe('whatever happens, the parts', () => {
  const ratio = fc.constantFrom(1, 0.25);

  function play(
    check: (parts: readonly Part[], list: readonly TestCandidate[], given: Given, run: Run) => void,
    seed: number,
  ): void {
    fc.assert(
      fc.property(
        settings,
        instances,
        fc.array(step, { minLength: 1, maxLength: 15 }),
        fc.constantFrom(0, 0.5, 1),
        ratio,
        (settings, specs, steps, panicRatio, ratio) => {
          const all = specs.map(({ priority, weight }, i) => leveled(priority, `i${i}`, weight));
          const listed = all.map(() => true);
          const run = new Run([available(panicRatio, settings), priority(settings)]);
          for (const { listed: isListed, out, touched, afterMs } of steps) {
            all.forEach(({ state }, i) => {
              // A quarter of the instances changes at a time, so that levels live long enough to ramp.
              const change = touched.next().value === 0;
              const [present, dead] = [isListed.next().value, out.next().value];
              if (!change) return;
              listed[i] = present;
              state.breaker = dead ? OUT : CLOSED;
            });
            const list = all.filter((_, i) => listed[i] === true);
            check(run.apply(list, ratio), list, { settings, panicRatio, ratio }, run);
            if (afterMs !== undefined) run.nowMs += afterMs;
            else if (run.nextMs < Infinity) run.nowMs = run.nextMs;
          }
        },
      ),
      { seed, numRuns: 400 },
    );
  }
  interface Given {
    readonly settings: ResolvedPriority;
    readonly panicRatio: number;
    readonly ratio: number;
  }

  it('share the ratio of their part, each between 0 and 1', () => {
    play((parts, list, { ratio }) => {
      for (const part of parts) {
        expect(part.ratio).toBeGreaterThanOrEqual(0);
        expect(part.ratio).toBeLessThanOrEqual(ratio);
      }
      expect(Math.abs(cumulative(parts, Infinity) - ratio)).toBeLessThan(NEAR);
      if (list.length > 0) expect(parts.some((part) => part.ratio > 0)).toBe(true);
    }, 51);
  });

  it('divide the candidates by priority, in order, and have some each', () => {
    play((parts, list, { panicRatio, settings, ratio }, run) => {
      const before = new Run([available(panicRatio, settings)]);
      before.nowMs = run.nowMs;
      const candidates = before.apply(list, ratio).flatMap((part) => part.candidates);
      const divided = parts.flatMap((part) => part.candidates);
      expect(divided).toHaveLength(candidates.length);
      expect(new Set(divided)).toEqual(new Set(candidates));
      if (list.length === 0) return;
      const levels = new Set(list.map(({ instance }) => instance.priority));
      expect(parts.every((part) => part.candidates.length > 0)).toBe(true);
      if (levels.size === 1) {
        expect(parts.map(({ name }) => name)).toEqual(['']);
        return;
      }
      const order = parts.map(priorityOf);
      expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
      for (const part of parts) {
        expect(part.name).toBe(`priority ${priorityOf(part)}`);
        const own = list.filter(({ instance }) => instance.priority === priorityOf(part));
        expect(part.eligible).toEqual(own);
        expect(own).toEqual(expect.arrayContaining([...part.candidates]));
      }
    }, 52);
  });

  it('give no level calls that it cannot take while another one can', () => {
    play((parts, list) => {
      if (!list.some(({ state }) => state.breaker === CLOSED)) return;
      for (const part of parts) {
        if (part.name === '' || part.ratio === 0) continue;
        expect(part.candidates.some(({ state }) => state.breaker === CLOSED)).toBe(true);
      }
    }, 53);
  });

  it('never send more calls up than a client that has just begun would', () => {
    play((parts, list, { settings, panicRatio, ratio }, run) => {
      const fresh = new Run([available(panicRatio, settings), priority(settings)]);
      fresh.nowMs = run.nowMs;
      const raw = fresh.apply(list, ratio);
      for (const part of parts) {
        const upTo = priorityOf(part);
        expect(cumulative(parts, upTo)).toBeLessThanOrEqual(cumulative(raw, upTo) + NEAR);
      }
    }, 54);
  });

  it('end up as those of a client that has just begun, once nothing changes any more', () => {
    play((parts, list, { settings, panicRatio, ratio }, run) => {
      const fresh = new Run([available(panicRatio, settings), priority(settings)]);
      const raw = fresh.apply(list, ratio);
      expect(fresh.nextMs).toBe(Infinity);
      if (run.nextMs < Infinity) return; // still on its way
      expect(parts.map(({ name }) => name)).toEqual(raw.map(({ name }) => name));
      parts.forEach((part, i) => {
        expect(Math.abs(part.ratio - (raw[i]?.ratio ?? 0))).toBeLessThan(NEAR);
      });
    }, 55);
  });
});

describe('a first level that comes back', () => {
  it('never has more than its ramp gives, however often the client looks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 12_000 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom('spill', 'strict'),
        (ups, pauses, mode) => {
          const resolved: ResolvedPriority = {
            mode,
            minMembers: 1,
            overprovisioningFactor: 1,
            holdDownMs: 10_000,
            rampMs: 30_000,
          };
          const run = new Run([available(0.5, resolved), priority(resolved)]);
          const [first, second] = [level(0, 0, 10), level(1, 10, 10)];
          const share = (): number => cumulative(run.apply([...first, ...second], 1), 0);
          expect(share()).toBe(0);
          let up = 0;
          let most = 0;
          const risen: { by: number; atMs: number }[] = [];
          pauses.forEach((pauseMs, i) => {
            up = Math.min(10, up + (ups[i] ?? 0));
            setUp(first, up);
            const goal = mode === 'strict' ? 1 : up / 10;
            if (goal > most) risen.push({ by: goal - most, atMs: run.nowMs + 10_000 });
            most = Math.max(goal, most);
            const bound = risen.reduce((sum, { by, atMs }) => {
              const t = run.nowMs - atMs;
              return sum + (t < 0 ? 0 : by * Math.min(1, Math.max(0.1, t / 30_000)));
            }, 0);
            expect(Math.abs(share() - bound)).toBeLessThan(NEAR);
            run.nowMs += pauseMs;
          });
        },
      ),
      { seed: 57, numRuns: 500 },
    );
  });

  it('has no more than it was worth for the whole hold-down, however often it fails again', () => {
    fc.assert(
      fc.property(
        settings.filter(({ holdDownMs }) => holdDownMs > 0),
        fc.array(
          fc.record({
            up: fc.integer({ min: 0, max: 10 }),
            pauseMs: fc.oneof(
              fc.constantFrom(0, 500, 4_000, 9_999, 10_000, 40_000),
              fc.integer({ min: 1, max: 20_000 }),
            ),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        (settings, changes) => {
          const stages = (): Stage[] => [available(0.5, settings), priority(settings)];
          const run = new Run(stages());
          const [first, second] = [level(0, 0, 10), level(1, 10, 10)];
          const all = [...first, ...second];
          const worth: { atMs: number; share: number }[] = [];
          for (const { up, pauseMs } of changes) {
            setUp(first, up);
            const share = cumulative(run.apply(all, 1), 0);
            worth.push({ atMs: run.nowMs, share: cumulative(new Run(stages()).apply(all, 1), 0) });
            if (worth.length === 1) expect(share).toBe(worth[0]?.share);
            else {
              for (const { atMs, share: most } of worth) {
                if (atMs > run.nowMs - settings.holdDownMs) {
                  expect(share).toBeLessThanOrEqual(most + NEAR);
                }
              }
            }
            run.nowMs += pauseMs;
          }
        },
      ),
      { seed: 56, numRuns: 500 },
    );
  });

  it('is never more than a step of its ramp behind when the client looks at what it asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 1e9 }),
        (rampMs, atMs) => {
          const resolved: ResolvedPriority = {
            mode: 'spill',
            minMembers: 1,
            overprovisioningFactor: 1.4,
            holdDownMs: 10_000,
            rampMs,
          };
          const run = new Run([priority(resolved)]);
          run.nowMs = atMs;
          const [first, second] = [level(0, 0, 10), level(1, 10, 10)];
          const share = (): number => cumulative(run.apply([...first, ...second], 1), 0);
          share();
          setUp(first, 10);
          expect(share()).toBe(0);
          let last = 0;
          for (let steps = 0; run.nextMs < Infinity; steps++) {
            expect(steps).toBeLessThanOrEqual(30);
            run.nowMs = run.nextMs;
            const now = share();
            expect(now - last).toBeLessThan(0.1 + NEAR);
            last = now;
          }
          expect(last).toBe(1);
          expect(run.nowMs).toBeCloseTo(atMs + 10_000 + rampMs, 3);
        },
      ),
      { seed: 58, numRuns: 300 },
    );
  });
});
