import { median } from '../pick/measure.js';
import type { Machine } from '../pick/machine.js';
import { figure, table } from '../pick/markdown.js';
import type { Bytes } from './heap.js';
import type { Measured } from './worker.js';

export interface Plan {
  readonly instances: number;
  readonly rounds: number;
  readonly idleMs: number;
}

/** One line of what must be reached, and what was. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: number;
  readonly met: boolean;
}

export type Rounds = Readonly<Record<string, readonly Measured[]>>;

const KB = 1_024;
const OURS = 'fairlead, defaults';

export function goalsOf(rounds: Rounds): Goal[] {
  const ours = rounds[OURS] ?? [];
  const pooled = Object.entries(rounds).find(([name]) => name.startsWith('FairleadAgent'))?.[1];
  return [
    atMost(
      'memory per instance never called, KB',
      0.5,
      kilobytes(ours, (r) => r.neverCalled),
    ),
    atMost(
      'memory per instance called, KB',
      8,
      kilobytes(ours, (r) => r.called),
    ),
    atMost(
      'the same under traffic of which 2 % fails, KB',
      8,
      kilobytes(ours, (r) => r.underTraffic),
    ),
    atMost(
      'idle CPU with 10,000 instances, ms per second',
      10,
      medianOf(ours, (r) => r.idleCpuMs),
    ),
    ...(pooled === undefined
      ? []
      : [
          atMost(
            'transport pools for 10,000 instances of which 50 were called',
            50,
            medianOf(pooled, (r) => r.pools),
          ),
        ]),
  ];
}

function atMost(what: string, most: number, measured: number): Goal {
  return {
    what,
    goal: `<= ${most}`,
    measured: Number(measured.toPrecision(3)),
    met: measured <= most,
  };
}

export function report(machine: Machine, plan: Plan, rounds: Rounds): string {
  const rows = Object.entries(rounds).map(([name, measured]) => [
    name,
    figure(medianOf(measured, (r) => total(r.neverCalled))),
    figure(medianOf(measured, (r) => total(r.called))),
    orNone(medianOf(measured, (r) => total(r.underTraffic))),
    orNone(medianOf(measured, (r) => (r.underTraffic ?? r.called).external)),
    medianOf(measured, (r) => r.idleCpuMs).toFixed(2),
  ]);
  const head = [
    `${figure(plan.instances)} instances`,
    'never called',
    'called once',
    'under traffic',
    'of these, outside the heap',
    'idle CPU, ms per s',
  ];
  const packages = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const pooled =
    Object.entries(rounds).find(([name]) => name.startsWith('FairleadAgent'))?.[1] ?? [];
  return `# What instances cost in memory, and doing nothing

${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${packages.join(', ')}.

Bytes per instance: what heap and external memory have grown by, after forced collections; medians of ${plan.rounds} rounds, each subject in a process of its own that has done the same once before. What the source hands over (host and port) is there before, and not counted. The policy is \`round-robin\`, whose pickers keep next to nothing per instance. Under traffic each instance has had about a hundred calls more, of which one in fifty failed. CPU time is that of the whole process over ${figure(plan.idleMs)} ms right after.

${table(head, rows)}

opossum is a breaker per instance and nothing else; moleculer a node in its registry, without its breaker. Breakers of Fairlead are made with the first attempt at an instance.

A \`FairleadAgent\` over ${figure(plan.instances)} instances had made ${figure(medianOf(pooled, (r) => r.pools))} undici pools when 50 of them had been called: the memory above is that of the whole list with those.
`;
}

function total(bytes: Bytes | undefined): number {
  return bytes === undefined ? NaN : bytes.heap + bytes.external;
}

function kilobytes(measured: readonly Measured[], of: (r: Measured) => Bytes | undefined): number {
  return medianOf(measured, (r) => total(of(r))) / KB;
}

function medianOf(measured: readonly Measured[], value: (r: Measured) => number): number {
  return median(measured.map(value));
}

function orNone(value: number): string {
  return Number.isNaN(value) ? '' : figure(value);
}
