import { quartiles, ratios } from '../call/quartiles.js';
import type { Goal } from '../call/goals.js';
import type { GroupName } from './groups.js';
import type { Measured } from './rounds.js';

/** Rounds by subject. */
export type Rounds = ReadonlyMap<string, readonly Measured[]>;

interface Wanted {
  readonly what: string;
  readonly group: GroupName;
  readonly subject: string;
  readonly over: string;
  readonly atLeast: number;
}

const INTERCEPTOR = 'undici, fairleadInterceptor';
const HAPROXY = 'undici through haproxy leastconn';

const WANTED: readonly Wanted[] = [
  {
    what: 'undici through the interceptor, over bare undici Pools',
    group: 'undici',
    subject: INTERCEPTOR,
    over: 'undici Pools',
    atLeast: 0.9,
  },
  {
    what: 'the same, the stricter goal that was set first',
    group: 'undici',
    subject: INTERCEPTOR,
    over: 'undici Pools',
    atLeast: 0.93,
  },
  {
    what: 'undici through the interceptor, over undici through haproxy leastconn on the same core',
    group: 'sidecar',
    subject: INTERCEPTOR,
    over: HAPROXY,
    atLeast: 1.4,
  },
  {
    what: 'the same, with the proxy on another core, idle otherwise',
    group: 'undici',
    subject: INTERCEPTOR,
    over: HAPROXY,
    atLeast: 1.4,
  },
  {
    what: 'fetch wrapped, over bare',
    group: 'fetch',
    subject: 'fetch, wrapFetch',
    over: 'fetch',
    atLeast: 0.95,
  },
  {
    what: 'axios wrapped, over bare',
    group: 'axios',
    subject: 'axios, wrapAxios',
    over: 'axios',
    atLeast: 0.95,
  },
];

/** In requests/s: medians of ratios of rounds that followed one another. Those whose subjects were measured. */
export function goalsOf(groups: ReadonlyMap<GroupName, Rounds>): Goal[] {
  return WANTED.flatMap(({ what, group, subject, over, atLeast }) => {
    const rounds = groups.get(group);
    const [above, below] = [rounds?.get(subject), rounds?.get(over)];
    if (above === undefined || below === undefined) return [];
    const { median } = quartiles(ratios(above.map(perSecond), below.map(perSecond)));
    const measured = Number(median.toPrecision(3));
    return [{ what, goal: `>= ${atLeast.toFixed(2)}x`, measured, met: median >= atLeast }];
  });
}

export function perSecond({ requests, ms }: Measured): number {
  return (requests * 1_000) / ms;
}
