import type { Policy } from '../../types.js';

/** The name of one case of the policy suite, for `deviations`. Those that begin with `hash-` run with `hashes` only. */
export type PolicyCaseId =
  /** Never picks an excluded candidate. */
  | 'never-excluded'
  /** Finds the one candidate left, however many are excluded. */
  | 'finds-what-is-left'
  /** Picks `undefined` when none is left, and goes on when one is. */
  | 'none-left'
  /** Picks the very objects of the newest list, never one of an older list. */
  | 'own-candidates'
  /** In a client: sends nothing to an instance that drains or was removed. */
  | 'draining'
  /** A lone candidate is picked whatever its load. */
  | 'lone'
  /** Equal instances get equal shares. */
  | 'equal-shares'
  /** Shares follow the weights while calls come one at a time. */
  | 'weights'
  /** Shares follow the weights while many calls are in flight. */
  | 'weights-in-flight'
  /** No place in the list is favoured by the first picks of a new picker (envoy#31378). */
  | 'first-pick-by-place'
  /** The heaviest instance is not where every new picker begins (envoy#31378). */
  | 'first-pick-by-weight'
  /** Shares stay equal while the list is rebuilt and instances join and leave (kubernetes#3640). */
  | 'rebuild'
  /** Shares follow the weights while the list is rebuilt. */
  | 'weights-through-rebuilds'
  /** Shares stay equal while the list is handed over in ever another order, as DNS does. */
  | 'reorder'
  /** Builds and picks among 10,000 candidates, from all of the list. */
  | 'many'
  /** Among 10,000 candidates the heavy ones get their share. */
  | 'many-weights'
  /** Picks something valid whatever the weights, up to the largest double. */
  | 'extreme-weights'
  /** Shares follow the weights however huge or tiny. */
  | 'extreme-shares'
  /** The same seed and the same calls give the same picks. */
  | 'same-seed'
  /** Takes time and chance from `env` and the call, never from the process. */
  | 'ambient'
  /** Changes neither the list, its candidates and records, nor the call. */
  | 'input-untouched'
  /** A key keeps its candidate. */
  | 'hash-sticks'
  /** Clients that know nothing of each other agree on the candidate of a key. */
  | 'hash-agrees'
  /** The order of the list does not matter. */
  | 'hash-order'
  /** A new address under the same id does not matter, so that a redeploy moves no key. */
  | 'hash-address'
  /** Keys spread over the candidates by weight. */
  | 'hash-weights'
  /** An instance that joins moves few keys, and those to itself. */
  | 'hash-join'
  /** An instance that joins gets its share of the keys. */
  | 'hash-join-share'
  /** An instance that leaves moves hardly any keys but its own. */
  | 'hash-leave'
  /** A key whose first choice is excluded keeps its second choice. */
  | 'hash-second-choice'
  /** The keys of an excluded instance spread over all others. */
  | 'hash-second-spread';

/** What a case examines. */
export interface Subject {
  readonly makePolicy: () => Policy;
  readonly seed: number;
}

/** A case before it knows its subject. Its check throws a {@link PolicyViolation} where the policy falls short. */
export interface Check {
  readonly id: PolicyCaseId;
  readonly title: string;
  readonly check: (subject: Subject) => void | Promise<void>;
}

/** The policy does not behave as a case expects. Anything else that is thrown is a fault of the suite. */
export class PolicyViolation extends Error {
  override readonly name = 'PolicyViolation';
}
