/** What `npm run bench` can run, and how it is asked to. */

export type Name =
  'pick' | 'call' | 'http' | 'faults' | 'memory' | 'update' | 'breakers' | 'consul';

export const NAMES: Readonly<Record<Name, string>> = {
  pick: 'what a pick costs, by policy and size of the list',
  call: 'what a call costs, that succeeds, is retried, or fails',
  http: 'what the wrapped HTTP clients cost, end to end',
  faults: 'what callers notice of an instance that goes bad',
  memory: 'what instances cost in memory, and doing nothing',
  update: 'what a new list of instances costs',
  breakers: 'what breakers cost that have nothing to do',
  consul: 'what discovery through Consul costs',
};

/** Those that run when no name is given. */
export const MEASURED: readonly Name[] = ['pick', 'call', 'http', 'faults', 'memory', 'update'];

export interface Wanted {
  /** `undefined`: all of {@link MEASURED}. */
  readonly name: Name | 'report' | 'help' | undefined;
  /** Handed on to the benchmark. */
  readonly options: readonly string[];
  /** What is wrong with the question, in words. */
  readonly problem?: string;
}

export function wantedOf(args: readonly string[]): Wanted {
  const [first, ...options] = args;
  if (first === undefined || (first.startsWith('-') && !HELP.includes(first))) {
    return { name: undefined, options: args };
  }
  if (HELP.includes(first)) return { name: 'help', options: [] };
  if (first === 'report' || isName(first)) return { name: first, options };
  const known = [...Object.keys(NAMES), 'report'].join(', ');
  return { name: undefined, options, problem: `No benchmark "${first}". There are: ${known}.` };
}

const HELP = ['--help', '-h', 'help'];

export function usage(): string {
  const names: Readonly<Record<string, string>> = {
    ...NAMES,
    report: 'makes docs/performance.md and its charts from bench/results/',
  };
  return [
    'npm run bench -- [name] [options]',
    '',
    ...Object.entries(names).map(([name, what]) => `  ${name.padEnd(10)}${what}`),
    '',
    `Without a name: ${MEASURED.join(', ')}, then report. --quick: shorter, and writes nothing.`,
  ].join('\n');
}

function isName(text: string): text is Name {
  return Object.hasOwn(NAMES, text);
}
