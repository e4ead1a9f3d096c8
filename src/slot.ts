import { InstanceState } from './instance-state.js';
import type { Candidate, Env, Load, Part, Picker, Policy } from './types.js';

/** A part of the calls with its picker. That of a reserve is built when first needed: it may never be. */
export class Slot {
  #picker: Picker | undefined;
  #capacities: Float64Array | undefined;

  /**
   * @param previous the picker that knows most of what this one is to know, asked for when this one is built.
   * @param onBuild told of the picker built.
   */
  constructor(
    readonly part: Part,
    private readonly policy: Policy,
    private readonly env: Env,
    private readonly previous: () => Picker | undefined,
    private readonly onBuild: (picker: Picker) => void,
  ) {}

  /** Builds the picker if the part has calls to pick for. */
  prepare(): this {
    if (this.part.ratio > 0) this.#picker ??= this.#build();
    return this;
  }

  get picker(): Picker {
    return (this.#picker ??= this.#build());
  }

  /** True when the picker, built or yet to be, fits this part too. */
  fits({ candidates }: Part): boolean {
    const ours = this.part.candidates;
    if (ours.length !== candidates.length) return false;
    if (!ours.every((candidate, i) => candidate === candidates[i])) return false;
    const capacities = this.#capacities;
    // A policy that goes by keys goes by weights: keys must not wander while an instance warms up.
    if (capacities === undefined || this.policy.keyed === true) return true;
    return candidates.every(({ state }, i) => state.capacity === capacities[i]);
  }

  /** The same picker, for a part that it fits. */
  forPart(part: Part): Slot {
    const slot = new Slot(part, this.policy, this.env, this.previous, this.onBuild);
    slot.#picker = this.#picker;
    slot.#capacities = this.#capacities;
    return slot;
  }

  #build(): Picker {
    const { candidates } = this.part;
    this.#capacities = Float64Array.from(candidates, ({ state }) => state.capacity);
    seedUnmeasured(candidates, this.policy.load, this.env.clock.now());
    const picker = this.policy.build(candidates, this.env, this.previous());
    this.onBuild(picker);
    return picker;
  }
}

/** Gives candidates never measured an estimate to start with, from what is known of the others. */
export function seedUnmeasured(
  candidates: readonly Candidate[],
  load: Load | undefined,
  nowMs: number,
): void {
  const unmeasured = candidates.filter(({ state }) => state.measured === 0);
  if (load?.seed === undefined || unmeasured.length === 0) return;
  const states = candidates.map(({ state }) => state);
  const seedMs = load.seed(states, nowMs);
  for (const { state } of unmeasured) {
    if (state instanceof InstanceState) state.seed(seedMs, nowMs);
  }
}
