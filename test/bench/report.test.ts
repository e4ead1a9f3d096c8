import { expect, it } from 'vitest';
import { drawGiven } from '../../bench/report/given-charts.js';
import { page } from '../../bench/report/page.js';
import type { Result } from '../../bench/report/results.js';
import { tablesOf } from '../../bench/report/tables.js';
import { barChart } from '../../scripts/pictures/bar-chart.js';
import { lineChart } from '../../scripts/pictures/line-chart.js';

const MARKDOWN = `# What it costs

| what | goal | measured |
| ---- | ---: | -------: |
| it   | <= 1 |        2 |

## A call that succeeds

| ns per call | by the clock |
| ----------- | -----------: |
| ours        |           12 |
| theirs      |           34 |

Text.

## A retry

| ns per call | CPU |
| ----------- | --: |
| ours        |   5 |
`;

const call: Result = {
  name: 'call',
  markdown: MARKDOWN,
  data: {
    machine: { cpu: 'a CPU', cores: 2, node: 'v20.20.2', versions: { opossum: '9.0.0' } },
    goals: [
      { what: 'call', goal: '<= 2.5x', measured: 2.4, met: true },
      { what: 'retry', goal: '<= 5 ms', measured: 1e9, met: false },
    ],
  },
};

const nothing = new Map<string, never>();

it('finds the tables of a page with their headings', () => {
  const [goals, succeeds, retry] = tablesOf(MARKDOWN);
  expect(goals?.head).toEqual(['what', 'goal', 'measured']);
  expect(succeeds).toMatchObject({
    heading: 'A call that succeeds',
    rows: [
      ['ours', '12'],
      ['theirs', '34'],
    ],
  });
  expect(retry?.text.split('\n')).toHaveLength(3);
  expect(tablesOf('no table\n|at the end|\n|---|')).toHaveLength(1);
});

it('shows goals as met or not, in the unit of the goal', () => {
  const lines = page(new Map([['call', call]]), nothing).split('\n');
  const cells = (what: string): string[] =>
    (lines.find((line) => line.startsWith(`| ${what} `)) ?? '')
      .split('|')
      .map((cell) => cell.trim());
  expect(cells('call')).toEqual(['', 'call', 'call', '<= 2.5x', '2.4x', 'met', '']);
  expect(cells('retry')).toEqual(['', 'retry', 'call', '<= 5 ms', 'never', '**not met**', '']);
  expect(lines).toContain('1 of 2 are met.');
});

it('takes tables and charts into the section of their benchmark, and leaves out its goals', () => {
  const charts = new Map([['call', [{ file: 'call.svg', alt: 'bars' }]]]);
  const text = page(new Map([['call', call]]), charts);
  const section = text.slice(text.indexOf('## A call'), text.indexOf('## HTTP'));
  expect(section).toContain('![bars](performance/call.svg)');
  expect(section).toContain('**A call that succeeds**\n\n| ns per call | by the clock |');
  expect(section).toContain('**A retry**');
  expect(section).not.toContain('| goal');
});

it('names the machine once, and what was not run', () => {
  const text = page(new Map([['call', call]]), nothing);
  expect(text.match(/a CPU, 2 cores, Node v20\.20\.2\. opossum 9\.0\.0\./g)).toHaveLength(1);
  expect(text).toContain('Not run yet: `npm run bench -- faults`.');
  expect(text).not.toContain('Not run yet: `npm run bench -- call`.');
});

it('shows a page without any result', () => {
  expect(page(new Map(), nothing)).toContain('No result has goals yet.');
});

const bars = [
  { name: 'ours', value: 10, label: '10 ns', colour: '#111' },
  { name: 'a < b & c', value: 1_000, label: '1,000 ns', colour: '#222' },
];

function widthsOf(svg: string): number[] {
  return [...svg.matchAll(/width="([\d.]+)" height="16"/g)].map(([, width]) => Number(width));
}

it('draws bars in proportion to their values', () => {
  const svg = barChart({ title: 'T', subtitle: '', bars });
  const [small = NaN, large = NaN] = widthsOf(svg);
  expect(large / small).toBeCloseTo(100, -1);
  expect(svg).toContain('a &lt; b &amp; c');
});

it('draws bars of a logarithmic axis by their factor over where it begins', () => {
  const [small = NaN, large = NaN] = widthsOf(
    barChart({ title: 'T', subtitle: '', bars, logFrom: 1 }),
  );
  expect(large / small).toBeCloseTo(3, 1);
});

it('marks a value across the bars', () => {
  const mark = { at: 1_000, label: 'as bare' };
  expect(barChart({ title: 'T', subtitle: '', bars, mark })).toContain('as bare');
});

it('draws logarithmic axes, and names beyond a row in another', () => {
  const format = String;
  const points = [
    [1, 1],
    [100, 1_000],
  ] as const;
  const svg = lineChart({
    title: 'T',
    subtitle: '',
    x: { label: '', min: 1, max: 100, step: 10, format },
    y: { label: '', min: 1, max: 1_000, step: 10, format },
    lines: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, colour: '#111', points })),
  });
  expect([...svg.matchAll(/text-anchor="middle">(\d+)</g)].map(([, tick]) => tick)).toEqual([
    '1',
    '10',
    '100',
  ]);
  expect([...svg.matchAll(/text-anchor="end">(\d+)</g)].map(([, tick]) => tick)).toEqual([
    '1',
    '10',
    '100',
    '1000',
  ]);
  expect(svg).toContain('y="92">e<');
  expect(svg).toContain('points="64,366 740,126"');
});

it('draws the charts that a result brings along', () => {
  const chart = { title: 'Memory', subtitle: '', unit: ' KB', bars: { idle: 0.4, called: 7 } };
  const [first, second] = drawGiven('memory', { charts: [chart, chart] });
  expect(first).toMatchObject({ file: 'memory.svg', alt: 'Memory' });
  expect(first?.svg).toContain('0.4 KB');
  expect(second?.file).toBe('memory-2.svg');
  expect(drawGiven('update', {})).toEqual([]);
});
