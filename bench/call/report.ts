import { figure, table } from '../pick/markdown.js';
import type { Machine } from '../pick/machine.js';
import { type Goal, rowOf } from './goals.js';
import type { JobResult, Plan, Row } from './job-run.js';
import { quartiles, ratios } from './quartiles.js';
import { INSTANCES } from './subject.js';

export interface Results {
  readonly machine: Machine;
  readonly plan: Plan;
  readonly goals: readonly Goal[];
  readonly jobs: readonly JobResult[];
}

/** The results as Markdown. */
export function report({ machine, plan, goals, jobs }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    '# What a call costs',
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${versions.join(', ')}.`,
    `One call after the other of a function that has an answer at once, to ${INSTANCES} instances. Clients have all their defaults: deadline, attempt timeout, breakers, outlier detection, retries and their budget; calls are idempotent, and nobody listens to events, unless said otherwise. Each way is in a process of its own; they take turns of ${plan.roundMs} ms, ${plan.rounds} in each of ${plan.lives} lives. Medians, quartiles in brackets, collections included; ratios are of the same round. CPU is that of all threads. Bytes are what the heap grows by without a collection.`,
    ...(goals.length === 0 ? [] : ['## Goals', goalTable(goals)]),
    ...jobs.flatMap(details),
  ]
    .join('\n\n')
    .concat('\n');
}

function goalTable(goals: readonly Goal[]): string {
  return table(
    ['what', 'goal', 'measured', 'reached'],
    goals.map(({ what, goal, measured, met }) => [
      what,
      goal,
      `${figure(measured)}x`,
      met ? 'met' : 'not met',
    ]),
  );
}

function details({ name, note, by, base, rows }: JobResult): string[] {
  const below = rowOf(rows, base);
  const clock = (row: Row): number[] => row.rounds.map(({ ns }) => ns);
  const cpu = (row: Row): number[] => row.rounds.map(({ cpuNs }) => cpuNs);
  const compared = by === 'ns' ? clock : cpu;
  const lines = rows.map((row) => [
    label(row),
    spread(clock(row)),
    figure(quartiles(cpu(row)).median),
    row.bytes === undefined ? '' : figure(row.bytes),
    below === undefined || below === row ? '' : spread(ratios(compared(row), compared(below)), 2),
  ]);
  const head = [
    'ns per call',
    'by the clock',
    'CPU',
    'bytes',
    `over ${base.library} \`${base.name}\``,
  ];
  const title = `## ${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  return [title, table(head, lines), ...(note === '' ? [] : [note])];
}

function label({ library, name, n }: Row): string {
  return `${library} \`${name}\`${n === undefined ? '' : `, ${figure(n)}`}`;
}

function spread(values: readonly number[], digits?: number): string {
  const show = (value: number): string =>
    digits === undefined ? figure(value) : value.toFixed(digits);
  const { low, median, high } = quartiles(values);
  return `${show(median)} (${show(low)} to ${show(high)})`;
}
