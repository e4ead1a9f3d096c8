import type { ResolvedOutlierDetection } from '../health-options.js';
import type { OutlierWatch } from '../instance-state.js';
import type { BreakerState, InstanceRecord } from '../types.js';
import { OutcomeWindow, STEPS } from './outcome-window.js';

/** How sure it must be, in standard deviations of the normal distribution: 3.4 of a million looks are wrong. */
const SIGMAS = 4.5;
/** How many times as often as its peers it must fail: what is sure can still be too small to matter. */
const TIMES_WORSE = 1.5;

/** Whose outcomes are watched: only its breaker matters. */
type Watched = Pick<InstanceRecord, 'breaker'>;

/**
 * Finds the instances of a set that do worse than their peers.
 *
 * Of each instance and of all together it keeps the outcomes of the last `windowMs`, in ten steps: one that is older
 * never counts, one of the last nine steps always does. Windows move on when an outcome comes, so what is idle costs
 * nothing, and the outcomes of an instance that has left leave the sum by themselves. An instance costs about 300
 * bytes, an outcome no allocation and no walk over the peers.
 */
export class OutlierDetection {
  readonly #all = new OutcomeWindow();

  constructor(private readonly settings: ResolvedOutlierDetection) {}

  /** @param of while its breaker is not closed its outcomes do not count, and then it starts with an empty window. */
  watch(of: Watched): OutlierWatch {
    return new Watch(of, this.#all, this.settings);
  }
}

/** The outcomes of one instance, among those of `all`. */
class Watch extends OutcomeWindow implements OutlierWatch {
  #breaker: BreakerState;

  constructor(
    private readonly of: Watched,
    private readonly all: OutcomeWindow,
    private readonly settings: ResolvedOutlierDetection,
  ) {
    super();
    this.#breaker = of.breaker;
  }

  record(success: boolean, nowMs: number, answered = false): boolean {
    const { of, all, settings } = this;
    this.moveTo(all.moveTo(Math.floor((nowMs / settings.windowMs) * STEPS)));
    const { breaker } = of;
    if (breaker !== this.#breaker) {
      // Another state, if only closed anew: what was before is history, its own and the set's.
      this.#breaker = breaker;
      all.takeOut(this);
      this.takeOut(this);
    }
    if (breaker.kind !== 'closed') return false;
    const turns = answered && this.hasSuccess;
    this.add(success, turns);
    all.add(success, turns);
    return !success && this.#standsOut();
  }

  #standsOut(): boolean {
    const { successRatio, minAttempts } = this.settings;
    const { attempts, failures } = this;
    const restAttempts = this.all.attempts - attempts;
    const restFailures = this.all.failures - failures;
    if (attempts < minAttempts || restAttempts < minAttempts) return false;
    const ratio = failures / attempts;
    return (
      1 - ratio < successRatio &&
      ratio >= (TIMES_WORSE * restFailures) / restAttempts &&
      logLikelihoodRatio(failures, attempts, restFailures, restAttempts) >= SIGMAS ** 2
    );
  }
}

/**
 * How much better two failure ratios explain what was seen than one for both: 2 ln of the ratio of the likelihoods.
 * Were they one, its root would be normally distributed, as the two-proportion z statistic is; but the z statistic is
 * only so where each cell holds some five, and failures are few. Of ten attempts with 5 % ambient errors three fail
 * now and then (1 in 90), which z takes for 3.6 standard deviations and this for 2.5.
 *
 * Source: S. Wilks, "The Large-Sample Distribution of the Likelihood Ratio", 1938; T. Dunning, "Accurate Methods for the
 * Statistics of Surprise and Coincidence", 1993, for small counts.
 */
function logLikelihoodRatio(
  failures: number,
  attempts: number,
  restFailures: number,
  restAttempts: number,
): number {
  const common = (failures + restFailures) / (attempts + restAttempts);
  return (
    2 *
    (surprise(failures, attempts, common) +
      surprise(attempts - failures, attempts, 1 - common) +
      surprise(restFailures, restAttempts, common) +
      surprise(restAttempts - restFailures, restAttempts, 1 - common))
  );
}

function surprise(count: number, of: number, expectedRatio: number): number {
  return count === 0 ? 0 : count * Math.log(count / of / expectedRatio);
}
