import type { Goal } from '../call/goals.js';
import { quartiles, ratios } from '../call/quartiles.js';
import type { Machine } from '../pick/machine.js';
import { table } from '../pick/markdown.js';
import { perSecond, type Rounds } from './goals.js';
import { type GroupName, GROUPS } from './groups.js';
import type { Measured, Plan } from './rounds.js';

export interface Results {
  readonly machine: Machine;
  readonly plan: Plan;
  readonly goals: readonly Goal[];
  readonly groups: ReadonlyMap<GroupName, Rounds>;
}

/** The results as Markdown. */
export function report({ machine, plan, goals, groups }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const { backends, inFlight, lives, rounds, roundMs, warmUpMs } = plan;
  return `# What the wrappers cost, end to end

${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${versions.join(', ')}.

${inFlight} requests in flight from one process to ${backends} backends on loopback, all in one process, whose answers cost next to nothing; connections are kept. Each subject is in a process of its own, warmed up for ${String(warmUpMs / 1_000)} s; they take turns of ${roundMs} ms, ${rounds} in each of ${lives} lives. Requests/s and CPU time are medians. Ratios are of rounds that followed one another: median, and quartiles in brackets; by CPU time it is bare over the subject, so that more is better in both. CPU time is the client's, all threads (the garbage collector's too), and the proxy's where there is one, in brackets of that. Who is busy all the time is the bottleneck.

## Goals

${table(['', 'goal', 'measured', ''], goals.map(goalRow))}

${[...groups].map(section).join('\n\n')}

## Notes

${NOTES}
`;
}

const NOTES = `\`undici Pools\`, \`axios\`, \`fetch\` and \`grpc-js, a channel each\` are bare, with the backends in turn by hand. The wrapped ones have all the defaults of a client: breaker, outlier detection, retry budget, deadlines and the policy \`adaptive\`. \`registerFairlead\` adds the discovery alone: what is done on a call is gRPC's own.

\`by hand\` is the least that any balancer costs in the same place: an interceptor, axios interceptors or a function around fetch that take the better of two backends drawn, and count what is in flight. No limits, retries, breakers, budgets, events or measurements. \`an interceptor that does nothing\` is what \`compose\` itself costs.

A proxy is one process of one thread on the caller's machine, as a sidecar is (\`bench/proxies/\`, profile \`plain\`). Three processes share the cores, so requests/s depend on who runs where. In \`${GROUPS.undici.title}\` anyone runs anywhere: with two cores the proxy has what the backends leave of theirs, takes next to nothing of the client's time, and costs CPU and a hop, but few requests/s. In \`${GROUPS.sidecar.title}\` the caller's side has one core for all of its own: there every microsecond of the proxy is one that the client lacks, as on a machine whose cores are all in use. A proxy on a machine of its own would be as in the first, with its CPU time spent there.`;

const HEAD = [
  'subject',
  'requests/s',
  'requests/s over bare',
  'CPU us each',
  'by CPU time',
  'client busy',
  'proxy busy',
  'backends busy',
];

function goalRow({ what, goal, measured, met }: Goal): string[] {
  return [what, goal, `${measured.toFixed(2)}x`, met ? 'met' : 'not met'];
}

function section([name, rounds]: readonly [GroupName, Rounds]): string {
  const { title, bare } = GROUPS[name];
  const base = rounds.get(bare) ?? [];
  const rows = [...rounds].map(([name, own]) => {
    const isBase = name === bare;
    return [
      name,
      median(own, perSecond).toFixed(0),
      isBase ? '' : spread(ratios(own.map(perSecond), base.map(perSecond))),
      cpuCell(own),
      isBase ? '' : spread(ratios(base.map(cpuMicros), own.map(cpuMicros))),
      percent(own, ({ cpuMs }) => cpuMs),
      hasProxy(own) ? percent(own, ({ proxyCpuMs = NaN }) => proxyCpuMs) : '',
      percent(own, ({ backendsCpuMs }) => backendsCpuMs),
    ];
  });
  return `## ${title}\n\n${table(HEAD, rows)}`;
}

function hasProxy(rounds: readonly Measured[]): boolean {
  return rounds.some(({ proxyCpuMs }) => proxyCpuMs !== undefined);
}

/** Of the client and the proxy together. */
function cpuMicros({ requests, cpuMs, proxyCpuMs = 0 }: Measured): number {
  return ((cpuMs + proxyCpuMs) * 1_000) / requests;
}

function cpuCell(rounds: readonly Measured[]): string {
  const all = median(rounds, cpuMicros).toFixed(1);
  if (!hasProxy(rounds)) return all;
  const proxy = median(rounds, ({ requests, proxyCpuMs = NaN }) => (proxyCpuMs * 1_000) / requests);
  return `${all} (${proxy.toFixed(1)})`;
}

function median(rounds: readonly Measured[], value: (round: Measured) => number): number {
  return quartiles(rounds.map(value)).median;
}

function spread(values: readonly number[]): string {
  const { low, median: middle, high } = quartiles(values);
  return `${middle.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

function percent(rounds: readonly Measured[], cpuMs: (round: Measured) => number): string {
  return `${(100 * median(rounds, (round) => cpuMs(round) / round.ms)).toFixed(0)} %`;
}
