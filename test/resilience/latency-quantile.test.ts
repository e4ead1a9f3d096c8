import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyQuantile } from '../../src/resilience/latency-quantile.js';
import { seededRng } from '../../src/testing/seeded-rng.js';

/** By the nearest rank. */
function exactQuantile(latencies: readonly number[], ratio: number): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * ratio - 1e-9) - 1] ?? NaN;
}

/** Records one sample of `latencyMs` every `everyMs`, from `fromMs` up to `untilMs`. */
function recordSteadily(
  quantile: LatencyQuantile,
  latencyMs: number,
  [fromMs, untilMs]: readonly [number, number],
  everyMs: number,
): void {
  for (let ms = fromMs; ms < untilMs; ms += everyMs) quantile.record(latencyMs, ms);
}

describe('the quantile of latencies', () => {
  it('is never less than the exact one, and at most 5 % more', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0.5, 0.75, 0.9, 0.95),
        fc.array(fc.double({ min: 0.1, max: 1_000_000, noNaN: true }), {
          minLength: 100,
          maxLength: 300,
        }),
        (ratio, latencies) => {
          const quantile = new LatencyQuantile(ratio);
          for (const latency of latencies) quantile.record(latency, 0);
          const error = (quantile.ms ?? NaN) / exactQuantile(latencies, ratio);
          expect(error).toBeGreaterThan(1 - 1e-9);
          expect(error).toBeLessThan(1.05 + 1e-9);
        },
      ),
    );
  });

  it('stays exact to 5 % while slices come and go', () => {
    const quantile = new LatencyQuantile(0.95);
    const rng = seededRng(7);
    const samples: { readonly ms: number; readonly atMs: number }[] = [];
    // 50 a second; all the while the latency grows and shrinks a hundredfold.
    for (let atMs = 0; atMs < 300_000; atMs += 20) {
      const ms = 10 ** (1 + Math.sin(atMs / 40_000)) * (1 + rng.next() * rng.next() * 20);
      samples.push({ ms, atMs });
      quantile.record(ms, atMs);
      if (atMs % 1_000 !== 0) continue;
      // Slices begin at whole tens of seconds, and the current one is the sixth.
      const fromMs = Math.floor(atMs / 10_000) * 10_000 - 50_000;
      const recent = samples.filter((sample) => sample.atMs >= fromMs).map((sample) => sample.ms);
      if (recent.length < 100) continue;
      const error = (quantile.ms ?? NaN) / exactQuantile(recent, 0.95);
      expect(error).toBeGreaterThan(1 - 1e-9);
      expect(error).toBeLessThan(1.05 + 1e-9);
    }
  });

  it.each([
    [0.5, 20],
    [0.95, 100],
    [0.99, 500],
    [0.999, 5_000],
  ])('of ratio %d is not told before %d samples', (ratio, enough) => {
    const quantile = new LatencyQuantile(ratio);
    for (let i = 1; i < enough; i++) quantile.record(5, 0);
    expect(quantile.ms).toBeUndefined();
    quantile.record(5, 0);
    expect(quantile.ms).toBeCloseTo(5, -1);
  });

  it('follows a latency that grows within seconds, one that shrinks within a minute', () => {
    const quantile = new LatencyQuantile(0.95);
    recordSteadily(quantile, 10, [0, 120_000], 10);
    recordSteadily(quantile, 100, [120_000, 124_000], 10); // 4 s of about 60 are more than 5 %
    expect(quantile.ms).toBeGreaterThanOrEqual(100);
    recordSteadily(quantile, 100, [124_000, 240_000], 10);
    recordSteadily(quantile, 10, [240_000, 280_000], 10);
    expect(quantile.ms).toBeGreaterThanOrEqual(100);
    recordSteadily(quantile, 10, [280_000, 300_000], 10);
    expect(quantile.ms).toBeLessThan(10.5 + 1e-9);
  });

  it('lasts through a pause, and then gives way to new samples', () => {
    const quantile = new LatencyQuantile(0.95);
    recordSteadily(quantile, 10, [0, 60_000], 10);
    const hourMs = 3_600_000;
    quantile.record(100, hourMs);
    expect(quantile.ms).toBeLessThan(10.5 + 1e-9);
    recordSteadily(quantile, 100, [hourMs, hourMs + 60_000], 10);
    expect(quantile.ms).toBeGreaterThanOrEqual(100);
  });

  it('of a client that calls once in three seconds goes by its last hundred calls or so', () => {
    const quantile = new LatencyQuantile(0.95);
    recordSteadily(quantile, 10, [0, 360_000], 3_000);
    expect(quantile.ms).toBeLessThan(10.5 + 1e-9); // it is told, though a minute has but 20
    recordSteadily(quantile, 1, [360_000, 720_000], 3_000); // 120 samples
    expect(quantile.ms).toBeLessThan(1.05 + 1e-9);
  });

  it.each([
    ['none', 0, 0.1],
    ['a nanosecond', 1e-6, 0.1],
    ['a day', 86_400_000, 1_500_000],
  ])('takes a latency of %s', (_what, latencyMs, least) => {
    const quantile = new LatencyQuantile(0.5);
    for (let i = 0; i < 20; i++) quantile.record(latencyMs, 0);
    expect(quantile.ms).toBeGreaterThanOrEqual(least);
    expect(quantile.ms).toBeLessThan(2_000_000);
  });
});
