import { largestWeight } from '../largest-weight.js';
import type { CallContext, Candidate, Load, Picker, Rng } from '../types.js';

/**
 * Compares all candidates; ties go at random, by weight. One that warms up takes part in as many picks as its ramp says:
 * a load alone would give it nothing while the others are idle, and its whole share of a few calls at a time.
 *
 * One ties with the least if it would cost no more than that with `tiedCalls` of a call less in flight: a place in its
 * queue costs `cost / (pending + 1)`. So a small difference in latency decides nothing between idle instances, where it
 * would decide everything, for whoever looks faster by a hair gets each call that finds it idle. In longer queues it
 * counts as it should: there the differences add up.
 */
export class LeastOfAll implements Picker {
  /** Of each candidate, over the largest of them, for sums must not overflow; `undefined` where all are equal. */
  private readonly weights: Float64Array | undefined;
  /** Of each candidate; `undefined` where all are warm. */
  private readonly ramps: Float64Array | undefined;
  // Of the pick under way.
  /** What each would cost with `tiedCalls` less in flight; NaN for those that do not take part. */
  private readonly lowest: Float64Array;
  /** Indices of those that tie. */
  private readonly tied: Int32Array;

  constructor(
    private readonly candidates: readonly Candidate[],
    private readonly load: Load,
    private readonly rng: Rng,
    private readonly tiedCalls: number,
  ) {
    const largest = largestWeight(candidates, ({ instance }) => instance.weight);
    this.weights = candidates.every(({ instance }) => instance.weight === largest)
      ? undefined
      : Float64Array.from(candidates, ({ instance }) => instance.weight / largest);
    this.ramps = candidates.every(({ state }) => state.ramp === 1)
      ? undefined
      : Float64Array.from(candidates, ({ state }) => state.ramp);
    this.lowest = new Float64Array(candidates.length);
    this.tied = new Int32Array(candidates.length);
  }

  pick(context: CallContext): Candidate | undefined {
    const { candidates, ramps, tied } = this;
    let count = this.compare(context, ramps);
    if (count === 0 && ramps !== undefined) count = this.compare(context, undefined); // none but those that warm up
    if (count > 0) return candidates[tied[this.draw(count)] ?? 0];
    return candidates.find(({ instance }) => !context.excluded.has(instance.id)); // one whose cost is no number
  }

  /**
   * Finds those that tie for the least.
   *
   * @param ramps of those that may be passed over for their ramp; `undefined`: none is.
   * @returns how many tie, 0 when nobody takes part.
   */
  private compare({ excluded, nowMs }: CallContext, ramps: Float64Array | undefined): number {
    const { candidates, load, lowest, rng, tied, tiedCalls } = this;
    let least = Infinity;
    for (let i = 0; i < lowest.length; i++) {
      const candidate = candidates[i];
      if (candidate === undefined) break;
      const isPassedOver = ramps !== undefined && rng.next() >= (ramps[i] ?? 1);
      if (isPassedOver || (excluded.size > 0 && excluded.has(candidate.instance.id))) {
        lowest[i] = NaN;
        continue;
      }
      const { state } = candidate;
      const cost = load.of(state, nowMs);
      lowest[i] = cost * (1 - tiedCalls / (state.pending + 1));
      if (cost < least) least = cost;
    }
    // Without a branch: chance decides, and no processor can guess.
    let count = 0;
    for (let i = 0; i < lowest.length; i++) {
      tied[count] = i;
      count += Number((lowest[i] ?? 0) <= least);
    }
    return count;
  }

  /** One of the first so many that tie. */
  private draw(count: number): number {
    const { weights, tied, rng } = this;
    if (weights === undefined) return Math.floor(rng.next() * count);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weights[tied[i] ?? 0] ?? 0;
    let left = rng.next() * sum;
    for (let i = 0; i < count; i++) {
      left -= weights[tied[i] ?? 0] ?? 0;
      if (left < 0) return i;
    }
    return count - 1; // what rounding left over
  }
}
