import { InstanceState } from './instance-state.js';
import type { Candidate, Env, Instance, Load, Part, Picker, Policy } from './types.js';

/** What a picker was built for: the candidates' records go on changing. */
interface Built {
  readonly picker: Picker;
  readonly instances: readonly Instance[];
  /** Absent while each is the whole weight: nobody warms up. */
  readonly capacities: Float64Array | undefined;
}

/** A part of the calls with its picker. That of a reserve is built when first needed: it may never be. */
export class Slot {
  #built: Built | undefined;

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
    if (this.part.ratio > 0) this.#built ??= this.#build();
    return this;
  }

  get picker(): Picker {
    return (this.#built ??= this.#build()).picker;
  }

  /** True when the picker, built or yet to be, fits this part too. */
  fits({ candidates }: Part): boolean {
    const ours = this.part.candidates;
    if (ours.length !== candidates.length) return false;
    if (ours !== candidates && ours.some((candidate, i) => candidate !== candidates[i]))
      return false;
    const built = this.#built;
    if (built === undefined) return true;
    const { instances, capacities } = built;
    // A policy that goes by keys goes by weights: keys must not wander while an instance warms up.
    const isKeyed = this.policy.keyed === true;
    return candidates.every(
      ({ instance, state }, i) =>
        instance === instances[i] &&
        (isKeyed || state.capacity === (capacities?.[i] ?? instance.weight)),
    );
  }

  /** The same picker, for a part that it fits. */
  forPart(part: Part): Slot {
    const slot = new Slot(part, this.policy, this.env, this.previous, this.onBuild);
    slot.#built = this.#built;
    return slot;
  }

  #build(): Built {
    const { candidates } = this.part;
    const isWarm = candidates.every(({ instance, state }) => state.capacity === instance.weight);
    const built = {
      instances: candidates.map(({ instance }) => instance),
      capacities: isWarm ? undefined : Float64Array.from(candidates, ({ state }) => state.capacity),
    };
    seedUnmeasured(candidates, this.policy.load, this.env.clock.now());
    const picker = this.policy.build(candidates, this.env, this.previous());
    this.onBuild(picker);
    return { picker, ...built };
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
