/** The runs that docs/reliability.md shows: once each, for table and pictures alike. */
import type { ClientOptions } from 'fairlead';
import type { StormSecond } from '../../test/simulation/storm.js';
import { storm } from '../../test/simulation/storm-cases.js';

const SEED = 1;

export type CaseName = keyof typeof CASES;

/** What differs from the defaults. */
const CASES = {
  two: { retry: { maxAttempts: 2 } },
  defaults: {},
  four: { retry: { maxAttempts: 4 } },
  fourNoBreaker: { retry: { maxAttempts: 4 }, breaker: false },
  fourNoBudget: { retry: { maxAttempts: 4, budget: false } },
  fourNothing: { retry: { maxAttempts: 4, budget: false }, breaker: false },
  none: { retry: false },
} as const satisfies Record<string, Partial<ClientOptions>>;

const RUNS = new Map<CaseName, Promise<readonly StormSecond[]>>();

export function runOf(name: CaseName): Promise<readonly StormSecond[]> {
  const run = RUNS.get(name) ?? storm(SEED, CASES[name]);
  RUNS.set(name, run);
  return run;
}
