import { table } from '../pick/markdown.js';
import type { Measured, Plan } from './rounds.js';

/** Subjects against the one that they are measured by. */
export interface Group {
  readonly bare: string;
  readonly others: readonly string[];
  /** What the first of the others is to reach, in requests/s over those of `bare`. */
  readonly goal: number;
}

export interface Results {
  readonly where: string;
  readonly plan: Plan;
  readonly groups: readonly Group[];
  readonly measured: ReadonlyMap<string, readonly Measured[]>;
}

interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export function report({ where, plan, groups, measured }: Results): string {
  const rows = groups.flatMap(({ bare, others, goal }) =>
    [bare, ...others].map((name, i) => {
      const rounds = measured.get(name) ?? [];
      const base = measured.get(bare) ?? [];
      return [
        name,
        quartiles(rounds.map(perSecond)).median.toFixed(0),
        quartiles(rounds.map(cpuMicros)).median.toFixed(1),
        i === 0 ? '' : spread(ratios(rounds, base, perSecond)),
        i === 0 ? '' : spread(ratios(base, rounds, cpuMicros)),
        i === 1 ? `>= ${goal.toFixed(2)}` : '',
        percent(rounds, ({ cpuMs }) => cpuMs),
        percent(rounds, ({ backendsCpuMs }) => backendsCpuMs),
      ];
    }),
  );
  const head = [
    'subject',
    'requests/s',
    'CPU us each',
    'requests/s over bare',
    'by CPU time',
    'goal',
    'client busy',
    'backends busy',
  ];
  const { backends, inFlight, lives, rounds, roundMs } = plan;
  return `# What the wrappers cost, end to end

${where}.

${inFlight} requests in flight from one process to ${backends} backends on loopback, all in one process, whose answers cost next to nothing; connections are kept. Each subject is in a process of its own; they take turns of ${roundMs} ms, ${rounds} in each of ${lives} lives. Requests/s and CPU time are medians. Ratios are of rounds that followed one another: median, and quartiles in brackets; by CPU time it is bare over wrapped, so that more is better in both. The client is the bottleneck where it is busy all the time, and the backends are not. CPU time is that of all threads (of the garbage collector too), so it may be above 100 %.

${table(head, rows)}

\`undici Pools\`, \`axios\` and \`fetch\` are bare, with the backends in turn by hand. The wrapped ones have all the defaults of a client: breaker, outlier detection, retry budget, deadlines and the policy \`adaptive\`.
`;
}

function perSecond({ requests, ms }: Measured): number {
  return (requests * 1_000) / ms;
}

function cpuMicros({ requests, cpuMs }: Measured): number {
  return (cpuMs * 1_000) / requests;
}

/** Round by round: what was slow for one was slow for the other. */
function ratios(
  above: readonly Measured[],
  below: readonly Measured[],
  value: (round: Measured) => number,
): number[] {
  return above.flatMap((round, i) => {
    const other = below[i];
    return other === undefined ? [] : [value(round) / value(other)];
  });
}

function quartiles(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * sorted.length)] ?? NaN;
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

function spread(values: readonly number[]): string {
  const { low, median, high } = quartiles(values);
  return `${median.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

function percent(rounds: readonly Measured[], cpuMs: (round: Measured) => number): string {
  const share = quartiles(rounds.map((round) => cpuMs(round) / round.ms)).median;
  return `${(100 * share).toFixed(0)} %`;
}
