import type { Goal } from '../call/goals.js';
import { table } from '../pick/markdown.js';
import { SCENES, type SceneName } from './faults.js';
import { isDisturbed } from './figures.js';
import { errorsOf, fromOneSecond, inFault, medianOf } from './goals.js';
import type { RunRecord } from './records.js';
import type { Timeline } from './run.js';
import { PAIRS, SUBJECTS } from './subjects.js';

export interface Results {
  readonly where: string;
  readonly timeline: Timeline;
  readonly runs: readonly RunRecord[];
  readonly repeats: readonly RunRecord[];
  readonly goals: readonly Goal[];
}

const ABOUT: Readonly<Record<SceneName, string>> = {
  none: 'Nothing happens: how far the figures of the same parts of a run differ by chance.',
  slow: 'One of four takes 50 ms in place of 2 ms.',
  failing: 'One of four answers 500 (gRPC: UNAVAILABLE) at once.',
  killed: 'One of four is killed (SIGKILL), and started again at the end.',
  stopped: 'One of four is stopped (SIGSTOP), and goes on at the end.',
  'three at once': 'One of four is killed, one slow, one fails.',
  'three, one stopped': 'One of four is stopped, one slow, one fails.',
};

export function report({ where, timeline, runs, repeats, goals }: Results): string {
  const { backends, workMs, perSecond, beforeMs, faultMs, afterMs } = timeline;
  const scenes = (Object.keys(SCENES) as SceneName[]).filter((scene) =>
    runs.some((run) => run.scene === scene),
  );
  return `# What callers notice of an instance that goes bad

${where}.

${perSecond} GETs per second at a constant rate from one process, whatever becomes of them; latency is counted from when a call was due. ${backends} backends, each a process of its own, need ${workMs} ms for a request. Each run has backends, and a client, of its own: warm-up, ${beforeMs / 1_000} s without a fault, ${faultMs / 1_000} s with it, ${afterMs / 1_000} s after it. Every call has 2 s. Latencies are of all calls, failed ones as long as they took; those under way as the fault began belong to it. It befalls those that were busiest in the second before. Medians where a subject had several runs.

- p99 in it / without: what it was in the fault, and from 1 s on, over what it was without one, which is the mean of those before and after. See the scene \`none\` for what chance makes of that.
- share: of the bad backends together, before, during and after. Of the client's attempts, or (grpc, proxies) of what came to the backends, a request counting when its call was due.
- out: seconds until each bad backend was out: the end of the last 100 ms of the fault in which it got at least half of an even share. What a killed one is still asked, proxies and grpc show nobody: \`?\`.
- back: seconds from the end of the fault to the end of the first half second in which each had half of an even share; \`-\` where it had not by the end of the run.

${goalsTable(goals)}

${scenes.map((scene) => section(scene, runs)).join('\n\n')}

${repeatsSection(repeats)}## How each was set up

${[...new Set(runs.map(({ subject }) => subject))]
  .map((name) => `- ${name}: ${SUBJECTS[name]?.setup ?? '?'}.`)
  .join('\n')}
${disturbed([...runs, ...repeats])}`;
}

function goalsTable(goals: readonly Goal[]): string {
  return table(
    [
      'goal, Fairlead in its defaults, the worst of call, undici, fetch and axios',
      'is to be',
      'measured',
      'met',
    ],
    goals.map(({ what, goal, measured, met }) => [
      what,
      goal,
      String(measured),
      met ? 'yes' : 'no',
    ]),
  );
}

function section(scene: SceneName, runs: readonly RunRecord[]): string {
  const here = runs.filter((run) => run.scene === scene);
  const names = [...new Set(here.map(({ subject }) => subject))];
  const rows = names.map((name) => row(here.filter(({ subject }) => subject === name)));
  return `## ${scene}

${ABOUT[scene]}

${table(HEAD, rows)}`;
}

const HEAD = [
  'subject',
  'errors',
  'p50 before, in it, after',
  'p99',
  'p99.9',
  'p99 in it / without',
  'p99 from 1 s on / without',
  'share before, in it, after',
  'out, s',
  'back, s',
];

function row(runs: readonly RunRecord[]): string[] {
  const median = (value: (run: RunRecord) => number): number => medianOf(runs.map(value));
  const three = (of: 'p50' | 'p99' | 'p999'): string =>
    [
      median(({ before }) => before[of]),
      median(({ during }) => during[of]),
      median(({ after }) => after[of]),
    ]
      .map(ms)
      .join(', ');
  const share = (part: 'before' | 'during' | 'after'): string =>
    percent(
      median(({ shares, outSeconds }) =>
        shares[part].slice(0, outSeconds.length).reduce((sum, each) => sum + each, 0),
      ),
    );
  const each = (
    of: (run: RunRecord) => readonly (number | undefined | null)[],
    unknown: string,
  ): string =>
    (runs[0] === undefined ? [] : of(runs[0]))
      .map((_, i) => {
        const value = median((run) => of(run)[i] ?? Infinity);
        return value === Infinity ? unknown : value.toFixed(1);
      })
      .join(', ');
  return [
    runs[0]?.subject ?? '',
    errorShare(runs),
    three('p50'),
    three('p99'),
    three('p999'),
    median(inFault).toFixed(2),
    median(fromOneSecond).toFixed(2),
    [share('before'), share('during'), share('after')].join(', '),
    each(({ outSeconds }) => outSeconds, '?'),
    each(({ backSeconds }) => backSeconds, '-'),
  ];
}

/** Of the calls of the fault and after it. */
function errorShare(runs: readonly RunRecord[]): string {
  const errors = runs.reduce((sum, { during, after }) => sum + during.errors + after.errors, 0);
  const calls = runs.reduce((sum, { during, after }) => sum + during.calls + after.calls, 0);
  return errors === 0 ? '0' : `${errors} (${percent(errors / calls)})`;
}

function repeatsSection(repeats: readonly RunRecord[]): string {
  if (repeats.length === 0) return '';
  const rows = PAIRS.flat().map((name) => {
    const errors = repeats.filter(({ subject }) => subject === name).map(errorsOf);
    return [name, errors.toSorted((a, b) => a - b).join(', ')];
  });
  return `## The same again: ${repeats[0]?.scene ?? ''}

Do retries make it worse? Failed calls of each run, the fewest first, with retries and without.

${table(['subject', 'failed calls, run by run'], rows)}

`;
}

function disturbed(runs: readonly RunRecord[]): string {
  const late = runs.filter(isDisturbed);
  if (late.length === 0)
    return '\nThe generator was late by more than 5 ms for less than 1 % of the calls in every run.\n';
  const names = late.map(({ subject, scene, lag }) => `${subject} (${scene}): ${ms(lag.p99)} ms`);
  return `\nThe generator itself was late in these runs (p99): ${names.join('; ')}.\n`;
}

function ms(value: number): string {
  return value >= 99.5 ? value.toFixed(0) : value.toPrecision(2);
}

function percent(value: number): string {
  const text = (100 * value).toFixed(value < 0.001 ? 2 : 1);
  return `${Number(text)} %`;
}
