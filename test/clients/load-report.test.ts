import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseLoadReport, reportLoad } from '../../src/clients/load-report.js';
import { Lease } from '../../src/lease.js';

describe('a load report', () => {
  const full = { qps: 100.5, utilization: 0.3, errorsPerSecond: 1 };

  it.each([
    ['TEXT cpu_utilization=0.3,rps_fractional=100.5,eps=1'],
    ['TEXT cpu_utilization=0.3, mem_utilization=0.8, rps_fractional=100.5, eps=1'],
    ['TEXT cpu_utilization:0.3,rps_fractional:100.5,eps:1'], // Envoy takes it, too
    ['text  cpu_utilization = 0.3 , rps_fractional\t=\t100.5 , , eps=+1.0e0,'],
    ['  cpu_utilization=.3,rps_fractional=1005e-1,eps=1. '],
    ['cpu_utilization=0.3,rps_fractional=100.5,eps=1,named_metrics.a:b=x,utilization.disk=-1'],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": 100.5, "eps": 1}'],
    ['json\t{"cpu_utilization":0.3,"rps_fractional":100.5,"eps":1,"named_metrics":{"eps":9}}'],
    ['{"cpu_utilization": 0.3, "rps_fractional": 100.5, "eps": 1, "mem_utilization": "x"}'],
    ['{"cpuUtilization": 0.3, "rpsFractional": "100.5", "eps": 1}'], // as protobuf writes JSON
    [
      '{"cpu_utilization": 0.3, "rps_fractional": 100.5, "eps": 1, "application_utilization": null}',
    ],
  ])('is read from %j', (header) => {
    expect(parseLoadReport(header)).toEqual(full);
  });

  it('counts no errors when it tells of none', () => {
    expect(parseLoadReport('TEXT cpu_utilization=0, rps_fractional=0')).toEqual({
      qps: 0,
      utilization: 0,
      errorsPerSecond: 0,
    });
  });

  it.each([
    ['application_utilization=1.5,cpu_utilization=0.2', 1.5],
    ['application_utilization=0,cpu_utilization=0.2', 0.2],
    ['cpu_utilization=0.2', 0.2],
    ['application_utilization=0.4', 0.4],
    ['application_utilization=0', undefined], // how protobuf says that there is none
    ['mem_utilization=0.9', undefined],
  ])('with %s has the utilization %j', (metrics, utilization) => {
    expect(parseLoadReport(`TEXT rps_fractional=10,${metrics}`)?.utilization).toBe(utilization);
  });

  it.each([
    [''],
    [' '],
    ['TEXT'],
    ['JSON'],
    ['TEXT cpu_utilization=0.3'],
    ['TEXT rps_fractional=100'],
    ['TEXT cpu_utilization=0.3,rps_fractional=100,nonsense'],
    ['TEXT cpu_utilization=0.3,rps_fractional='],
    ['TEXT cpu_utilization=0.3,rps_fractional=x'],
    ['TEXT cpu_utilization=0.3,rps_fractional=0x10'],
    ['TEXT cpu_utilization=0.3,rps_fractional="10"'],
    ['TEXT cpu_utilization=0.3,rps_fractional=1,000'],
    ['TEXT cpu_utilization=0.3,rps_fractional=-1'],
    ['TEXT cpu_utilization=NaN,rps_fractional=1'],
    ['TEXT cpu_utilization=Infinity,rps_fractional=1'],
    ['TEXT cpu_utilization=1e999,rps_fractional=1'],
    ['TEXT cpu_utilization=0.3,rps_fractional=1,eps=-1'],
    ['TEXT cpu_utilization=-1,application_utilization=0.3,rps_fractional=1'],
    ['TEXT cpu_utilization=0.3,cpu_utilization=0.4,rps_fractional=1'],
    // Two headers, as Node joins them
    ['TEXT cpu_utilization=0.3,rps_fractional=1, TEXT cpu_utilization=0.4,rps_fractional=2'],
    ['TEXT {"cpu_utilization": 0.3, "rps_fractional": 1}'],
    ['JSON cpu_utilization=0.3,rps_fractional=1'],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": 1'],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": -1}'],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": 1e999}'],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": true}'],
    ['JSON {"cpu_utilization": 0.3, "rps_fractional": [1]}'],
    ['JSON {"cpu_utilization": "NaN", "rps_fractional": 1}'],
    ['JSON {"cpu_utilization": 0.3, "cpuUtilization": 0.4, "rps_fractional": 1}'],
    ['JSON [0.3, 1]'],
    ['JSON null'],
    ['JSON 7'],
    ['{"__proto__": {"cpu_utilization": 0.3, "rps_fractional": 1}}'],
    ['BIN CZqZmZmZmbk/MQAAAAAAAABAQg4KA2ZvbxGamZmZmZm5P0IOCgNiYXIRmpmZmZmZyT8='],
    ['PROTO cpu_utilization=0.3,rps_fractional=1'],
  ])('is not made of %j', (header) => {
    expect(parseLoadReport(header)).toBeUndefined();
  });

  it('is not looked for in a header beyond 4 KB', () => {
    const header = 'cpu_utilization=0.3,rps_fractional=1,x='.padEnd(4_096, '1');
    expect(parseLoadReport(header)).toBeDefined();
    expect(parseLoadReport(`${header}1`)).toBeUndefined();
  });

  // Mostly as it should be, so that each fault is met alone, among figures that are right.
  const name = fc.constantFrom(
    'rps_fractional',
    'cpu_utilization',
    'application_utilization',
    'eps',
  );
  const amount = fc.oneof(
    { weight: 9, arbitrary: fc.double({ min: 0, max: 1e6, noNaN: true }) },
    fc.double(),
    fc.constantFrom('', '-0', '1e400', 'Infinity', '0x1', '{', '"'),
  );
  const metrics = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<[string, T][]> =>
    fc.oneof(
      fc.uniqueArray(fc.tuple(name, value), { minLength: 2, selector: ([metric]) => metric }),
      fc.array(fc.tuple(fc.oneof(name, fc.constantFrom('__proto__', 'rpsFractional')), value)),
    );
  const text = fc
    .tuple(metrics(amount), fc.constantFrom('=', ':', ' = '))
    .map(([pairs, sign]) => pairs.map((pair) => pair.join(sign)));
  const json = metrics(fc.oneof({ weight: 9, arbitrary: amount }, fc.jsonValue())).map((pairs) => [
    JSON.stringify(Object.fromEntries(pairs)),
  ]);
  const body = fc.oneof(text, json, fc.array(fc.string())).map((parts) => parts.join(','));
  const prefix = fc.constantFrom('', 'TEXT ', 'JSON ', 'BIN ', '{');

  it('never throws, and is fit for the record whatever the header', () => {
    // The record's own check: it throws for what is out of range.
    const received = vi.fn();
    const lease = new Lease({ receive: received } as never, 0, -1);
    let reports = 0;
    fc.assert(
      fc.property(prefix, body, (before, rest) => {
        const report = parseLoadReport(before + rest);
        if (report === undefined) return;
        reports++;
        lease.report(report);
      }),
      { seed: 1, numRuns: 3_000 },
    );
    expect(reports).toBeGreaterThan(100); // else nothing was proved
    expect(received).toHaveBeenCalledTimes(reports);
  });

  it('is read back as it was written', () => {
    const amount = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(amount, amount, amount, (qps, utilization, errorsPerSecond) => {
        const figures = {
          rps_fractional: qps,
          cpu_utilization: utilization,
          eps: errorsPerSecond,
        };
        const pairs = Object.entries(figures).map(([name, value]) => `${name}=${value}`);
        const read = { qps, utilization, errorsPerSecond };
        expect(parseLoadReport(`TEXT ${pairs.join(', ')}`)).toEqual(read);
        expect(parseLoadReport(`JSON ${JSON.stringify(figures)}`)).toEqual(read);
      }),
      { seed: 1 },
    );
  });
});

describe('reportLoad', () => {
  function heard(headers: Parameters<typeof reportLoad>[1]): unknown[] {
    const report = vi.fn();
    reportLoad({ report }, headers);
    return report.mock.calls.flat();
  }
  const of = (qps: number): string => `TEXT cpu_utilization=0.5,rps_fractional=${qps}`;
  const report = (qps: number): object => ({ qps, utilization: 0.5, errorsPerSecond: 0 });

  it('takes either header, that of the standard first', () => {
    const [own, old] = ['endpoint-load-metrics', 'x-endpoint-load-metrics'];
    expect(heard(new Headers({ [own]: of(1) }))).toEqual([report(1)]);
    expect(heard(new Headers({ [old]: of(2) }))).toEqual([report(2)]);
    expect(heard(new Headers({ [own]: of(1), [old]: of(2) }))).toEqual([report(1)]);
  });

  it('says nothing when there is none, or nothing it can read', () => {
    expect(heard(new Headers())).toEqual([]);
    expect(heard(new Headers({ 'endpoint-load-metrics': 'nonsense' }))).toEqual([]);
    expect(heard({ get: () => 7 })).toEqual([]);
    expect(heard({})).toEqual([]);
    expect(heard(undefined)).toEqual([]);
  });
});
