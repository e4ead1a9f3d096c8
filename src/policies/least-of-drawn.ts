import type { CallContext, Candidate, Load, Picker, Rng } from '../types.js';
import { costRatio, largestCapacity } from './drawn.js';
import { either, isLess } from './either.js';
import { WeightedDraw } from './weighted-draw.js';

/**
 * Draws tried for one more distinct candidate before the pick goes on without. Only the first few go by weight:
 * beside one that outweighs all others by far they would find it again and again.
 */
const TRIES = 16;
const WEIGHTED_TRIES = 4;

// Classes, for what a pick calls is then the same for the pickers of every list, and inlined.

/**
 * Compares `choices` distinct candidates, fewer than there are, drawn by weight; the first drawn wins a tie, as
 * `LeastOfAll` defines it.
 */
export class LeastOfDrawn implements Picker {
  // Of the pick under way.
  private readonly drawn: Int32Array;
  private readonly costs: Float64Array;
  /** What each would cost with `tiedCalls` less in flight: who costs less than that is better. */
  private readonly lowest: Float64Array;
  private readonly largest: number;

  constructor(
    private readonly candidates: readonly Candidate[],
    private readonly load: Load,
    private readonly rng: Rng,
    choices: number,
    private readonly tiedCalls: number,
    private readonly draw = new WeightedDraw(candidates, rng),
  ) {
    this.drawn = new Int32Array(choices);
    this.costs = new Float64Array(choices);
    this.lowest = new Float64Array(choices);
    this.largest = largestCapacity(candidates);
  }

  pick({ excluded, nowMs }: CallContext): Candidate | undefined {
    const { candidates, drawn, costs, lowest, load, largest, tiedCalls } = this;
    const count = this.drawUpTo(drawn.length, excluded);
    let best = 0;
    // One place asks the load: so it is inlined, and its result never boxed. The first is compared with what was left
    // here, and is the best so far either way.
    for (let i = 0; i < count; i++) {
      const candidate = candidates[drawn[i] ?? 0];
      if (candidate === undefined) break;
      const { state } = candidate;
      costs[i] = load.of(state, nowMs) * (i === 0 ? costRatio(state, largest) : 1);
      best = either(isLess(costs[i] ?? 0, lowest[best] ?? 0), i, best);
      lowest[i] = (costs[i] ?? 0) * (1 - tiedCalls / (state.pending + 1));
    }
    return count === 0 ? undefined : candidates[drawn[best] ?? 0];
  }

  /**
   * Draws so many, as far as there are. @returns how many it has drawn. Apart from `pick`, for V8 inlines only so much in
   * one function, and the load has to be: else each cost is an object.
   */
  private drawUpTo(most: number, excluded: ReadonlySet<string>): number {
    const { draw, drawn } = this;
    for (let count = 0; count < most; count++) {
      const first = draw.index();
      const at = this.isFree(first, count, excluded) ? first : this.another(count, excluded);
      if (at < 0) return count;
      drawn[count] = at;
    }
    return most;
  }

  /** Neither among the first `count` drawn nor excluded. */
  private isFree(at: number, count: number, excluded: ReadonlySet<string>): boolean {
    for (let i = 0; i < count; i++) if (this.drawn[i] === at) return false;
    return excluded.size === 0 || !excluded.has(this.candidates[at]?.instance.id ?? '');
  }

  /** The index of one that is free, after a first try that was not; -1 when there seems to be none. */
  private another(count: number, excluded: ReadonlySet<string>): number {
    const { draw, rng, candidates } = this;
    if (count === 0) return draw.eligible(excluded);
    for (let i = 1; i < TRIES; i++) {
      const at = i < WEIGHTED_TRIES ? draw.index() : Math.floor(rng.next() * candidates.length);
      if (this.isFree(at, count, excluded)) return at;
    }
    return -1;
  }
}

/** The same for two, which most picks are: without the bookkeeping that more of them, or exclusions, take. */
export class BetterOfTwo implements Picker {
  private readonly draw: WeightedDraw;
  private readonly thorough: LeastOfDrawn;
  private readonly largest: number;

  constructor(
    private readonly candidates: readonly Candidate[],
    private readonly load: Load,
    private readonly rng: Rng,
  ) {
    this.draw = new WeightedDraw(candidates, rng);
    this.thorough = new LeastOfDrawn(candidates, load, rng, 2, 0, this.draw);
    this.largest = largestCapacity(candidates);
  }

  pick(context: CallContext): Candidate | undefined {
    if (context.excluded.size > 0) return this.thorough.pick(context);
    const { candidates, draw, load, largest } = this;
    const { nowMs } = context;
    const first = draw.index();
    let second = draw.index();
    if (second === first) second = this.another(first);
    const a = candidates[first];
    const b = candidates[second];
    if (a === undefined || b === undefined) return a;
    const cost = load.of(a.state, nowMs) * costRatio(a.state, largest);
    return candidates[either(isLess(load.of(b.state, nowMs), cost), second, first)];
  }

  /** The index of one that is not `first`, after a first try that was; `first` when there seems to be none. */
  private another(first: number): number {
    const { draw, rng, candidates } = this;
    for (let i = 1; i < TRIES; i++) {
      const at = i < WEIGHTED_TRIES ? draw.index() : Math.floor(rng.next() * candidates.length);
      if (at !== first) return at;
    }
    return first;
  }
}
