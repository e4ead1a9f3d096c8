import type { ResolvedOutlierDetection } from '../health-options.js';
import type { OutlierWatch } from '../instance-state.js';
import type { BreakerState, InstanceRecord } from '../types.js';

/** Steps of the window. */
const STEPS = 10;
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
 * nothing, and the outcomes of an instance that has left leave the sum by themselves. An instance costs about 400
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

class Watch implements OutlierWatch {
  readonly #own = new OutcomeWindow();
  #breaker: BreakerState;

  constructor(
    private readonly of: Watched,
    private readonly all: OutcomeWindow,
    private readonly settings: ResolvedOutlierDetection,
  ) {
    this.#breaker = of.breaker;
  }

  record(success: boolean, nowMs: number, answered = false): boolean {
    const { of, all, settings } = this;
    const own = this.#own;
    own.moveTo(all.moveTo(Math.floor((nowMs / settings.windowMs) * STEPS)));
    const { breaker } = of;
    if (breaker !== this.#breaker) {
      // Another state, if only closed anew: what was before is history, its own and the set's.
      this.#breaker = breaker;
      all.takeOut(own);
      own.takeOut(own);
    }
    if (breaker.kind !== 'closed') return false;
    const turns = answered && own.hasSuccess;
    own.add(success, turns);
    all.add(success, turns);
    return !success && this.#standsOut();
  }

  #standsOut(): boolean {
    const { successRatio, minAttempts } = this.settings;
    const { attempts, failures } = this.#own;
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

/** Outcomes of the last ten steps. */
class OutcomeWindow {
  attempts = 0;
  failures = 0;
  #step = 0;
  readonly #attemptsOf = new Array<number>(STEPS).fill(0);
  readonly #failuresOf = new Array<number>(STEPS).fill(0);

  /** Drops what is too old at `step`, counted from the clock's zero. @returns the step it is at: it never goes back. */
  moveTo(step: number): number {
    for (let next = Math.max(this.#step, step - STEPS) + 1; next <= step; next++) {
      const bucket = next % STEPS;
      this.#count(bucket, -(this.#attemptsOf[bucket] ?? 0), -(this.#failuresOf[bucket] ?? 0));
    }
    this.#step = Math.max(this.#step, step);
    return this.#step;
  }

  /** True when a success is there to be taken back. */
  get hasSuccess(): boolean {
    const bucket = this.#step % STEPS;
    return (this.#attemptsOf[bucket] ?? 0) > (this.#failuresOf[bucket] ?? 0);
  }

  /** @param turns a success of this step turns out to be a failure: one attempt, not two. */
  add(success: boolean, turns: boolean): void {
    this.#count(this.#step % STEPS, turns ? 0 : 1, success ? 0 : 1);
  }

  /** Takes out what `other` holds of the same steps. */
  takeOut(other: OutcomeWindow): void {
    for (let bucket = 0; bucket < STEPS; bucket++) {
      this.#count(bucket, -(other.#attemptsOf[bucket] ?? 0), -(other.#failuresOf[bucket] ?? 0));
    }
  }

  #count(bucket: number, attempts: number, failures: number): void {
    this.#attemptsOf[bucket] = (this.#attemptsOf[bucket] ?? 0) + attempts;
    this.#failuresOf[bucket] = (this.#failuresOf[bucket] ?? 0) + failures;
    this.attempts += attempts;
    this.failures += failures;
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
