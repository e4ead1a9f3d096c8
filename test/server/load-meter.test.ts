import { describe, expect, it } from 'vitest';
import { LoadMeter } from '../../src/server/load-meter.js';

const NO_LOOP = () => ({ active: 0, idle: 0 });

/** Requests one after the other, each `takesMs` long, `everyMs`. */
function traffic(
  meter: LoadMeter,
  times: { fromMs: number; toMs: number; everyMs: number; takesMs: number },
): void {
  for (let ms = times.fromMs; ms < times.toMs; ms += times.everyMs) {
    meter.begin(ms);
    meter.end(ms + times.takesMs, 'served');
  }
}

describe('the meter of a server', () => {
  it('averages over the window, and forgets what was before', () => {
    const meter = new LoadMeter(10_000, 0, NO_LOOP);
    traffic(meter, { fromMs: 0, toMs: 20_000, everyMs: 10, takesMs: 5 });
    expect(meter.load(20_000)?.requestsPerSecond).toBeCloseTo(100, 0);
    expect(meter.load(20_000)?.inFlight).toBeCloseTo(0.5, 1);
    traffic(meter, { fromMs: 20_000, toMs: 30_000, everyMs: 100, takesMs: 100 });
    expect(meter.load(30_000)?.requestsPerSecond).toBeCloseTo(10, 0);
    expect(meter.load(30_000)?.inFlight).toBeCloseTo(1, 1);
  });

  it('reckons with the time there was, not with the whole window', () => {
    const meter = new LoadMeter(10_000, 0, NO_LOOP);
    traffic(meter, { fromMs: 0, toMs: 2_000, everyMs: 10, takesMs: 5 });
    expect(meter.load(2_000)?.requestsPerSecond).toBeCloseTo(100, 0);
  });

  it('has nothing to tell in the first tenth of a window, nor of that after a quiet time', () => {
    const meter = new LoadMeter(10_000, 0, NO_LOOP);
    expect(meter.load(999)).toBeUndefined();
    expect(meter.load(1_000)).toBeDefined();
    meter.begin(60_000);
    meter.end(60_001, 'served');
    expect(meter.load(60_002)).toBeUndefined();
    traffic(meter, { fromMs: 60_100, toMs: 61_100, everyMs: 100, takesMs: 1 });
    expect(meter.load(61_100)?.requestsPerSecond).toBeCloseTo(10, 0);
  });

  it('counts who waits as in flight, for as long as it takes', () => {
    const meter = new LoadMeter(1_000, 0, NO_LOOP);
    meter.begin(0);
    meter.begin(0);
    expect(meter.inFlight).toBe(2);
    expect(meter.load(500)).toEqual({
      requestsPerSecond: 0,
      errorsPerSecond: 0,
      inFlight: 2,
      eventLoop: 0,
    });
    meter.end(500, 'served');
    expect(meter.inFlight).toBe(1);
    expect(meter.load(1_000)?.inFlight).toBe(1.5);
  });

  it('tells errors apart, and does not take for served what nobody waited for', () => {
    const meter = new LoadMeter(1_000, 0, NO_LOOP);
    for (const outcome of ['served', 'failed', 'abandoned', 'served'] as const) {
      meter.begin(0);
      meter.end(100, outcome);
    }
    expect(meter.inFlight).toBe(0);
    expect(meter.load(1_000)).toMatchObject({ requestsPerSecond: 3, errorsPerSecond: 1 });
  });

  it('takes the part of time that the loop worked over the same window', () => {
    let loop = { active: 0, idle: 0 };
    const meter = new LoadMeter(1_000, 0, () => loop);
    loop = { active: 900, idle: 100 };
    meter.begin(1_000);
    expect(meter.load(1_000)?.eventLoop).toBe(0.9);
    loop = { active: 1_000, idle: 1_000 };
    meter.end(2_000, 'served');
    expect(meter.load(2_000)?.eventLoop).toBe(0.1);
  });

  it('keeps no more than the marks of a window', () => {
    const meter = new LoadMeter(1_000, 0, NO_LOOP);
    let marks = 0;
    const counting = new LoadMeter(1_000, 0, () => {
      marks++;
      return NO_LOOP();
    });
    for (let ms = 0; ms < 10_000; ms++) {
      meter.begin(ms);
      counting.begin(ms);
    }
    expect(marks).toBeLessThanOrEqual(101); // one at the start, then one each tenth of a window
  });
});
