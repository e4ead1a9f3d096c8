import { describe, expect, it } from 'vitest';
import { peakEwma } from '../../src/policies/peak-ewma.js';
import { candidate } from '../support/candidates.js';
import { expectInvalidOption } from '../support/errors.js';
import { thrownBy } from '../support/promises.js';

const TAU = 10_000;

/** Feeds rtts at times, as the instance state does, and returns the state. */
function fed(...samples: readonly [rttMs: number, atMs: number][]) {
  const load = peakEwma();
  const { state } = candidate('a');
  for (const [rttMs, atMs] of samples) {
    state.ewmaMs = load.observe(state, rttMs, 'success', atMs, false);
    state.ewmaAtMs = atMs;
    state.measured++;
  }
  return state;
}

describe('observe: rtt > ewma ? rtt : ewma * w + rtt * (1 - w), w = exp(-dt / tau)', () => {
  it('takes the first answer as it is', () => {
    expect(fed([42, 7]).ewmaMs).toBe(42);
  });

  it('jumps up to a peak at once', () => {
    expect(fed([10, 0], [500, 1]).ewmaMs).toBe(500);
  });

  it('comes down slowly', () => {
    const w = Math.exp(-1_000 / TAU); // 0.904837
    expect(fed([100, 0], [20, 1_000]).ewmaMs).toBeCloseTo(100 * w + 20 * (1 - w), 10);
    expect(fed([100, 0], [20, 1_000]).ewmaMs).toBeCloseTo(92.387, 3);
  });

  it('after one tau has come down by 63 %', () => {
    expect(fed([100, 0], [0, TAU]).ewmaMs).toBeCloseTo(100 / Math.E, 10);
  });

  it('chains over several answers', () => {
    const w1 = Math.exp(-500 / TAU);
    const w2 = Math.exp(-2_000 / TAU);
    const first = 80 * w1 + 30 * (1 - w1);
    expect(fed([80, 100], [30, 600], [10, 2_600]).ewmaMs).toBeCloseTo(
      first * w2 + 10 * (1 - w2),
      10,
    );
  });

  it('takes a clock that stands still, or goes back, for no time', () => {
    expect(fed([100, 50], [20, 50]).ewmaMs).toBe(100);
    expect(fed([100, 50], [20, 40]).ewmaMs).toBe(100);
  });
});

describe('of: ewma * (pending + 1) / weight', () => {
  const load = peakEwma();
  const at = { ewmaMs: 40, ewmaAtMs: 1_000, measured: 3 };

  it('is the estimate when nothing is in flight', () => {
    expect(load.of(candidate('a', 1, at).state, 1_000)).toBe(40);
  });

  it('grows with the attempts in flight and falls with the weight', () => {
    expect(load.of(candidate('a', 1, { ...at, pending: 3 }).state, 1_000)).toBe(160);
    expect(load.of(candidate('a', 4, { ...at, pending: 3 }).state, 1_000)).toBe(40);
  });

  it('decays toward 0 while idle, so that a slow instance is tried again', () => {
    const { state } = candidate('a', 1, at);
    expect(load.of(state, 1_000 + TAU)).toBeCloseTo(40 / Math.E, 10);
    expect(load.of(state, 1_000 + 20 * TAU)).toBeLessThan(1e-6);
  });

  it('of an unmeasured instance is 0 while idle and beyond any latency with one in flight', () => {
    expect(load.of(candidate('a').state, 0)).toBe(0);
    expect(load.of(candidate('a', 1, { pending: 1 }).state, 0)).toBe(1_000_001);
    expect(load.of(candidate('a', 2, { pending: 4 }).state, 0)).toBe(500_002);
  });

  it('uses its own tau', () => {
    expect(peakEwma({ tauMs: 1_000 }).of(candidate('a', 1, at).state, 2_000)).toBeCloseTo(
      40 / Math.E,
      10,
    );
  });
});

describe('options', () => {
  it.each([0, -1, NaN, Infinity])('refuses tauMs %s', (tauMs) => {
    expectInvalidOption(
      thrownBy(() => peakEwma({ tauMs })),
      'peakEwma.tauMs',
      tauMs,
    );
  });

  it('refuses an unknown option', () => {
    const options = { tau: 5 } as object;
    expectInvalidOption(
      thrownBy(() => peakEwma(options)),
      'peakEwma.tau',
      5,
    );
  });
});
