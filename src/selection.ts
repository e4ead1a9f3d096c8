import { FairleadError } from './errors.js';
import type { InstanceSet } from './instance-set.js';
import { InstanceState, type Lease } from './instance-state.js';
import type { CallContext, Candidate, Env, Load, Picker, Policy, Stage } from './types.js';

/** What is decided for all calls until the set changes or `expiresAtMs`. */
interface Decision {
  readonly version: number;
  readonly expiresAtMs: number;
  readonly candidates: readonly Candidate[];
  /** Ids of the candidates whose breaker is not closed. */
  readonly doubtful: readonly string[];
  readonly picker: Picker;
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
  readonly panic: string | undefined;
  /** Instance id of the last pick; `undefined` before the first, or when none was left. */
  readonly picked: string | undefined;
  readonly excluded: readonly string[];
  readonly candidates: readonly {
    readonly id: string;
    readonly weight: number;
    readonly pending: number;
    /** As the policy's load metric sees it now; `undefined` when it uses none. */
    readonly load: number | undefined;
  }[];
  readonly reason: string;
}

/** Stages, then the policy's picker, over one instance set. Both run on change or expiry only. */
export class Selection {
  #decision: Decision | undefined;
  #rebuilds = 0;
  #picked = false;
  #lastPicked: Candidate | undefined;
  #lastExcluded: readonly string[] = NONE;

  constructor(
    private readonly set: InstanceSet,
    private readonly stages: readonly Stage[],
    private readonly policy: Policy,
    private readonly env: Env,
  ) {}

  /** How often stages and picker have been built. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  get panic(): string | undefined {
    return this.#decision?.panic;
  }

  /** Picks and begins an attempt; `undefined` when every candidate is excluded or there is none. */
  pick(context: CallContext): Lease | undefined {
    const decision = this.#decide(context.nowMs);
    if (decision.panic !== undefined || decision.candidates.length === 0) {
      this.set.wantFresh(context.nowMs);
    }
    const candidate = this.#pickCautiously(decision, context) ?? decision.picker.pick(context);
    this.#picked = true;
    this.#lastPicked = candidate;
    this.#lastExcluded = context.excluded.size === 0 ? NONE : [...context.excluded];
    if (candidate === undefined) return undefined;
    const { state } = candidate;
    if (state instanceof InstanceState) return state.begin(context.nowMs);
    throw new FairleadError(
      'ERR_FAIRLEAD_INVALID_OPTION',
      `Policy "${this.policy.name}" picked what is no candidate of its list.`,
    );
  }

  /**
   * First attempts give every candidate its trial: all of them in panic, one at a time where a breaker is half
   * open. A retry has no such duty, and no attempt to spare: it goes to an instance whose breaker is closed, while
   * there is one.
   */
  #pickCautiously(
    { picker, doubtful }: Decision,
    { nowMs, excluded, hashKey, inFlight }: CallContext,
  ): Candidate | undefined {
    if (excluded.size === 0 || doubtful.length === 0) return undefined;
    const avoided = new Set([...excluded, ...doubtful]);
    return picker.pick({ nowMs, hashKey, inFlight, excluded: avoided });
  }

  /** True while a call that has tried `excluded`, and `id`, could still go to another instance. */
  hasUntried(excluded: ReadonlySet<string>, nowMs: number, id?: string): boolean {
    return this.#decide(nowMs).candidates.some(
      ({ instance }) => instance.id !== id && !excluded.has(instance.id),
    );
  }

  explain(nowMs: number): Explanation {
    const { stages, candidates, panic } = this.#decide(nowMs);
    const { load } = this.policy;
    return {
      policy: this.policy.name,
      load: load?.name,
      stages: [{ name: 'listed', left: this.set.members().length }, ...stages],
      panic,
      picked: this.#lastPicked?.instance.id,
      excluded: this.#lastExcluded,
      candidates: candidates.map(({ instance, state }) => ({
        id: instance.id,
        weight: instance.weight,
        pending: state.pending,
        load: load?.of(state, nowMs),
      })),
      reason: this.#reason(candidates.length),
    };
  }

  #reason(candidates: number): string {
    if (!this.#picked) return 'nothing was picked yet';
    if (this.#lastPicked === undefined) {
      return candidates === 0 ? 'no candidate was left' : 'every candidate had been tried';
    }
    const tried = this.#lastExcluded.length;
    const retried = tried === 0 ? '' : `, after ${String(tried)} tried instance(s) were excluded`;
    return `${this.policy.name} chose among ${String(candidates)} candidate(s)${retried}`;
  }

  #decide(nowMs: number): Decision {
    const current = this.#decision;
    if (current?.version === this.set.version && nowMs < current.expiresAtMs) return current;
    return (this.#decision = this.#build(nowMs, current));
  }

  #build(nowMs: number, previous: Decision | undefined): Decision {
    const { version } = this.set;
    let expiresAtMs = Infinity;
    let panic: string | undefined;
    let candidates: readonly Candidate[] = this.set.members();
    const stages = this.stages.map((stage) => {
      candidates = stage.apply(candidates, {
        nowMs,
        expireAt: (atMs) => {
          if (atMs > nowMs) expiresAtMs = Math.min(expiresAtMs, atMs);
        },
        panic: (reason) => {
          panic ??= reason;
        },
      });
      return { name: stage.name, left: candidates.length };
    });
    // A state change that leaves the same candidates keeps the picker.
    const same = previous !== undefined && isSameList(previous.candidates, candidates);
    if (!same) {
      this.#rebuilds++;
      seedUnmeasured(candidates, this.policy.load, nowMs);
    }
    const picker = same
      ? previous.picker
      : this.policy.build(candidates, this.env, previous?.picker);
    const doubtful = candidates
      .filter(({ state }) => state.breaker.kind !== 'closed')
      .map(({ instance }) => instance.id);
    return { version, expiresAtMs, candidates, doubtful, picker, stages, panic };
  }
}

const NONE: readonly string[] = [];

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
