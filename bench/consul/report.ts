import { figure, table } from '../pick/markdown.js';
import type { Flood, UpdateCosts } from './large.js';
import type { UpdateCost } from './large-list.js';
import type { Latencies } from './latency.js';
import type { Aftermath } from './leftovers.js';
import { quantile } from './quantile.js';
import type { Scale } from './scale.js';

/** All that was measured, by what it was measured on. */
export interface Results {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly consul: string;
  };
  readonly latency: Readonly<Record<string, Latencies>>;
  readonly scale: Readonly<Record<string, Scale>>;
  readonly leftovers: Readonly<Record<string, Aftermath>>;
  readonly large: {
    readonly instances: number;
    readonly listBytes: number;
    readonly updates: UpdateCosts;
    readonly floodMs: number;
    readonly flood: Flood;
  };
}

/** The results as Markdown. */
export function report({ machine, latency, scale, leftovers, large }: Results): string {
  const { cpu, cores, node, consul } = machine;
  const { instances, listBytes, updates, floodMs, flood } = large;
  const parts = [
    '# What discovery through Consul costs',
    `${cpu}, ${cores} cores, Node ${node}, Consul ${consul}; all on one machine, watchers in processes of their own.`,
    '## From the flip of a check to the next pick',
    table(LATENCY_HEAD, Object.entries(latency).map(latencyRow)),
    `${count(latency)} flips of TTL checks each, p50 / p99 in ms. \`bare query\`: a parked query of \`node:http\`, until its last ` +
      'byte; `added`: what Fairlead takes longer, flip by flip, parsing, comparing and a pick included; `noise`: by how ' +
      'much two bare queries differ.',
    '## 300 services watched by one process',
    table(SCALE_HEAD, Object.entries(scale).map(scaleRow)),
    'Every service changes twice. Connections are what counts at the agent at a time, heartbeats for five services of the ' +
      'same process included; missed are readings of their checks, ten a second. Heap is that of a client and its watch.',
    table(
      ['', 'connections', 'missed', 'failed reads'],
      Object.entries(leftovers).map(([name, { mostConnections, checks, faults }]) => [
        name,
        figure(mostConnections),
        `${checks.lost} of ${checks.read}`,
        figure(sum(Object.values(faults))),
      ]),
    ),
    `## A service of ${instances.toLocaleString('en')} instances`,
    table(
      ['', ...Object.keys(COSTS)],
      [
        costRow('first list', updates.first),
        costRow('1 % changed', updates.changed),
        costRow('nothing changed', updates.unchanged),
      ],
    ),
    `A list is ${megabytes(listBytes)}. Medians (and the most) of ${updates.first.length}, in ms. Blocks are those of the event ` +
      'loop, without the time in which others had the cores, and by the clock. An idle second by the clock: ' +
      `${figure(updates.idleBlock.wallMs)}.`,
    table(
      [
        `${flood.updates} updates in ${floodMs / 1e3} s`,
        'read',
        'lists',
        'CPU ms',
        'longest block ms',
      ],
      Object.entries({ Fairlead: flood.fairlead, 'npm `watch()`': flood.npmWatch }).map(
        ([name, { bytes, cpuMs, block }]) => [
          name,
          megabytes(bytes),
          (bytes / listBytes).toFixed(1),
          figure(cpuMs),
          figure(block.ownMs),
        ],
      ),
    ),
  ];
  return parts.join('\n\n').concat('\n');
}

const LATENCY_HEAD = ['through', 'bare query', 'Fairlead', 'from the reply', 'added', 'noise'];

function latencyRow([name, latencies]: [string, Latencies]): string[] {
  const { bare, fromSent, fromReplied, added, noise } = latencies;
  const columns = [bare, fromSent, fromReplied, added, noise].map(
    (values) => `${quantile(values, 0.5).toFixed(1)} / ${quantile(values, 0.99).toFixed(1)}`,
  );
  return [name, ...columns];
}

function count(latency: Results['latency']): number {
  return Object.values(latency)[0]?.added.length ?? 0;
}

const SCALE_HEAD = [
  '',
  'all lists ms',
  'connections',
  'change heard ms, 20 % / half / all',
  'missed',
  'heap KB each',
  'idle CPU ms/s',
];

function scaleRow([name, scale]: [string, Scale]): string[] {
  const { readyMs, mostConnections, heardAfterMs, checks, bytesPerService, idleCpuMs } = scale;
  const heard = [0.2, 0.5, 1].map((ratio) => figure(quantile(heardAfterMs, ratio)));
  return [
    name,
    figure(readyMs),
    figure(mostConnections),
    heard.join(' / '),
    `${checks.lost} of ${checks.read}`,
    figure(bytesPerService / 1e3),
    figure(idleCpuMs),
  ];
}

const COSTS: Readonly<Record<string, (cost: UpdateCost) => number | undefined>> = {
  'longest block': ({ block }) => block.ownMs,
  'by the clock': ({ block }) => block.wallMs,
  'CPU time': ({ cpuMs }) => cpuMs,
  'first pick': ({ pickMs }) => pickMs,
  'in use after the last byte': ({ lateMs }) => lateMs,
};

function costRow(name: string, costs: readonly UpdateCost[]): string[] {
  const cells = Object.values(COSTS).map((of) => {
    const values = costs.map(of).filter((value) => value !== undefined);
    if (values.length === 0) return '';
    return `${quantile(values, 0.5).toFixed(0)} (${Math.max(...values).toFixed(0)})`;
  });
  return [name, ...cells];
}

function megabytes(bytes: number): string {
  return `${figure(bytes / 1e6)} MB`;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
