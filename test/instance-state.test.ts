import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../src/testing/manual-clock.js';
import type { LoadReport } from '../src/types.js';
import { expectInvalidOption } from './support/errors.js';
import { thrownBy } from './support/promises.js';
import { state } from './support/states.js';

describe('waitingSinceMs', () => {
  it('is when the oldest attempt began that still waits for its answer', () => {
    const a = state('a');
    expect(a.waitingSinceMs).toBe(Infinity);
    const [first, second, third] = [a.begin(1), a.begin(2), a.begin(3)];
    expect(a.waitingSinceMs).toBe(1);
    second.end('success');
    expect(a.waitingSinceMs).toBe(1);
    first.answered();
    expect(a.waitingSinceMs).toBe(3);
    third.end('ignored');
    expect(a.waitingSinceMs).toBe(Infinity);
    expect(a.pending).toBe(1);
    first.end('success');
    expect(a.pending).toBe(0);
  });

  it('is right after any order of answers and ends', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('begin', 'answered', 'end'), fc.nat(9)));
    fc.assert(
      fc.property(steps, (given) => {
        const a = state('a');
        const leases = new Map<number, { lease: ReturnType<typeof a.begin>; waits: boolean }>();
        given.forEach(([what, which], atMs) => {
          if (what === 'begin') leases.set(atMs, { lease: a.begin(atMs), waits: true });
          const [key, entry] = [...leases][which] ?? [];
          if (key === undefined || entry === undefined || what === 'begin') return;
          if (what === 'answered') entry.lease.answered();
          else entry.lease.end('success');
          entry.waits = false;
          if (what === 'end') leases.delete(key);
        });
        const waiting = [...leases].filter(([, { waits }]) => waits).map(([atMs]) => atMs);
        expect(a.waitingSinceMs).toBe(waiting[0] ?? Infinity);
        expect(a.pending).toBe(leases.size);
      }),
      { seed: 8, numRuns: 300 },
    );
  });
});

describe('answered', () => {
  it('ends what counts as latency, and only the first time', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    const lease = a.begin(0);
    await clock.advance(40);
    lease.answered();
    await clock.advance(60_000);
    lease.answered();
    lease.end('success');
    lease.answered();
    expect(a).toMatchObject({ ewmaMs: 40, measured: 1, pending: 0 });
  });
});

describe('failuresInARow', () => {
  it('counts failures and overloads until a success, and not what is ignored', () => {
    const a = state('a');
    for (const outcome of ['failure', 'overload', 'ignored'] as const) a.begin(0).end(outcome);
    expect(a.failuresInARow).toBe(2);
    a.begin(0).end('success');
    expect(a.failuresInARow).toBe(0);
  });
});

describe('seed', () => {
  it('is overruled by whatever was measured', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    a.seed(70, 5);
    expect(a).toMatchObject({ ewmaMs: 70, ewmaAtMs: 5, measured: 0 });
    const lease = a.begin(0);
    await clock.advance(10);
    lease.end('success');
    a.seed(70, 20);
    expect(a).toMatchObject({ ewmaMs: 10, ewmaAtMs: 10 });
  });
});

describe('report', () => {
  it('is kept with the time it came', async () => {
    const clock = new ManualClock();
    const a = state('a', { clock });
    await clock.advance(7);
    a.begin(7).report({ qps: 100, utilization: 0.5 });
    expect(a.report).toEqual({ qps: 100, utilization: 0.5, errorsPerSecond: 0, atMs: 7 });
  });

  it.each([
    ['qps', -1],
    ['qps', undefined],
    ['utilization', NaN],
    ['errorsPerSecond', -0.1],
  ])('with %s %s is refused and names it', (field, value) => {
    const a = state('a');
    const lease = a.begin(0);
    const report = { qps: 1, utilization: 1, errorsPerSecond: 0, [field]: value } as LoadReport;
    expectInvalidOption(
      thrownBy(() => lease.report(report)),
      `report.${field}`,
      value,
    );
    expect(a.report).toBeUndefined();
  });
});
