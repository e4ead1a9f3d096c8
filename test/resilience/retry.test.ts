import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, retryLoop } from '../../src/resilience/retry.js';
import { seededRng } from '../../src/testing/seeded-rng.js';
import { fixedRng } from '../support/fixtures.js';

describe('backoffMs', () => {
  it('is uniform from 0 to a ceiling that doubles from 25 to 250 ms', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 50].map((retry) => backoffMs(retry, fixedRng(0.5)) * 2);
    expect(ceilings).toEqual([25, 50, 100, 200, 250, 250, 250]);
    expect(backoffMs(3, fixedRng(0))).toBe(0);
  });

  it('never leaves its bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.nat(), (retry, seed) => {
        const pause = backoffMs(retry, seededRng(seed));
        expect(pause >= 0 && pause < 250).toBe(true);
      }),
      { seed: 1 },
    );
  });
});

describe('retryLoop', () => {
  function loop(planned: number): { log: string[]; result: Promise<number> } {
    const log: string[] = [];
    let turns = 0;
    const pause = (name: string) => async (): Promise<void> => {
      log.push(`pause ${name}`);
    };
    const result = retryLoop(
      pause('0'),
      async () => {
        log.push(`next ${++turns}`);
        return turns;
      },
      (end) => {
        log.push(`plan ${end}`);
        return end < planned ? pause(String(end)) : undefined;
      },
    );
    return { log, result };
  }

  it('pauses, tries and plans in turn until the plan gives up', async () => {
    const { log, result } = loop(2);
    expect(await result).toBe(2);
    expect(log).toEqual(['pause 0', 'next 1', 'plan 1', 'pause 1', 'next 2', 'plan 2']);
  });

  it('goes on as often as planned', async () => {
    expect(await loop(50).result).toBe(50);
  });

  it.each([new TypeError('reason'), new DOMException('reason', 'AbortError'), 'a text', undefined])(
    'rejects with the very thing a pause rejects with: %s',
    async (reason) => {
      const ran = retryLoop(
        () => Promise.reject(reason),
        () => Promise.resolve(1),
        () => undefined,
      );
      await expect(ran).rejects.toBe(reason);
    },
  );

  it('rejects with the very error that making the next attempt threw', async () => {
    const error = new TypeError('a policy of the user threw');
    const ran = retryLoop(
      () => Promise.resolve(),
      () => {
        throw error;
      },
      () => undefined,
    );
    await expect(ran).rejects.toBe(error);
  });
});
