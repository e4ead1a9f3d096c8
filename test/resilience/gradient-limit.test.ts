import { describe, expect, it } from 'vitest';
import { concurrencyLimit } from '../../src/resilience/concurrency-limit.js';
import { GradientLimit } from '../../src/resilience/gradient-limit.js';
import type { LimitSample } from '../../src/resilience/sample-window.js';
import { seededRng } from '../../src/testing/seeded-rng.js';

const OPTIONS = { initial: 20, min: 1, max: 1_000, tolerance: 1.5 };

interface Feed {
  readonly latencyMs: number;
  readonly inFlight?: number;
  readonly outcome?: LimitSample['outcome'];
}

/** A limit that is fed samples, one every 10 ms: a window is 100 ms, or twice the latency. */
function fed(options: Partial<typeof OPTIONS> = {}): {
  readonly limit: GradientLimit;
  feed(samples: number, what: Feed | ((limit: number, sample: number) => Feed)): void;
} {
  const limit = new GradientLimit({ ...OPTIONS, ...options }, seededRng(1));
  let nowMs = 0;
  return {
    limit,
    feed(samples, what) {
      for (let i = 0; i < samples; i++) {
        nowMs += 10;
        const given = typeof what === 'function' ? what(limit.limit, i) : what;
        const { latencyMs, inFlight = limit.limit, outcome = 'success' } = given;
        limit.record({ nowMs, elapsedMs: latencyMs, inFlight, outcome });
      }
    },
  };
}

/** A server of so many workers that each take 50 ms: beyond them latency grows with what is in flight. */
function workers(count: number): (limit: number) => Feed {
  return (limit) => ({ latencyMs: 50 * Math.max(1, limit / count), inFlight: limit });
}

describe('a fixed limit', () => {
  it('is what it is', () => {
    const limit = concurrencyLimit(7, seededRng(1));
    limit.record({ nowMs: 0, elapsedMs: 1_000, inFlight: 7, outcome: 'overload' });
    expect(limit.limit).toBe(7);
  });
});

