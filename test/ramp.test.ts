import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextStepMs, rampAt } from '../src/ramp.js';

it.each([
  [0, 0.1],
  [2_999, 0.1],
  [3_000, 0.1],
  [15_000, 0.5],
  [29_999, 29_999 / 30_000],
  [30_000, 1],
  [90_000, 1],
])('%s ms after its start a ramp of 30 s is at %s', (elapsedMs, ramp) => {
  expect(rampAt(elapsedMs, 30_000)).toBe(ramp);
});

it('a ramp of 0 ms is over at once', () => {
  expect(rampAt(0, 0)).toBe(1);
});

it.each([
  [100, 1_100],
  [1_099, 1_100],
  [1_100, 2_100],
  [29_500, 30_100],
  [30_100, undefined],
  [99_999, undefined],
])('at %s ms the next step of a ramp of 30 s that began at 100 ms is at %s', (nowMs, atMs) => {
  expect(nextStepMs(100, 30_000, nowMs)).toBe(atMs);
});

it('whatever the clock reads, 30 steps lead to the end, each later than the one before', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 1, max: 1e6, noNaN: true }),
      (fromMs, lastsMs) => {
        let nowMs = fromMs;
        let steps = 0;
        for (;;) {
          const atMs = nextStepMs(fromMs, lastsMs, nowMs);
          if (atMs === undefined) break;
          expect(atMs).toBeGreaterThan(nowMs);
          nowMs = atMs;
          steps++;
        }
        expect(steps).toBe(30);
        // A clock reading of 1e9 is exact to 2^-23 ms, and a ramp lasts 1 ms at least.
        expect(rampAt(nowMs - fromMs, lastsMs)).toBeGreaterThan(1 - 1e-6);
      },
    ),
    { seed: 41, numRuns: 300 },
  );
});
