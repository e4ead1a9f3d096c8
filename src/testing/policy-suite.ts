import type { Policy } from '../types.js';
import { checkBoolean, checkFunction, checkKeys, checkNumber, checkString } from '../validate.js';
import {
  type Check,
  type PolicyCaseId,
  PolicyViolation,
  type Subject,
} from './policy-suite/case.js';
import { eligibility } from './policy-suite/eligibility.js';
import { extremes } from './policy-suite/extremes.js';
import { firstPicks } from './policy-suite/first-picks.js';
import { hashing } from './policy-suite/hashing.js';
import { many } from './policy-suite/many.js';
import { membership } from './policy-suite/membership.js';
import { purity } from './policy-suite/purity.js';
import { rebuilds } from './policy-suite/rebuilds.js';
import { rehashing } from './policy-suite/rehashing.js';
import { shares } from './policy-suite/shares.js';

export type { PolicyCaseId } from './policy-suite/case.js';

export interface PolicySuiteOptions {
  /**
   * Cases that the policy does not meet by design, each with the reason. They run all the same, and fail once the
   * policy meets them, so that the list stays true. Default: none.
   *
   * @example { weights: 'takes the instances in turn, whatever their weights' }
   */
  readonly deviations?: Readonly<Partial<Record<PolicyCaseId, string>>> | undefined;
  /** The policy heeds `hashKey`: adds the cases whose ids begin with `hash-`. Default false. */
  readonly hashes?: boolean | undefined;
  /** Seed of all chance, the policy's and the suite's own, an integer. Default 1. The same seed gives the same runs. */
  readonly seed?: number | undefined;
}

/** One test, for any test runner. */
export interface PolicyCase {
  readonly id: PolicyCaseId;
  /** What is tested, as the name of a test. */
  readonly name: string;
  /** Why the policy does not meet this case, when it is listed as a deviation. */
  readonly deviation: string | undefined;
  /** Throws, or rejects, with what was expected, what came, and with which seed, candidates and call. */
  readonly run: () => void | Promise<void>;
}

const GENERAL: readonly Check[] = [
  ...eligibility,
  ...membership,
  ...shares,
  ...many,
  ...firstPicks,
  ...rebuilds,
  ...extremes,
  ...purity,
];
const HASHING: readonly Check[] = [...hashing, ...rehashing];

/**
 * The behaviour every policy owes: eligible candidates only, shares by weight, no favourites, state that survives a
 * rebuild, no ambient time or chance, and whatever weights. It needs no test runner and takes about a second.
 *
 * Records are kept as a client keeps them: calls are in flight, take the same time everywhere, and end.
 *
 * @param makePolicy is called afresh for each case, in some more than once.
 * @example
 * for (const { name, run } of policySuite(() => myPolicy())) test(name, run);
 * @throws {InvalidOptionError} naming the option out of range, an unknown case or one that is not run included.
 */
export function policySuite(
  makePolicy: () => Policy,
  options: PolicySuiteOptions = {},
): readonly PolicyCase[] {
  checkFunction('makePolicy', makePolicy);
  checkKeys('policySuite', options, ['deviations', 'hashes', 'seed']);
  const hashes = checkBoolean('policySuite.hashes', options.hashes ?? false);
  const seed = checkNumber('policySuite.seed', options.seed ?? 1, {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    integer: true,
  });
  const checks = hashes ? [...GENERAL, ...HASHING] : GENERAL;
  const deviations = checkDeviations(options.deviations ?? {}, checks);
  const subject: Subject = { makePolicy, seed };
  return checks.map(({ id, title, check }) => {
    const reason = deviations[id];
    return reason === undefined
      ? { id, name: title, deviation: undefined, run: () => check(subject) }
      : {
          id,
          name: `${title} (deviates: ${reason})`,
          deviation: reason,
          run: () => expectDeviation(id, reason, () => check(subject)),
        };
  });
}

async function expectDeviation(
  id: PolicyCaseId,
  reason: string,
  check: () => void | Promise<void>,
): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof PolicyViolation) return;
    throw error;
  }
  throw new PolicyViolation(
    `"${id}" is listed as a deviation, but holds; take it off the list. The reason given: ${reason}`,
  );
}

function checkDeviations(
  deviations: Readonly<Partial<Record<PolicyCaseId, string>>>,
  checks: readonly Check[],
): Readonly<Partial<Record<PolicyCaseId, string>>> {
  const ids: readonly string[] = checks.map(({ id }) => id);
  for (const [id, reason] of Object.entries(checkKeys('deviations', deviations, ids))) {
    checkString(`deviations.${id}`, reason);
  }
  return deviations;
}
