import { type ErrorCode, FairleadError } from './errors.js';
import { unitHash } from './hash.js';
import { type InstanceSet, NOTHING_TO_PICK } from './instance-set.js';
import { InstanceState, type Lease } from './instance-state.js';
import { whole } from './stages/part.js';
import type {
  CallContext,
  Candidate,
  Env,
  Load,
  Part,
  Picker,
  Policy,
  Stage,
  StageContext,
} from './types.js';

/** A part with its picker. */
interface Slot extends Part {
  readonly picker: Picker;
  /** Ids of the candidates whose breaker is not closed, or should not be. */
  readonly doubtful: readonly string[];
}

/** What is decided for all calls until the set changes or `expiresAtMs`. */
interface Decision {
  readonly version: number;
  readonly capacities: number;
  readonly expiresAtMs: number;
  /** The preferred first. */
  readonly slots: readonly Slot[];
  readonly stages: readonly { readonly name: string; readonly left: number }[];
  /** Why the rules were set aside and all instances used; `undefined` in good times. */
  readonly panic: string | undefined;
}

/** Why the last pick went where it went. Plain JSON. */
export interface Explanation {
  readonly policy: string;
  readonly load: string | undefined;
  /** Instances left after each stage, in order; `listed` is the whole set. */
  readonly stages: readonly { readonly name: string; readonly left: number }[];
  /** How the calls are divided, the preferred part first. A part of ratio 0 is a reserve. */
  readonly parts: readonly {
    readonly name: string;
    readonly ratio: number;
    readonly candidates: number;
  }[];
  readonly panic: string | undefined;
  /** Instance id of the last pick; `undefined` before the first, or when none was left. */
  readonly picked: string | undefined;
  readonly excluded: readonly string[];
  readonly candidates: readonly {
    readonly id: string;
    /** Name of its part; empty where the calls are not divided. */
    readonly part: string;
    readonly weight: number;
    /** What it is given now, in units of weight: less than its weight while it warms up. */
    readonly capacity: number;
    readonly pending: number;
    /** As the policy's load metric sees it now; `undefined` when it uses none. */
    readonly load: number | undefined;
  }[];
  readonly reason: string;
}

export interface SelectionOptions {
  readonly stages: readonly Stage[];
  readonly policy: Policy;
  /** What the instances are selected by, in words; `undefined` for all of them. */
  readonly selector?: string | undefined;
  /** Told when panic begins, with the reason, and with `undefined` when it ends. */
  readonly onPanic?: ((reason: string | undefined) => void) | undefined;
}

/** Stages, then the policy's pickers, over one instance set. Both run on change or expiry only. */
export class Selection {
  #decision: Decision | undefined;
  #rebuilds = 0;
  #panicPicks = 0;
  #picked = false;
  #lastPicked: Candidate | undefined;
  #lastExcluded: readonly string[] = NONE;

  constructor(
    private readonly set: InstanceSet,
    private readonly options: SelectionOptions,
    private readonly env: Env,
  ) {}

  /** How often a picker has been built. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  /** How many picks were made in panic. */
  get panicPicks(): number {
    return this.#panicPicks;
  }

  get panic(): string | undefined {
    return this.#decision?.panic;
  }

  /** Picks and begins an attempt; `undefined` when every candidate is excluded or there is none. */
  pick(context: CallContext): Lease | undefined {
    const decision = this.#decide(context.nowMs);
    if (decision.panic !== undefined || decision.slots.length === 0) {
      this.set.wantFresh(context.nowMs);
    }
    const candidate = this.#choose(decision.slots, context);
    this.#picked = true;
    this.#lastPicked = candidate;
    this.#lastExcluded = context.excluded.size === 0 ? NONE : [...context.excluded];
    if (candidate === undefined) return undefined;
    if (decision.panic !== undefined) this.#panicPicks++;
    const { state } = candidate;
    if (state instanceof InstanceState) return state.begin(context.nowMs);
    throw new FairleadError(
      'ERR_FAIRLEAD_INVALID_OPTION',
      `Policy "${this.options.policy.name}" picked what is no candidate of its list.`,
    );
  }

