/**
 * What the default policy is for, shown by runs of the real client on an event clock (breakers off, one attempt per
 * call) against modelled servers. Arrivals are Poisson; every run is repeatable from its seed.
 */
import { describe, expect, it } from 'vitest';
import type { PolicyName } from '../../src/options.js';
import { exponentialMs, good, percentileMs, shareOf } from './servers.js';
import { type Server, simulate } from './simulate.js';

const SEEDS = [1, 2, 3];

/** What each of the seeds makes of a scenario. */
async function perSeed(measure: (seed: number) => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (const seed of SEEDS) results.push(await measure(seed));
  return results;
}

function most(values: readonly number[]): number {
  return Math.max(...values);
}

describe('the black hole: one of n fails in 1 ms, the others answer in about 50 ms', () => {
  const toBlackHole = (n: number, policy: PolicyName, serve?: Server['serve']): Promise<number[]> =>
    perSeed(async (seed) => {
      const bad: Server = { id: 'bad', serve: () => ({ ms: 1, outcome: 'failure' }) };
      const others = good(n - 1).map((server) => ({ ...server, serve: serve ?? server.serve }));
      const servers = [bad, ...others];
      const sent = await simulate({ policy, servers, perSecond: 100, durationMs: 60_000, seed });
      return shareOf(sent, 'bad');
    });

  it.each([
    [2, 0.015],
    [3, 0.01],
    [10, 0.005],
  ])('of %s, adaptive sends it at most %s of the calls', async (n, limit) => {
    expect(most(await toBlackHole(n, 'adaptive'))).toBeLessThanOrEqual(limit);
  });

  it('also where latencies vary as widely as an exponential distribution does', async () => {
    const serve: Server['serve'] = (_nowMs, rng) => ({ ms: exponentialMs(rng, 50) });
    expect(most(await toBlackHole(2, 'adaptive', serve))).toBeLessThanOrEqual(0.015);
    expect(most(await toBlackHole(3, 'adaptive', serve))).toBeLessThanOrEqual(0.01);
    expect(most(await toBlackHole(10, 'adaptive', serve))).toBeLessThanOrEqual(0.005);
  });

  it('is one to Peak EWMA, which shows that the scenario can fail', async () => {
    expect(Math.min(...(await toBlackHole(2, 'peak-ewma')))).toBeGreaterThan(0.9);
  });
});

describe('a black hole that heals', () => {
  it('has its share again within 5 s', async () => {
    const shares = await perSeed(async (seed) => {
      const healing: Server = {
        id: 'healing',
        serve: (nowMs) => (nowMs < 20_000 ? { ms: 1, outcome: 'failure' } : { ms: 50 }),
      };
      const servers = [healing, ...good(2)];
      const run = { policy: 'adaptive', servers, perSecond: 100, durationMs: 40_000 } as const;
      return shareOf(await simulate({ ...run, seed }), 'healing', 25_000);
    });
    expect(Math.min(...shares)).toBeGreaterThan(0.8 / 3);
  });
});

describe('2 slow of 4: two answer in 2 s, two in about 50 ms', () => {
  const toSlow = (policy: PolicyName): Promise<number[]> =>
    perSeed(async (seed) => {
      const slow = ['slow0', 'slow1'].map((id): Server => ({ id, serve: () => ({ ms: 2_000 }) }));
      const servers = [...slow, ...good(2)];
      const sent = await simulate({ policy, servers, perSecond: 1_000, durationMs: 60_000, seed });
      // Nobody knows which are slow before the first answers.
      return shareOf(sent, 'slow', 1_000);
    });

  it('adaptive sends the slow ones at most 0.1 % of the calls', async () => {
    expect(most(await toSlow('adaptive'))).toBeLessThanOrEqual(0.001);
  });

  it('two choices alone send them 1/6 at the least, both drawn being slow (brpc#3340)', async () => {
    expect(Math.min(...(await toSlow('peak-ewma')))).toBeGreaterThan(0.15);
  });
});

describe('a hang', () => {
  it('is seen before anything has ended: calls that never come back stop going there', async () => {
    const toHung = await perSeed(async (seed) => {
      const hung: Server = {
        id: 'hung',
        serve: (nowMs) => ({ ms: nowMs < 10_000 ? 50 : 1_000_000 }),
      };
      const servers = [hung, ...good(2)];
      const run = { policy: 'adaptive', servers, perSecond: 100, durationMs: 40_000 } as const;
      return shareOf(await simulate({ ...run, seed }), 'hung', 10_000) * 3_000;
    });
    // About three come in every 100 ms; by then the estimate is twice that of the others.
    expect(most(toHung)).toBeLessThan(15);
  });
});

describe('a cold joiner: an eleventh instance that takes 2 s a call for 8 s, then 50 ms', () => {
  const joined = async (seed: number): Promise<{ early: number; later: number }> => {
    const joiner: Server = {
      id: 'joiner',
      joinsAtMs: 20_000,
      serve: (nowMs) => ({ ms: nowMs < 28_000 ? 2_000 : 50 }),
    };
    const servers = [...good(10), joiner];
    const run = { policy: 'adaptive', servers, perSecond: 1_000, durationMs: 50_000 } as const;
    const sent = await simulate({ ...run, seed });
    return {
      early: shareOf(sent, 'joiner', 20_000, 20_500),
      later: shareOf(sent, 'joiner', 40_000) * 11,
    };
  };

  it.each(SEEDS)('gets little while cold and its share 12 s after, seed %s', async (seed) => {
    const { early, later } = await joined(seed);
    expect(early).toBeLessThanOrEqual(0.01);
    expect(early).toBeGreaterThan(0); // it is tried
    expect(later).toBeGreaterThanOrEqual(0.8);
  });
});

describe('ambient errors: every instance fails 1 % of its calls at once, at 85 % load', () => {
  const p99 = (policy: PolicyName, n: number, seed: number): Promise<number> => {
    const servers = Array.from({ length: n }, (_, i): Server => ({
      id: `s${String(i)}`,
      workers: 2,
      serve: (_nowMs, rng) =>
        rng.next() < 0.01 ? { ms: 1, outcome: 'failure' } : { ms: exponentialMs(rng, 50) },
    }));
    const perSecond = (0.85 * n * 2 * 1_000) / 50;
    return simulate({ policy, servers, perSecond, durationMs: 60_000, seed }).then((sent) =>
      percentileMs(sent, 0.99),
    );
  };

  it.each([4, 8, 10, 20])('adaptive has no worse a p99 than Peak EWMA, n = %s', async (n) => {
    for (const seed of SEEDS) {
      const [adaptive, peakEwma] = [
        await p99('adaptive', n, seed),
        await p99('peak-ewma', n, seed),
      ];
      expect(adaptive / peakEwma, `seed ${String(seed)}`).toBeLessThanOrEqual(1);
    }
  });
});
