/** What paces Fairlead's requests during a fault. */
export type Pace = 'backoff' | 'leaderless' | 'budget' | 'permanent';

/** One in 5 s asks whether the agent is alive, and one more may fall into the time. */
const PROBE_EVERY_S = 5;
/** Consistencies that are tried in a row: default, stale, cached. */
const RUNGS = 3;
/** Pauses of a backoff in half a minute. */
const PAUSES = 20;

/**
 * The most requests that Fairlead may make in so many seconds of a fault, 30 at most; more would be a hot loop.
 *
 * - `backoff`: the n-th pause is random up to 250 ms * 2^(n-1), 30 s at most, so some eight are short. That 12 more fall
 *   into 25 s has a chance of (25/30)^12 / 12!, below one in 10^9.
 * - `leaderless`: the same, and before each pause every weaker consistency is tried once.
 * - `budget`: two reads at once, then one a second.
 * - `permanent`: two in a row, as a token may have been rotated meanwhile, then every 10 s with such a token, else no more
 *   often than every 20 s.
 */
export function requestBound(pace: Pace, seconds: number): number {
  const probes = Math.ceil(seconds / PROBE_EVERY_S) + 1;
  switch (pace) {
    case 'backoff':
      return PAUSES + probes;
    case 'leaderless':
      return RUNGS * PAUSES + probes;
    case 'budget':
      return 3 + Math.ceil(seconds) + probes;
    case 'permanent':
      return 3 + Math.ceil(seconds / 10) + probes;
  }
}