  #choose(slots: readonly Slot[], context: CallContext): Candidate | undefined {
    const first = slots.length < 2 ? slots[0] : this.#draw(slots, context);
    if (first === undefined) return undefined;
    if (context.excluded.size === 0)
      return first.picker.pick(context) ?? next(slots, first, context);
    // First attempts give every candidate its trial: all of them in panic, one at a time where a breaker is half open.
    // A retry has no such duty, and no attempt to spare: it goes to an instance whose breaker is closed, while there is
    // one.
    const doubtful = slots.flatMap((slot) => slot.doubtful);
    if (doubtful.length > 0) {
      const { nowMs, hashKey, inFlight } = context;
      const excluded = new Set([...context.excluded, ...doubtful]);
      const cautious = { nowMs, hashKey, inFlight, excluded };
      const candidate = first.picker.pick(cautious) ?? next(slots, first, cautious);
      if (candidate !== undefined) return candidate;
    }
    return first.picker.pick(context) ?? next(slots, first, context);
  }

  /** Draws a part by ratio: at random, or the same one each time for the same key where the policy goes by keys. */
  #draw(slots: readonly Slot[], { hashKey }: CallContext): Slot | undefined {
    const keyed = this.options.policy.keyed === true && hashKey !== undefined;
    let left = keyed ? unitHash(hashKey) : this.env.rng.next();
    for (const slot of slots) {
      left -= slot.ratio;
      if (left < 0) return slot;
    }
    return slots.find(({ ratio }) => ratio > 0) ?? slots[0]; // what rounding left over
  }

  /** True while a call that has tried `excluded`, and `id`, could still go to another instance. */
  hasUntried(excluded: ReadonlySet<string>, nowMs: number, id?: string): boolean {
    return this.#decide(nowMs).slots.some(({ candidates }) =>
      candidates.some(({ instance }) => instance.id !== id && !excluded.has(instance.id)),
    );
  }

  /** Why there is nothing to pick: an error's code, and its text. */
  nothing(): readonly [ErrorCode, string] {
    const { selector } = this.options;
    if (selector !== undefined && this.set.status === 'listed' && this.set.size > 0) {
      return ['ERR_FAIRLEAD_NO_MATCH', `no instance that takes calls has ${selector}`];
    }
    return NOTHING_TO_PICK[this.set.status];
  }

  explain(nowMs: number): Explanation {
    const { stages, slots, panic } = this.#decide(nowMs);
    const { name, load } = this.options.policy;
    return {
      policy: name,
      load: load?.name,
      stages: [{ name: 'listed', left: this.set.size }, ...stages],
      parts: slots.map((slot) => ({
        name: slot.name,
        ratio: slot.ratio,
        candidates: slot.candidates.length,
      })),
      panic,
      picked: this.#lastPicked?.instance.id,
      excluded: this.#lastExcluded,
      candidates: slots.flatMap((slot) =>
        slot.candidates.map(({ instance, state }) => ({
          id: instance.id,
          part: slot.name,
          weight: instance.weight,
          capacity: state.capacity,
          pending: state.pending,
          load: load?.of(state, nowMs),
        })),
      ),
      reason: this.#reason(slots),
    };
  }

  #reason(slots: readonly Slot[]): string {
    if (!this.#picked) return 'nothing was picked yet';
    const candidates = slots.reduce((sum, slot) => sum + slot.candidates.length, 0);
    if (this.#lastPicked === undefined) {
      return candidates === 0 ? 'no candidate was left' : 'every candidate had been tried';
    }
    const tried = this.#lastExcluded.length;
    const retried = tried === 0 ? '' : `, after ${String(tried)} tried instance(s) were excluded`;
    const parts = slots.length < 2 ? '' : ` in ${String(slots.length)} parts`;
    return `${this.options.policy.name} chose among ${String(candidates)} candidate(s)${parts}${retried}`;
  }

  #decide(nowMs: number): Decision {
    const current = this.#decision;
    if (current?.version === this.set.version && nowMs < current.expiresAtMs) return current;
    const decision = this.#build(nowMs, current);
    this.#decision = decision;
    if ((decision.panic === undefined) !== (current?.panic === undefined)) {
      this.options.onPanic?.(decision.panic);
    }
    return decision;
  }

  #build(nowMs: number, previous: Decision | undefined): Decision {
    const { version, slowStart } = this.set;
    slowStart.refresh(nowMs);
    let expiresAtMs = slowStart.nextMs;
    let panic: string | undefined;
    const context: StageContext = {
      nowMs,
      expireAt: (atMs) => {
        if (atMs > nowMs) expiresAtMs = Math.min(expiresAtMs, atMs);
      },
      panic: (reason) => {
        panic ??= reason;
      },
    };
    let parts: readonly Part[] = [whole(this.set.members())];
    const stages = this.options.stages.map((stage) => {
      parts = parts
        .flatMap((part) => stage.apply(part, context))
        .filter(({ candidates }) => candidates.length > 0);
      return {
        name: stage.name,
        left: parts.reduce((sum, part) => sum + part.candidates.length, 0),
      };
    });
    const capacities = slowStart.version;
    // What changed nothing for a part keeps its picker.
    const kept = new Map(previous?.slots.map((slot) => [slot.name, slot]));
    const slots = parts.map((part): Slot => {
      const before = kept.get(part.name);
      const same =
        previous?.capacities === capacities &&
        before !== undefined &&
        isSameList(before.candidates, part.candidates);
      return {
        ...part,
        picker: same ? before.picker : this.#buildPicker(part.candidates, nowMs, before?.picker),
        doubtful: doubtfulOf(part.candidates, context),
      };
    });
    return { version, capacities, expiresAtMs, slots, stages, panic };
  }

  #buildPicker(
    candidates: readonly Candidate[],
    nowMs: number,
    previous: Picker | undefined,
  ): Picker {
    this.#rebuilds++;
    seedUnmeasured(candidates, this.options.policy.load, nowMs);
    return this.options.policy.build(candidates, this.env, previous);
  }
}

const NONE: readonly string[] = [];

/** A candidate of the other parts, in their order, for a call that has tried all of `first`. */
function next(slots: readonly Slot[], first: Slot, context: CallContext): Candidate | undefined {
  for (const slot of slots) {
    if (slot === first) continue;
    const candidate = slot.picker.pick(context);
    if (candidate !== undefined) return candidate;
  }
  return undefined;
}

function doubtfulOf(candidates: readonly Candidate[], context: StageContext): readonly string[] {
  return candidates
    .filter(({ state }) => {
      const { breaker, heldUntilMs } = state;
      if (heldUntilMs > context.nowMs) context.expireAt(heldUntilMs);
      return breaker.kind !== 'closed' || heldUntilMs > context.nowMs;
    })
    .map(({ instance }) => instance.id);
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

function isSameList(a: readonly Candidate[], b: readonly Candidate[]): boolean {
  return a.length === b.length && a.every((candidate, i) => candidate === b[i]);
}
