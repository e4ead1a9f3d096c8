import { median } from '../pick/measure.js';
import type { Machine } from '../pick/machine.js';
import { figure, table } from '../pick/markdown.js';
import type { Goal } from '../memory/report.js';
import type { Cost } from './fairlead.js';
import type { ClientWay, Way } from './growth.js';
import type { Peer } from './peers.js';

export interface Plan {
  readonly instances: number;
  readonly rounds: number;
  readonly growthRounds: number;
  readonly sizes: readonly number[];
}

export interface Measured {
  /** By change. */
  readonly updates: Readonly<Record<string, readonly Cost[]>>;
  readonly peers: readonly (Peer & {
    readonly one: readonly Cost[];
    readonly share: readonly Cost[];
  })[];
  /** ns, by way and number of instances. */
  readonly growth: Readonly<Record<Way, Readonly<Record<number, readonly number[]>>>>;
}

const UNCHANGED = 'unchanged';
const CLIENT_WAYS: readonly ClientWay[] = ['call', 'pick and end'];

export function goalsOf({ updates, growth }: Measured): Goal[] {
  const changed = Object.entries(updates).filter(([name]) => name.startsWith('1 %'));
  const worst = Math.max(...changed.map(([, costs]) => medianOf(costs, totalMs)));
  const unchanged = updates[UNCHANGED] ?? [];
  return [
    atMost('a list of 10,000, 1 % changed, the next pick included: ms of event loop', 15, worst),
    atMost('the same list again: ms of event loop', 3, medianOf(unchanged, totalMs)),
    atMost('the same list again: rebuilds', 0, Math.max(...unchanged.map((c) => c.rebuilds))),
    ...CLIENT_WAYS.map((way) =>
      atMost(`cost of ${way}, 10,000 instances over 10`, 1.3, ratio(growth[way])),
    ),
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

export function report(machine: Machine, plan: Plan, { updates, peers, growth }: Measured): string {
  const packages = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const changes = Object.entries(updates).map(([name, costs]) => [
    name,
    ms(medianOf(costs, totalMs)),
    ms(medianOf(costs, (c) => c.updateMs)),
    ms(medianOf(costs, (c) => c.pickMs)),
    ms(Math.max(...costs.map(totalMs))),
    figure(medianOf(costs, (c) => c.rebuilds)),
  ]);
  const others = peers.map(({ library, name, told, one, share }) => [
    `${library} ${name}`,
    told,
    ms(medianOf(one, totalMs)),
    ms(medianOf(share, totalMs)),
  ]);
  const ways = Object.entries(growth).map(([way, byN]) => [
    way,
    ...plan.sizes.map((n) => figure(median(byN[n] ?? []))),
    `${ratio(byN).toFixed(2)}x`,
  ]);
  return `# What a new list of instances costs, and what a long one

${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${packages.join(', ')}.

## A new list of ${figure(plan.instances)}

A client of all defaults at work, nearly all of whose instances were called, is given a list of new objects: medians of ${plan.rounds} interleaved rounds, in ms of event loop, each kind of change in a process of its own. A picker is rebuilt with the pick that needs it, so that pick is counted in. Each instance has a weight, a zone, a tag and a label.

${table(['the list', 'in all', 'taking it in', 'the next pick', 'slowest round', 'rebuilds'], changes)}

Peers, each in a process of its own, told that instances joined or left, and their next pick:

${table(['peer', 'is told', 'of one, ms', 'of 1 %, ms'], others)}

One told by a list is given the whole list whatever has changed: 1 % costs it what one does. The others are told a hundred times.

## A longer list

ns for one, all defaults, all that touches cold memory included: medians of ${plan.growthRounds} interleaved rounds, each size in a process of its own. By hand: power of two choices by latency and what is in flight, one object for each instance, with no breaker, retry or time limit.

${table(['', ...plan.sizes.map((n) => `n = ${figure(n)}`), '10 -> 10,000'], ways)}
`;
}

/** Round by round, the longest list over the shortest. */
function ratio(byN: Readonly<Record<number, readonly number[]>>): number {
  const sizes = Object.keys(byN)
    .map(Number)
    .sort((a, b) => a - b);
  const least = byN[sizes[0] ?? NaN] ?? [];
  const most = byN[sizes.at(-1) ?? NaN] ?? [];
  return median(most.map((ns, round) => ns / (least[round] ?? NaN)));
}

function totalMs({ updateMs, pickMs }: Cost): number {
  return updateMs + pickMs;
}

function medianOf(costs: readonly Cost[], value: (cost: Cost) => number): number {
  return median(costs.map(value));
}

function ms(value: number): string {
  return value.toFixed(2);
}
