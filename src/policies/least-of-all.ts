import type { CallContext, Candidate, Load, Picker, Rng } from '../types.js';
import { costRatio, largestCapacity } from './drawn.js';
import { WeightedDraw } from './weighted-draw.js';

/**
 * Compares all candidates with one that is drawn by weight; ties go to that, or at random by weight.
 *
 * One ties with the least if it would cost no more than that with `tiedCalls` of a call less in flight: a place in its
 * queue costs `cost / (pending + 1)`. So a small difference in latency decides nothing between idle instances, where it
 * would decide everything, for whoever looks faster by a hair gets each call that finds it idle. In longer queues it
 * counts as it should: there the differences add up.
 */
export class LeastOfAll implements Picker {
  private readonly draw: WeightedDraw;
  private readonly largest: number;
  /** All have the same weight, and are warm: any of those that tie will do. */
  private readonly areAlike: boolean;
  // Of the pick under way.
  /** What each would cost with `tiedCalls` less in flight; NaN for those that are excluded. */
  private readonly lowest: Float64Array;
  /** Indices of those that tie. */
  private readonly tied: Int32Array;

  constructor(
    private readonly candidates: readonly Candidate[],
    private readonly load: Load,
    private readonly rng: Rng,
    private readonly tiedCalls: number,
  ) {
    this.draw = new WeightedDraw(candidates, rng);
    this.largest = largestCapacity(candidates);
    this.areAlike = candidates.every(({ state }) => state.capacity === this.largest);
    this.lowest = new Float64Array(candidates.length);
    this.tied = new Int32Array(candidates.length);
  }

  pick(context: CallContext): Candidate | undefined {
    const { candidates, draw, lowest, tied } = this;
    const least = this.compare(context);
    if (!this.areAlike) {
      const drawn = draw.eligible(context.excluded);
      if (this.lowestAsDrawn(drawn) <= least) return candidates[drawn];
      // Who was better is drawn by weight, too.
      for (let i = 0; i < lowest.length; i++) lowest[i] = this.lowestAsDrawn(i);
    }
    const count = this.tie(least);
    if (count > 0) return candidates[tied[this.drawTied(count)] ?? 0];
    return candidates.find(({ instance }) => !context.excluded.has(instance.id)); // one whose cost is no number
  }

  /** @returns the least that one costs; Infinity where there is none. */
  private compare({ excluded, nowMs }: CallContext): number {
    const { candidates, load, lowest, tiedCalls } = this;
    let least = Infinity;
    for (let i = 0; i < lowest.length; i++) {
      const candidate = candidates[i];
      if (candidate === undefined) break;
      if (excluded.size > 0 && excluded.has(candidate.instance.id)) {
        lowest[i] = NaN;
        continue;
      }
      const { state } = candidate;
      const cost = load.of(state, nowMs);
      lowest[i] = cost * (1 - tiedCalls / (state.pending + 1));
      if (cost < least) least = cost;
    }
    return least;
  }

  /** NaN where there is none. */
  private lowestAsDrawn(at: number): number {
    const candidate = this.candidates[at];
    if (candidate === undefined) return NaN;
    return (this.lowest[at] ?? NaN) * costRatio(candidate.state, this.largest);
  }

  /** Finds those that tie. @returns how many. Without a branch: chance decides, and no processor can guess. */
  private tie(least: number): number {
    const { lowest, tied } = this;
    let count = 0;
    for (let i = 0; i < lowest.length; i++) {
      tied[count] = i;
      count += Number((lowest[i] ?? 0) <= least);
    }
    return count;
  }

  /** Which of the first so many that tie, by weight. */
  private drawTied(count: number): number {
    const { rng } = this;
    if (this.areAlike) return Math.floor(rng.next() * count);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += this.partOf(i);
    let left = rng.next() * sum;
    for (let i = 0; i < count; i++) {
      left -= this.partOf(i);
      if (left < 0) return i;
    }
    return count - 1; // what rounding left over
  }

  /** Of one that ties, over the largest: a sum of huge weights must not overflow. */
  private partOf(i: number): number {
    const { candidates, largest, tied } = this;
    return (candidates[tied[i] ?? 0]?.state.capacity ?? 0) / largest;
  }
}
