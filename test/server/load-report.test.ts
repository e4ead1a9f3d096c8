import { describe, expect, it, vi } from 'vitest';
import { parseLoadReport } from '../../src/clients/load-report.js';
import { LoadReporter } from '../../src/server/load-report.js';
import { ManualClock } from '../../src/testing.js';

/** A loop that is busy for this part of the time. */
const busyLoop = (clock: ManualClock, part: number) => () => ({
  active: clock.now() * part,
  idle: clock.now() * (1 - part),
});

interface Scene {
  readonly clock: ManualClock;
  readonly reporter: LoadReporter;
}

function scene(
  settings: Partial<ConstructorParameters<typeof LoadReporter>[0]> = {},
  loop = 0.25,
): Scene {
  const clock = new ManualClock();
  const defaults = { clock, windowMs: 10_000, maxConcurrency: undefined, utilization: undefined };
  return { clock, reporter: new LoadReporter({ ...defaults, ...settings }, busyLoop(clock, loop)) };
}

/** A second with ten requests of 50 ms each, one of which fails. */
async function second({ clock, reporter: { meter } }: Scene): Promise<void> {
  for (let i = 0; i < 10; i++) {
    meter.begin(clock.now());
    await clock.advance(50);
    meter.end(clock.now(), i === 0 ? 'failed' : 'served');
    await clock.advance(50);
  }
}

describe('the load report of a server', () => {
  it('is what the clients read', async () => {
    const it = scene();
    expect(it.reporter.header()).toBeUndefined();
    await second(it);
    const header = it.reporter.header();
    expect(header).toBe('TEXT application_utilization=0.25, rps_fractional=10, eps=1');
    expect(parseLoadReport(header ?? '')).toEqual({
      qps: 10,
      utilization: 0.25,
      errorsPerSecond: 1,
    });
  });

  it('takes for utilization what is fuller, the loop or the places', async () => {
    const places = scene({ maxConcurrency: 1 });
    await second(places);
    expect(places.reporter.load()?.utilization).toBe(0.5); // one in flight, half of the time
    const loop = scene({ maxConcurrency: 10 });
    await second(loop);
    expect(loop.reporter.load()?.utilization).toBe(0.25);
  });

  it('takes the application at its word, and hands it what was measured', async () => {
    const utilization = vi.fn(() => 1.5);
    const it = scene({ utilization });
    await second(it);
    expect(parseLoadReport(it.reporter.header() ?? '')?.utilization).toBe(1.5);
    expect(utilization).toHaveBeenCalledExactlyOnceWith({
      requestsPerSecond: 10,
      errorsPerSecond: 1,
      inFlight: 0.5,
      eventLoop: 0.25,
    });
  });

  it('is made anew once per hundredth of the window', async () => {
    const utilization = vi.fn(() => 0.5);
    const it = scene({ utilization });
    await second(it);
    const header = it.reporter.header();
    it.reporter.meter.begin(it.clock.now());
    await it.clock.advance(99);
    expect(it.reporter.header()).toBe(header);
    expect(utilization).toHaveBeenCalledTimes(1);
    await it.clock.advance(1);
    expect(it.reporter.header()).not.toBe(header);
    expect(utilization).toHaveBeenCalledTimes(2);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no pool');
      },
    ],
    ['gives NaN', () => NaN],
    ['gives less than 0', () => -1],
    ['gives no number', () => '0.5' as unknown as number],
  ])('is left out while the function %s', async (_what, utilization) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const it = scene({ utilization });
    await second(it);
    expect(it.reporter.header()).toBeUndefined();
    expect(it.reporter.load()).toMatchObject({ requestsPerSecond: 10, utilization: undefined });
    expect(warn.mock.calls.length).toBeLessThanOrEqual(1); // once per process
    warn.mockRestore();
  });

  it('says of a small load that it is small, not that there is none', async () => {
    const it = scene({ utilization: () => 0.000_012_345_6 });
    await second(it);
    expect(it.reporter.header()).toContain('application_utilization=0.00001235,');
    expect(parseLoadReport(it.reporter.header() ?? '')?.utilization).toBe(0.000_012_35);
  });
});
