import { figure, table } from '../../bench/pick/markdown.js';
import { METHODS } from './callers.js';
import type { Killer } from './killer.js';
import type { Load } from './load.js';
import { codeOf } from './promises.js';
import type { RetryCounts } from './retry-counts.js';
import type { ServerLog } from './server-log.js';

export interface Findings {
  readonly loads: readonly Load[];
  readonly counts: ReadonlyMap<Load, RetryCounts>;
  readonly log: ServerLog;
  readonly killer: Killer;
  readonly seconds: number;
  readonly inFlight: number;
  readonly servers: number;
  readonly slots: number;
  readonly workMs: number;
}

export function report(findings: Findings): string {
  const { loads, counts, log, killer, seconds, inFlight, servers, slots, workMs } = findings;
  const rows = loads.flatMap((load) =>
    METHODS.map((method) => {
      const { calls, succeeded, failures, latency } = load.tallies[method];
      const times = (ids: readonly string[], most: number): number =>
        ids.filter((id) => (log.get(id)?.length ?? 0) > most).length;
      const failed = failures.map(({ id }) => id);
      return [
        `${load.caller.name} ${method}`,
        calls,
        failures.length,
        times(failed, 0),
        times([...succeeded, ...failed], 1),
        figure(latency.percentile(50) / 1_000),
        figure(latency.percentile(99) / 1_000),
        figure(latency.max / 1_000),
        [...tallyOf(failures.map(({ error }) => codeOf(error) ?? String(error)))]
          .map(([code, count]) => `${String(count)} ${code}`)
          .join(', '),
      ].map(String);
    }),
  );
  const head = [
    'calls',
    'made',
    'failed',
    'of them ran',
    'ran twice',
    'p50 ms',
    'p99 ms',
    'max ms',
  ];
  const attempts = loads.map((load) => {
    const seen = counts.get(load);
    const total = METHODS.reduce((sum, method) => sum + load.tallies[method].calls, 0);
    return [
      load.caller.name,
      total,
      figure(total / seconds),
      seen?.retries ?? 0,
      seen?.refused ?? 0,
      seen?.opened ?? 0,
      seen?.panics ?? 0,
    ].map(String);
  });
  const calls = loads.flatMap(({ tallies }) => METHODS.map((method) => tallies[method].calls));
  const perSecond = calls.reduce((sum, each) => sum + each, 0) / seconds;
  const capacity = (servers * slots * 1_000) / workMs;
  const inAll = inFlight * loads.length;
  const share = (of: number): string => `${((100 * inAll) / (of * slots)).toFixed(0)} %`;
  const down = [...killer.downMs].sort((a, b) => a - b);
  const middle = figure(down[Math.floor(down.length / 2)] ?? NaN);
  return `${table([...head, 'failed with'], rows)}

${table(['client', 'calls', 'per second', 'retries', 'refused by the budget', 'breakers opened', 'panics'], attempts)}

${table(
  ['figure', 'value'],
  [
    [
      'load, all servers up',
      `${inAll} in flight over ${servers * slots} at work: ${share(servers)}`,
    ],
    ['load, one down', `over ${(servers - 1) * slots}: ${share(servers - 1)}`],
    [
      'throughput',
      `${figure(perSecond)} of ${figure(capacity)} calls/s, the most that all servers can do`,
    ],
    ['kills', `${killer.kills} in ${figure(seconds)} s, ${killer.delayed} of them delayed`],
    ['down for, median and longest', `${middle} and ${figure(down.at(-1) ?? NaN)} ms`],
  ],
)}`;
}

function tallyOf(values: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
