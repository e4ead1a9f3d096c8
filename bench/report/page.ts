import type { Goal } from '../call/goals.js';
import { figure, table } from '../pick/markdown.js';
import { goalsIn, machineOf, type Result } from './results.js';
import { type Section, SECTIONS } from './sections.js';
import { tablesOf } from './tables.js';

/** The page that all results make. `charts`: file names by benchmark, with what they show. */
export function page(
  results: ReadonlyMap<string, Result>,
  charts: ReadonlyMap<string, readonly Picture[]>,
): string {
  return [
    '# Performance',
    whereOf([...results.values()]),
    INTRODUCTION,
    '## Goals',
    goalsTable(results),
    ...SECTIONS.flatMap((section) => [
      `## ${section.title}`,
      ...sectionOf(section, results.get(section.name), charts.get(section.name) ?? []),
    ]),
    LEFT_OUT,
  ]
    .join('\n\n')
    .concat('\n');
}

export interface Picture {
  readonly file: string;
  readonly alt: string;
}

const INTRODUCTION = `This page is made by \`npm run bench -- report\` from [bench/results/](../bench/results), which \`npm run bench\` measures: \`npm run bench -- pick\` (or call, http, faults, memory, update) one part of it, \`--quick\` a short run that writes nothing. The built package is measured, with all of a client's protections on unless said otherwise, and its peers beside it in the same run, in rounds that take turns. Figures are medians; what counts are the ratios, for machines differ.`;

const LEFT_OUT = `## What is not measured

- A network: everything is on loopback, in one machine, with the load and the servers on the same cores. Where a request does any work, and travels, the shares of the clients are smaller than here.
- Other machines, and other versions of Node than the one above.
- TLS, HTTP/2 and large bodies.`;

function whereOf(results: readonly Result[]): string {
  const machines = results.map(machineOf);
  const hosts = new Set(
    machines.flatMap(({ cpu, cores, node }) =>
      cpu === undefined ? [] : [`${cpu}, ${cores ?? '?'} cores, Node ${node ?? '?'}`],
    ),
  );
  const versions = new Map(machines.flatMap((machine) => Object.entries(machine.versions ?? {})));
  const named = [...versions].sort(([a], [b]) => a.localeCompare(b));
  return `${[...hosts].join('; ')}. ${named.map(([name, version]) => `${name} ${version}`).join(', ')}.`;
}

function goalsTable(results: ReadonlyMap<string, Result>): string {
  const rows = SECTIONS.flatMap(({ name }) => {
    const result = results.get(name);
    if (result === undefined) return [];
    return goalsIn(result).map((goal) => [goal.what, name, goal.goal, shown(goal), metOf(goal)]);
  });
  const met = rows.filter((row) => row.at(-1) === 'met').length;
  return rows.length === 0
    ? 'No result has goals yet.'
    : `${table(['what', 'bench', 'goal', 'measured', 'reached'], rows)}\n\n${met} of ${rows.length} are met.`;
}

/** In the unit that the goal is given in. */
function shown({ goal, measured }: Goal): string {
  if (measured >= NEVER) return 'never';
  const unit = /[\d,.]+(.*)$/.exec(goal)?.[1] ?? '';
  return `${figure(measured)}${unit}`;
}

/** What stands for a thing that did not come to pass. */
const NEVER = 1e9;

function metOf({ met }: Goal): string {
  return met ? 'met' : '**not met**';
}

function sectionOf(
  { name, text, headings, profile }: Section,
  result: Result | undefined,
  pictures: readonly Picture[],
): string[] {
  if (result === undefined) return [`Not run yet: \`npm run bench -- ${name}\`.`];
  const tables = tablesOf(result.markdown).filter(({ head }) => !head.includes('measured'));
  const wanted = tables.filter(({ heading }) => headings?.some((each) => heading.startsWith(each)));
  return [
    text,
    ...pictures.map(({ file, alt }) => `![${alt}](performance/${file})`),
    ...(wanted.length === 0 ? tables.slice(0, 1) : wanted).flatMap((each) => [
      `**${each.heading}**`,
      each.text,
    ]),
    ...(profile === undefined ? [] : [profile]),
    `How it was measured, and all tables: [${name}.md](../bench/results/${name}.md).`,
  ];
}
