/** What the soak has seen, as Markdown. */
import type { Load } from './load.js';
import type { LoopLag } from './loop-lag.js';
import type { AttemptCounts, Cause, Tally } from './tally.js';

export interface Findings {
  readonly load: Load;
  readonly counts: AttemptCounts;
  readonly injected: ReadonlyMap<string, number>;
  readonly served: number;
  readonly heapMarks: readonly number[];
  readonly heapEveryMs: number;
  readonly durationMs: number;
  readonly lag: LoopLag;
  readonly leftovers: readonly string[];
}

export function report(findings: Findings): string {
  const { load, counts, injected, served, heapMarks, heapEveryMs, lag, durationMs } = findings;
  const attempts = counts.attempts / load.calls;
  const heap = heapMarks.map((bytes) => (bytes / 1_048_576).toFixed(1)).join(', ');
  const total = [...injected.values()].reduce((sum, count) => sum + count, 0);
  return [
    '| calls | number | failed | share | cancelled by the caller | p50 | p99 | p99.9 | worst overrun of a limit |',
    '|---|---|---|---|---|---|---|---|---|',
    ...[...load.tallies].sort(([a], [b]) => a.localeCompare(b)).map(callRow),
    '',
    ...causeTable(load.tallies),
    '',
    '| figure | value |',
    '|---|---|',
    `| calls | ${String(load.calls)} |`,
    `| attempts per call | ${attempts.toFixed(3)} |`,
    `| retries | ${String(counts.retries)} |`,
    `| hedges, of which won | ${String(counts.hedges)}, ${String(counts.hedgesWon)} |`,
    `| retries refused by the budget | ${String(counts.refused)} |`,
    `| calls turned away by a full queue | ${String(counts.rejected)} |`,
    `| requests that reached a server | ${String(served)} |`,
    `| faults injected | ${String(total)}: ${[...injected].map(([kind, count]) => `${kind} ${String(count)}`).join(', ')} |`,
    `| live heap in MiB, every ${String(heapEveryMs / 1_000)} s | ${heap} |`,
    `| event loop: longest delay, share of the time in turns that made timers late | ${lag.worstMs.toFixed(0)} ms, ${((lag.busyMs / durationMs) * 100).toFixed(1)} % |`,
    `| left over | ${findings.leftovers.length === 0 ? 'nothing' : findings.leftovers.join('; ')} |`,
  ].join('\n');
}

function callRow([name, tally]: readonly [string, Tally]): string {
  const ms = (percent: number): string =>
    `${(tally.latency.percentile(percent) / 1_000).toFixed(1)} ms`;
  const share = `${((tally.failed / tally.calls) * 100).toFixed(3)} %`;
  const overrun = tally.worstOverrunMs > 0 ? `${tally.worstOverrunMs.toFixed(1)} ms` : 'none';
  const cells = [
    tally.calls,
    tally.failed,
    share,
    tally.cancelled,
    ms(50),
    ms(99),
    ms(99.9),
    overrun,
  ];
  return `| ${[name, ...cells].join(' | ')} |`;
}

/** What each cause of an error means here. */
/** What the faults can come to, by code. */
export const MEANINGS: Readonly<Record<string, string>> = {
  ERR_FAIRLEAD_DEADLINE_EXCEEDED: 'nobody answered within the time of the call',
  ERR_FAIRLEAD_ATTEMPT_TIMEOUT: 'the last attempt allowed had no answer in its time',
  ERR_FAIRLEAD_NO_INSTANCES: 'no instance took calls',
  ERR_FAIRLEAD_CONCURRENCY_LIMIT: 'as much as may was under way or waiting: nothing was sent',
  ERR_BODY_TIMEOUT:
    'the body stopped after the headers, where fetch and undici leave it to their caller',
  ERR_BODY_CUT:
    'the body was cut after the headers, where fetch and undici leave it to their caller',
  ECONNRESET: 'the connection was reset or ended before the whole reply',
  ERR_BAD_RESPONSE: 'the body ended before its time, as axios puts it',
  ECONNREFUSED: 'nobody listened, at every instance tried',
  UND_ERR_SOCKET: 'the connection was closed before the whole reply',
  EPIPE: 'the connection was closed while the request was sent',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was closed before the whole reply',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  'HTTP 503': 'the server said so',
};

function causeTable(tallies: ReadonlyMap<string, Tally>): string[] {
  const rows = [...tallies].flatMap(([name, tally]) =>
    [...tally.causes].map(([cause, seen]) => causeRow(name, cause, seen)),
  );
  return [
    '| failed calls | cause | number | took on average | attempts each | refused by the budget | while this process was starved | meaning | what was wrong then, most often |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.sort(),
  ];
}

function causeRow(name: string, cause: string, seen: Cause): string {
  const top = [...seen.faults].sort(([, a], [, b]) => b - a).slice(0, 3);
  const when = top.map(([faults, count]) => `${faults} (${String(count)})`).join('; ');
  const each = (seen.attempts / seen.count).toFixed(2);
  const meaning = MEANINGS[cause] ?? '';
  const took = `${(seen.tookMs / seen.count).toFixed(0)} ms`;
  return `| ${[name, cause, seen.count, took, each, seen.budgetExhausted, seen.starved, meaning, when].join(' | ')} |`;
}
