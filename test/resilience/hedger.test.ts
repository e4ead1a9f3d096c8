import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hedger } from '../../src/resilience/hedger.js';
import type { ResolvedHedge } from '../../src/resilience-options.js';

function hedger(options: Partial<ResolvedHedge> = {}): Hedger {
  return new Hedger({ delayMs: undefined, quantileRatio: 0.95, maxRatio: 0.05, ...options });
}

/** Hedges sent when each of these calls wants one or not. */
function send(to: Hedger, wants: readonly boolean[]): boolean[] {
  return wants.map((wanted) => {
    to.noteCall();
    const sent = wanted && to.hasRoom();
    if (sent) to.noteHedge();
    return sent;
  });
}

function count(sent: readonly boolean[]): number {
  return sent.filter(Boolean).length;
}

describe('the delay of hedges', () => {
  it('is the one given, whatever is measured', () => {
    const fixed = hedger({ delayMs: 12.5 });
    for (let i = 0; i < 1_000; i++) fixed.observe(80, i);
    expect(fixed.delayMs()).toBe(12.5);
  });

  it('is measured, in whole milliseconds and not less than the quantile', () => {
    const measured = hedger();
    for (let i = 0; i < 99; i++) measured.observe(i < 90 ? 3 : 7.3, i);
    expect(measured.delayMs()).toBeUndefined();
    measured.observe(3, 99);
    expect(measured.delayMs()).toBe(8); // 7.3 and up to 5 %
  });
});

describe('the cap on hedges', () => {
  it.each([
    [0.05, 20],
    [0.1, 10], // ten times 0.1 is a little less than 1
    [0.3, 4],
    [1, 1],
  ])('of %d allows the first hedge with call number %d', (maxRatio, first) => {
    const sent = send(hedger({ maxRatio }), Array<boolean>(40).fill(true));
    expect(sent.indexOf(true)).toBe(first - 1);
    expect(count(sent)).toBe(Math.floor(40 * maxRatio + 1e-9));
  });

  it('is reached, to the last one, by calls that all want a hedge', () => {
    expect(count(send(hedger(), Array<boolean>(100_000).fill(true)))).toBe(5_000);
    expect(count(send(hedger({ maxRatio: 1 }), Array<boolean>(1_000).fill(true)))).toBe(1_000);
  });

  it('lets ten be saved up, not more', () => {
    const to = hedger();
    send(to, Array<boolean>(100_000).fill(false));
    expect(count(send(to, Array<boolean>(15).fill(true)))).toBe(10);
  });

  it('holds for the whole life, and for any stretch of calls but for those ten', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        // Stretches in which all calls want a hedge, or none.
        fc.array(fc.nat({ max: 2_000 }), { minLength: 1, maxLength: 12 }),
        (maxRatio, stretches) => {
          const wants = stretches.flatMap((n, i) => Array<boolean>(n).fill(i % 2 === 0));
          const sent = send(hedger({ maxRatio }), wants);
          let left = 0; // what all calls so far allow, less what was sent
          let most = 0;
          let [least, worstStretch] = [0, 0];
          for (const isSent of sent) {
            left += maxRatio - (isSent ? 1 : 0);
            most = Math.max(most, left);
            worstStretch = Math.max(worstStretch, most - left);
            least = Math.min(least, left);
          }
          expect(least).toBeGreaterThan(-1e-6);
          expect(worstStretch).toBeLessThan(10 + 1e-6);
        },
      ),
    );
  });
});
