import type { Goal } from '../call/goals.js';
import { type ByN, type JobResult, type Row, SIZES } from './job-run.js';
import type { Machine } from './machine.js';
import { figure, ratio, table } from './markdown.js';

export interface Results {
  readonly machine: Machine;
  /** In which each was measured in turn. */
  readonly rounds: number;
  readonly goals: readonly Goal[];
  /** Bytes that each allocates per turn, and what was counted. */
  readonly controls: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly counted: number;
  }[];
  /** Bytes of a lease begun and ended without a pick. */
  readonly leaseBytes: number;
  readonly jobs: readonly JobResult[];
}

const NS = [
  'ns per pick',
  ...SIZES.map((n) => `n = ${n.toLocaleString('en')}`),
  '10 -> 10,000',
  'bytes',
];
const AHEAD = 'ahead at 10 / 1,000 / 10,000';

/** The results as Markdown. */
export function report({ machine, rounds, goals, controls, leaseBytes, jobs }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const counted = controls.map(
    ({ name, bytes, counted }) => `${name}: ${bytes} bytes, counted ${counted}`,
  );
  return [
    '# What a pick costs',
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${versions.join(', ')}.`,
    `Medians of ${rounds} interleaved rounds, each subject in a process of its own. Lists of weights 1 to 3, 0 to 5 ` +
      'attempts in flight per instance, latencies measured. `fairlead` is the picker alone, with the randomness the ' +
      'client uses; `fairlead client` is `client.pick()` and `lease.end()`, breaker off, two readings of the clock ' +
      'included. Collections are not in the times: see the bytes.',
    '## Goals',
    table(
      ['', 'goal', 'measured', ''],
      goals.map(({ what, goal, measured, met }) => [
        what,
        goal,
        `${figure(measured)}x`,
        met ? 'met' : 'not met',
      ]),
    ),
    '## Each policy beside the peer that does most nearly the same',
    table([...NS, 'peer', AHEAD], jobs.flatMap(summary)),
    `${AHEAD}: how many times as long the peer takes; above 1 Fairlead is ahead.`,
    ...jobs.flatMap(details),
    '## A list of 10,000 that one instance joins or leaves',
    table(
      ['ms', 'made from the list', 'brought up to date'],
      jobs.flatMap(({ rows }) =>
        rows
          .filter(({ updateMs }) => updateMs !== undefined)
          .map((row) => [label(row), figure(row.buildMs), figure(row.updateMs)]),
      ),
    ),
    'Fairlead: `policy.build`, without and with the previous picker.',
    '## Bytes',
    `Growth of the heap over up to 200,000 picks without a collection, least and most over all sizes. A lease begun and ` +
      `ended without a pick: ${leaseBytes} bytes. V8 takes 16 for each \`Math.random()\`. Controls: ${counted.join('; ')}.`,
  ]
    .join('\n\n')
    .concat('\n');
}

function summary({ rows }: JobResult): string[][] {
  return rows.flatMap((row) => {
    const peer = rows.find(({ name }) => name === row.peer);
    return peer === undefined
      ? []
      : [[`\`${row.name}\``, ...figures(row), label(peer), ahead(peer, row)]];
  });
}

function details({ name, note, rows }: JobResult): string[] {
  const policy = rows[0];
  const head = [...NS, `beside ${policy?.name ?? ''} at 10 / 1,000 / 10,000`];
  const lines = rows.map((row) => [
    label(row),
    ...figures(row),
    policy === undefined || row.library.startsWith('fairlead') ? '' : ahead(row, policy),
  ]);
  const title = `## ${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  return [title, table(head, lines), ...(note === '' ? [] : [note])];
}

function figures({ ns, bytes }: Row): string[] {
  return [...SIZES.map((n) => figure(ns[n])), ratio(ns[10_000], ns[10]), spread(bytes)];
}

/** How many times as long the peer takes. */
function ahead(peer: Row, { ns }: Row): string {
  return [10, 1_000, 10_000].map((n) => ratio(peer.ns[n], ns[n])).join(' / ');
}

function label({ library, name }: Row): string {
  return `${library} \`${name}\``;
}

function spread(bytes: ByN): string {
  const counted = SIZES.map((n) => Math.round(bytes[n] ?? NaN));
  const [least, most] = [Math.min(...counted), Math.max(...counted)];
  return most - least <= 2 ? figure(most) : `${figure(least)} to ${figure(most)}`;
}
