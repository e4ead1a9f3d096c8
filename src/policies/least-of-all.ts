import type { CallContext, Candidate, Load, Picker, Rng } from '../types.js';
import { nextAtDrawn, type Parts, partsOf } from './parts.js';
import { WeightedDraw } from './weighted-draw.js';

const NONE = -1;
const ALL = -2;

/**
 * Compares all candidates; ties go at random, by weight: to one that is drawn by weight, if it ties.
 *
 * One ties with the least if it would cost no more than that with `tiedCalls` of a call less in flight: a place in its
 * queue costs `cost / (pending + 1)`. So a small difference in latency decides nothing between idle instances, where it
 * would decide everything, for whoever looks faster by a hair gets each call that finds it idle. In longer queues it
 * counts as it should: there the differences add up.
 */
export class LeastOfAll implements Picker {
  private readonly draw: WeightedDraw;
  private readonly parts: Parts;
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
    this.parts = partsOf(candidates);
    this.lowest = new Float64Array(candidates.length);
    this.tied = new Int32Array(candidates.length);
  }

  pick(context: CallContext): Candidate | undefined {
    const { candidates, draw, lowest, parts, tied } = this;
    // Where all are alike, any of those that tie will do.
    const drawn = parts === undefined ? NONE : draw.eligible(context.excluded);
    const least = this.compare(context, drawn);
    if (drawn >= 0) {
      if ((lowest[drawn] ?? NaN) <= least) return candidates[drawn];
      this.compare(context, ALL); // who was better is drawn by weight, too
    }
    const count = this.tie(least);
    if (count > 0) return candidates[tied[this.drawTied(count)] ?? 0];
    return candidates.find(({ instance }) => !context.excluded.has(instance.id)); // one whose cost is no number
  }

  /**
   * Writes down what each costs.
   *
   * @param drawn the index of the one that was drawn by weight; or `ALL` of them, or `NONE`.
   * @returns the least that one costs; Infinity where there is none.
   */
  private compare({ excluded, nowMs }: CallContext, drawn: number): number {
    const { candidates, load, lowest, parts, tiedCalls } = this;
    let least = Infinity;
    for (let i = 0; i < lowest.length; i++) {
      const candidate = candidates[i];
      if (candidate === undefined) break;
      if (excluded.size > 0 && excluded.has(candidate.instance.id)) {
        lowest[i] = NaN;
        continue;
      }
      const { state } = candidate;
      const isDrawn = i === drawn || drawn === ALL;
      const cost = load.of(state, nowMs, isDrawn ? nextAtDrawn(parts, i) : 1);
      lowest[i] = cost * (1 - tiedCalls / (state.pending + 1));
      if (cost < least) least = cost;
    }
    return least;
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
    const { parts, tied, rng } = this;
    if (parts === undefined) return Math.floor(rng.next() * count);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += parts[tied[i] ?? 0] ?? 0;
    let left = rng.next() * sum;
    for (let i = 0; i < count; i++) {
      left -= parts[tied[i] ?? 0] ?? 0;
      if (left < 0) return i;
    }
    return count - 1; // what rounding left over
  }
}