describe('an adaptive limit', () => {
  it('grows while latency does not, and no further than it may', () => {
    const { limit, feed } = fed({ max: 50 });
    feed(1_000, { latencyMs: 50 });
    expect(limit.limit).toBeGreaterThan(30);
    feed(10_000, { latencyMs: 50 });
    expect(limit.limit).toBe(50);
  });

  it.each([4, 20, 100])('settles between what %s workers can do and twice that', (count) => {
    const { limit, feed } = fed();
    feed(6_000, workers(count)); // a minute
    // limit = 1.5 * count + sqrt(limit), or half of it, after a probe
    expect(limit.limit).toBeGreaterThanOrEqual(count / 2);
    expect(limit.limit).toBeLessThanOrEqual(1.5 * count + Math.sqrt(3 * count) + 1);
  });

  it('does not drift off, however long it is in force', () => {
    const { limit, feed } = fed();
    let most = 0;
    feed(720_000, (now) => {
      most = Math.max(most, now);
      return workers(20)(now);
    }); // two hours
    expect(most).toBeLessThan(60);
    expect(limit.limit).toBeGreaterThan(10);
  });

  it('comes down to a server that was overloaded from the start', () => {
    const { limit, feed } = fed({ initial: 200 });
    feed(6_000, workers(10));
    expect(limit.limit).toBeLessThanOrEqual(25);
  });

  it('follows the server to half and to twice its size', () => {
    const { limit, feed } = fed();
    feed(6_000, workers(40));
    const before = limit.limit;
    feed(2_000, workers(20));
    expect(limit.limit).toBeLessThan(0.7 * before);
    feed(4_000, workers(80));
    expect(limit.limit).toBeGreaterThan(1.3 * before);
  });

  it('takes a latency for usual that does not come down with it', () => {
    const { limit, feed } = fed({ max: 100 });
    feed(6_000, { latencyMs: 50 });
    expect(limit.limit).toBe(100);
    let least = 100;
    feed(8_000, (now) => {
      least = Math.min(least, now);
      return { latencyMs: 400 };
    });
    expect(least).toBeLessThan(30); // it may have been a line
    expect(limit.limit).toBeGreaterThan(90); // it was not
  });

  it('shrinks by a tenth at most per window, while all is turned away', () => {
    const { limit, feed } = fed({ initial: 100 });
    feed(100, { latencyMs: 50, inFlight: 60 });
    let before = limit.limit;
    for (let i = 0; i < 20; i++) {
      feed(10, { latencyMs: 1, outcome: 'overload', inFlight: 60 });
      expect(limit.limit).toBeGreaterThanOrEqual(Math.floor(0.9 * before) - 1);
      before = limit.limit;
    }
    expect(limit.limit).toBeLessThan(40);
  });

  it('shrinks by a tenth at most per window, however much latency grows', () => {
    const { limit, feed } = fed({ initial: 100 });
    feed(100, { latencyMs: 50, inFlight: 60 });
    let before = limit.limit;
    const first = before;
    for (let i = 0; i < 20; i++) {
      feed(10, { latencyMs: 5_000, inFlight: 60 });
      expect(limit.limit).toBeGreaterThanOrEqual(Math.floor(0.9 * before) - 1);
      before = limit.limit;
    }
    expect(limit.limit).toBeLessThan(first);
  });

  it('soon forgets that calls were slow for long', () => {
    const { limit, feed } = fed({ max: 40 });
    feed(10_000, { latencyMs: 400, inFlight: 15 });
    feed(300, { latencyMs: 50, inFlight: 15 });
    const before = limit.limit;
    feed(300, { latencyMs: 200, inFlight: 25 });
    expect(limit.limit).toBeLessThan(before);
  });

  it('shrinks when most time out, and not for a tenth that does', () => {
    const few = fed();
    const many = fed();
    for (const { feed } of [few, many]) feed(500, { latencyMs: 50, inFlight: 15 });
    const before = few.limit.limit;
    few.feed(500, (_, i) =>
      i % 10 === 0
        ? { latencyMs: 110, outcome: 'failure', inFlight: 15 }
        : { latencyMs: 50, inFlight: 15 },
    );
    many.feed(500, { latencyMs: 1_000, outcome: 'failure', inFlight: 15 });
    expect(few.limit.limit).toBeGreaterThanOrEqual(before);
    expect(many.limit.limit).toBeLessThan(before / 2);
  });

  it('learns nothing from quick failures', () => {
    const { limit, feed } = fed();
    feed(200, { latencyMs: 50, inFlight: 19 });
    const before = limit.limit;
    feed(5_000, { latencyMs: 1, outcome: 'failure', inFlight: 19 });
    expect(limit.limit).toBe(before);
    feed(100, { latencyMs: 50, inFlight: 30 });
    expect(limit.limit).toBeGreaterThan(before); // nor were they taken for answers: this is the usual latency
  });

  it('is not moved by single slow calls', () => {
    const { limit, feed } = fed({ max: 30 });
    feed(2_000, { latencyMs: 50, inFlight: 25 });
    expect(limit.limit).toBe(30);
    let least = 30;
    feed(2_000, (now, i) => {
      least = Math.min(least, now);
      return { latencyMs: i % 100 === 0 ? 60_000 : 50, inFlight: 25 };
    });
    expect(least).toBeGreaterThanOrEqual(27);
  });

  it('stays what it is while less than half of it is in use', () => {
    const { limit, feed } = fed();
    feed(5_000, { latencyMs: 50, inFlight: 9 });
    expect(limit.limit).toBe(20);
    feed(5_000, { latencyMs: 500, inFlight: 9 });
    expect(limit.limit).toBe(20);
  });

  it('never leaves its bounds', () => {
    const { limit, feed } = fed({ min: 15, max: 25 });
    feed(3_000, { latencyMs: 1, outcome: 'overload' });
    expect(limit.limit).toBe(15);
    feed(3_000, { latencyMs: 50 });
    expect(limit.limit).toBe(25);
  });

  it('is fed up with a probe where what is in flight is there to stay', () => {
    const { limit, feed } = fed();
    let halved = 0;
    feed(6_000, (now) => {
      if (now < 20) halved++;
      return { latencyMs: 50, inFlight: 100 }; // streams: a lower limit ends none of them
    });
    expect(halved).toBeGreaterThan(0);
    // For 1.2 s, after 2, 4, 8, 16 and 30 s: less than a sixth of the minute.
    expect(halved).toBeLessThan(1_000);
    expect(limit.limit).toBeGreaterThan(20);
  });
});
