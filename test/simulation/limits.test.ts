/**
 * What limits are for: one server of 10 workers and exponential service times of 50 ms, so good for 200 requests per
 * second, under twice that. The real client on an event clock; Poisson arrivals; repeatable from the seed.
 *
 * The adaptive limit settles where `limit = 1.5 * workers + sqrt(limit)`: 19.4 of 10 workers. Every 30 s a probe halves
 * it for a moment; what is measured in windows of 10 samples and more is uncertain by up to a third. So it is expected
 * between 1 and 2.5 times the workers on average, and never above 3 times.
 */
import { describe, expect, it } from 'vitest';
import { exponentialMs } from './servers.js';
import { type LimitedRun, type LimitedSummary, runLimited, summarize } from './limits.js';

const WORKERS = 10;
const CAPACITY = 200;
const ADAPTIVE = { perInstance: 'adaptive' } as const;
const OVERLOAD: Omit<LimitedRun, 'seed' | 'maxConcurrency'> = {
  durationMs: 60_000,
  perSecond: 2 * CAPACITY,
  workers: WORKERS,
};
/** In 50 s it serves 10,000, give or take 1 %; probes cost up to 1 s in 30 s. */
const NEARLY_ALL = 0.95;

async function measure(
  seed: number,
  changes: Partial<LimitedRun>,
  from = 10,
  to = Infinity,
): Promise<LimitedSummary> {
  const run = await runLimited({ ...OVERLOAD, maxConcurrency: ADAPTIVE, seed, ...changes });
  return summarize(run, from, to);
}

describe('under twice what the server can do', () => {
  it('without a limit the line grows for ever, and nothing is answered in time', async () => {
    const { succeededPerSecond, mostAtServer } = await measure(1, { maxConcurrency: false });
    expect(succeededPerSecond).toBe(0);
    expect(mostAtServer).toBeGreaterThan(50 * CAPACITY * 0.9); // 200 more every second
  });

  it('a fixed limit below the workers wastes them, one far above is none', async () => {
    const half = await measure(1, { maxConcurrency: { perInstance: WORKERS / 2 } });
    expect(half.succeededPerSecond).toBeLessThan(0.55 * CAPACITY);
    const right = await measure(1, { maxConcurrency: { perInstance: WORKERS } });
    expect(right.succeededPerSecond).toBeGreaterThan(NEARLY_ALL * CAPACITY);
    const none = await measure(1, { maxConcurrency: { perInstance: 15 * WORKERS } });
    expect(none.succeededPerSecond).toBe(0);
  });
});

describe.each([1, 2, 3])('seed %s', (seed) => {
  describe('under more than the server can do', () => {
    it('the adaptive limit settles within 10 s, near what the server can do', async () => {
      const { meanLimit, mostLimit, mostAtServer, succeededPerSecond, p99Ms } = await measure(
        seed,
        {},
      );
      expect(meanLimit).toBeGreaterThan(WORKERS);
      expect(meanLimit).toBeLessThan(2.5 * WORKERS);
      expect(mostLimit).toBeLessThanOrEqual(3 * WORKERS);
      expect(mostAtServer).toBeLessThanOrEqual(3 * WORKERS);
      expect(succeededPerSecond).toBeGreaterThan(NEARLY_ALL * CAPACITY);
      // 230 ms of service, and at the worst 20 in the line before it, at 200 per second.
      expect(p99Ms).toBeLessThan(330);
    });

    it('who waits too long to be answered in time does not have the turn of who would be', async () => {
      // With 100 in the queue a call waits up to 0.5 s. In plain order none would be answered within its time.
      const short = { perSecond: 1.5 * CAPACITY, timeoutMs: 500 };
      const fixed = await measure(seed, { ...short, maxConcurrency: { perInstance: WORKERS } });
      expect(fixed.succeededPerSecond).toBeGreaterThan(NEARLY_ALL * CAPACITY);
      const adaptive = await measure(seed, short);
      expect(adaptive.succeededPerSecond).toBeGreaterThan(0.9 * CAPACITY);
    });
  });

  describe('when the server changes after 30 s', () => {
    it('to half of its workers, the limit follows within 10 s', async () => {
      const workers = (nowMs: number): number => (nowMs < 30_000 ? WORKERS : WORKERS / 2);
      const after = await measure(seed, { workers }, 40);
      expect(after.mostLimit).toBeLessThanOrEqual(3 * (WORKERS / 2));
      expect(after.succeededPerSecond).toBeGreaterThan(0.9 * (CAPACITY / 2));
    });

    it('to twice its workers, the limit follows within 10 s', async () => {
      const workers = (nowMs: number): number => (nowMs < 30_000 ? WORKERS : 2 * WORKERS);
      const after = await measure(seed, { workers, perSecond: 600 }, 40);
      expect(after.meanLimit).toBeGreaterThan(2 * WORKERS);
      expect(after.mostLimit).toBeLessThanOrEqual(3 * 2 * WORKERS);
      expect(after.succeededPerSecond).toBeGreaterThan(NEARLY_ALL * 2 * CAPACITY);
    });

    it('to four times the latency, with room for all, the limit gets out of the way within 30 s', async () => {
      const serviceMs: LimitedRun['serviceMs'] = (nowMs, rng) =>
        exponentialMs(rng, nowMs < 30_000 ? 50 : 200);
      const changes = { workers: 1_000, serviceMs, durationMs: 90_000 };
      // e^-5 of the answers take longer than the second they have.
      expect((await measure(seed, changes, 60)).succeededRatio).toBeGreaterThan(NEARLY_ALL);
    });

    it('to one that hangs for 30 s, the limit shrinks, and is back within 10 s', async () => {
      const workers = (nowMs: number): number => (nowMs < 30_000 || nowMs > 60_000 ? WORKERS : 0);
      const changes = { workers, perSecond: 0.9 * CAPACITY, durationMs: 90_000 };
      expect((await measure(seed, changes, 40, 60)).meanLimit).toBeLessThan(WORKERS);
      expect((await measure(seed, changes, 70)).succeededRatio).toBeGreaterThan(NEARLY_ALL);
    });
  });

  it('under nine tenths of what the server can do, hardly any call is lost', async () => {
    const { succeededRatio } = await measure(seed, { perSecond: 0.9 * CAPACITY }, 5);
    expect(succeededRatio).toBeGreaterThan(0.98);
  });

  it('where little is going on, the limit stays what it was', async () => {
    const { leastLimit, mostLimit, succeededRatio } = await measure(seed, { perSecond: 5 }, 0);
    expect([leastLimit, mostLimit]).toEqual([20, 20]);
    expect(succeededRatio).toBeGreaterThan(NEARLY_ALL);
  });
});
