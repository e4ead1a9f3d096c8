import { type Decision, type DecisionOptions, Decisions } from './decision.js';
import { type ErrorCode, FairleadError } from './errors.js';
import { EitherSet } from './either-set.js';
import { type InstanceSet, NOTHING_TO_PICK } from './instance-set.js';
import { InstanceState } from './instance-state.js';
import type { Lease } from './lease.js';
import type { Slot } from './slot.js';
import { drawSlot } from './slot-draw.js';
import { isAvailable } from './stages/available.js';
import type { CallContext, Candidate, Env, Instance } from './types.js';

/** Why the last pick went where it went. Plain JSON. */
export interface Explanation {
  readonly policy: string;
  readonly load: string | undefined;
  /** Instances left after each stage, in order, reserves not counted; `listed` is the whole set. */
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

/** A pick as a call asks for it. */
export interface PickRequest extends CallContext {
  /** Attempts of the call that have failed. */
  readonly failures?: number | undefined;
  /** Zones in which the call has failed: others come first. */
  readonly triedZones?: ReadonlySet<string> | undefined;
  /** True where neither the reserves nor instances in doubt are for it: a hedge. */
  readonly activeOnly?: boolean | undefined;
}

export interface SelectionOptions extends DecisionOptions {
  /** What the instances are selected by, in words; `undefined` for all of them. */
  readonly selector?: string | undefined;
  /** True while what the selector goes by is yet to be found out. */
  readonly isPending?: (() => boolean) | undefined;
  /** True where calls keep to their zone: then a retry leaves it after a second failure only. */
  readonly keepsZone?: boolean | undefined;
  /** Ids of the instances that can take no more now. */
  readonly full?: ReadonlySet<string> | undefined;
  /** Told when panic begins, with the reason, and with `undefined` when it ends. */
  readonly onPanic?: ((reason: string | undefined) => void) | undefined;
}

/** Stages, then the policy's pickers, over one instance set. Both run on change or expiry only. */
export class Selection {
  readonly #decisions: Decisions;
  #panicPicks = 0;
  #picked = false;
  #lastPicked: Candidate | undefined;
  #lastExcluded: readonly string[] = NONE;
  #toldPanic: string | undefined;

  constructor(
    private readonly set: InstanceSet,
    private readonly options: SelectionOptions,
    private readonly env: Env,
  ) {
    this.#decisions = new Decisions(set, options, env);
  }

  /** How often a picker has been built. */
  get rebuilds(): number {
    return this.#decisions.rebuilds;
  }

  /** How many picks were made in panic. */
  get panicPicks(): number {
    return this.#panicPicks;
  }

  get panic(): string | undefined {
    return this.#decisions.current?.panic;
  }

  /** Picks and begins an attempt; `undefined` when every candidate is excluded or there is none. */
  pick(context: PickRequest): Lease | undefined {
    const { nowMs, excluded } = context;
    const decision = this.#decisions.at(nowMs);
    if (decision.panic !== undefined || decision.slots.length === 0) this.set.wantFresh(nowMs);
    const candidate = this.#decisions.isOld(decision, nowMs)
      ? this.#chooseAvailable(decision, context)
      : this.#chooseFor(decision, context);
    this.#picked = true;
    this.#lastPicked = candidate;
    this.#lastExcluded = excluded.size === 0 ? NONE : [...excluded];
    if (candidate !== undefined && decision.panic !== undefined) this.#panicPicks++;
    const lease = candidate && this.#begin(candidate, nowMs);
    this.#tellPanic(); // last: whoever listens may pick too
    return lease;
  }

  #begin({ state }: Candidate, nowMs: number): Lease {
    if (state instanceof InstanceState) return state.begin(nowMs);
    throw new FairleadError(
      'ERR_FAIRLEAD_INVALID_OPTION',
      `Policy "${this.options.policy.name}" picked what is no candidate of its list.`,
    );
  }

  /** What was decided of a big set may be a little old: what has become unavailable since is passed over. */
  #chooseAvailable(decision: Decision, context: PickRequest): Candidate | undefined {
    if (decision.panic !== undefined) return this.#chooseFor(decision, context);
    const { nowMs } = context;
    const gone = new Set<string>();
    const withoutGone = { ...request(context), excluded: new EitherSet(context.excluded, gone) };
    let candidate = this.#chooseFor(decision, context);
    while (candidate !== undefined && gone.size < MOST_PASSED_OVER) {
      if (isAvailable(candidate.state, nowMs)) return candidate;
      gone.add(candidate.instance.id);
      candidate = this.#chooseFor(decision, withoutGone);
    }
    return this.#chooseFor(this.#decisions.renew(nowMs), context);
  }

  /** One that has room, and after a failure one of a zone that the call has not failed in, if there is any. */
  #chooseFor(decision: Decision, context: PickRequest): Candidate | undefined {
    const { full = NOBODY } = this.options;
    const { excluded, triedZones = NOBODY } = context;
    const isCrowded = full.size > 0;
    // Reserves are for what the others cannot do, not for what they have no room for just now.
    const activeOnly =
      context.activeOnly === true ||
      (isCrowded &&
        decision.slots.some((slot) => slot.part.ratio > 0 && lacksRoom(slot, excluded, full)));
    const roomy = isCrowded
      ? { ...request(context), excluded: new EitherSet(excluded, full) }
      : context;
    const near = this.#choose(decision, roomy, activeOnly);
    // Where calls keep to their zone, one failure is no reason to leave it.
    const isTime = (context.failures ?? 0) >= (this.options.keepsZone === true ? 2 : 1);
    if (near === undefined || triedZones.size === 0 || !isTime) return near;
    if (!triedZones.has(near.instance.locality.zone ?? '')) return near;
    const untried = [...triedZones].reduce(
      (set, zone) => new EitherSet(set, decision.zones.in(zone)),
      roomy.excluded,
    );
    const far = this.#choose(decision, { ...plain(roomy), excluded: untried }, activeOnly);
    // Another zone is worth less than the right priority.
    const isBetter =
      far !== undefined &&
      far.instance.priority <= near.instance.priority &&
      (!decision.doubtful.has(far.instance.id) || decision.doubtful.has(near.instance.id));
    return isBetter ? far : near;
  }

  #choose(
    { slots, doubtful }: Decision,
    context: PickRequest,
    activeOnly: boolean,
  ): Candidate | undefined {
    const first =
      slots.length < 2 ? slots[0] : drawSlot(slots, this.options.policy, this.env.rng, context);
    if (first === undefined) return undefined;
    // First attempts give every candidate its trial: all of them in panic, one at a time where a breaker is half open.
    // A retry has no such duty, and no attempt to spare: it goes to an instance in good health, while there is one.
    if (context.retry && doubtful.size > 0) {
      const excluded = new EitherSet(context.excluded, doubtful);
      const candidate = pickFrom(slots, first, { ...plain(context), excluded }, activeOnly);
      if (candidate !== undefined || context.activeOnly === true) return candidate;
    }
    return pickFrom(slots, first, context, activeOnly);
  }

  /** True while a call that has tried `excluded`, and `other`, could still go to another instance. */
  hasUntried(
    excluded: ReadonlySet<string>,
    nowMs: number,
    other?: Readonly<Pick<Instance, 'id'>>,
  ): boolean {
    for (const { part } of this.#decisions.at(nowMs).slots) {
      if (excluded.size === 0 && part.candidates.length > 1) return true; // without a look at any
      for (const { instance } of part.candidates) {
        if (instance.id !== other?.id && !excluded.has(instance.id)) return true;
      }
    }
    return false;
  }

  /** True while there is one that a call which has tried `excluded` could go to, had it room. */
  isCrowded(excluded: ReadonlySet<string>, nowMs: number): boolean {
    const { full = NOBODY } = this.options;
    if (full.size === 0) return false;
    return this.#decisions.at(nowMs).slots.some((slot) => lacksRoom(slot, excluded, full));
  }

  /** When what can be picked changes next without anything being told: a breaker's open time ends. */
  changesAtMs(nowMs: number): number {
    return this.#decisions.at(nowMs).expiresAtMs;
  }

  /** Why there is nothing to pick: an error's code, and its text. */
  nothing(): readonly [ErrorCode, string] {
    const { selector } = this.options;
    if (selector !== undefined && this.set.size > 0) {
      return ['ERR_FAIRLEAD_NO_MATCH', `no instance that takes calls has ${selector}`];
    }
    return NOTHING_TO_PICK[this.set.status];
  }

  /** True while nothing matches a selector, and that is not yet the last word. */
  isPending(nowMs: number): boolean {
    const { isPending } = this.options;
    if (isPending === undefined) return false;
    const { slots, panic } = this.#decisions.at(nowMs);
    return (slots.length === 0 || panic !== undefined) && isPending();
  }

  explain(nowMs: number): Explanation {
    const { stages, slots, panic } = this.#decisions.at(nowMs);
    this.#tellPanic();
    const { name, load } = this.options.policy;
    return {
      policy: name,
      load: load?.name,
      stages: [{ name: 'listed', left: this.set.size }, ...stages],
      parts: slots.map(({ part }) => ({
        name: part.name,
        ratio: part.ratio,
        candidates: part.candidates.length,
      })),
      panic,
      picked: this.#lastPicked?.instance.id,
      excluded: this.#lastExcluded,
      candidates: slots.flatMap(({ part }) =>
        part.candidates.map(({ instance, state }) => ({
          id: instance.id,
          part: part.name,
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
    const candidates = slots.reduce((sum, { part }) => sum + part.candidates.length, 0);
    if (this.#lastPicked === undefined) {
      return candidates === 0 ? 'no candidate was left' : 'every candidate had been tried';
    }
    const tried = this.#lastExcluded.length;
    const retried = tried === 0 ? '' : `, after ${String(tried)} tried instance(s) were excluded`;
    const parts = slots.length < 2 ? '' : ` in ${String(slots.length)} parts`;
    return `${this.options.policy.name} chose among ${String(candidates)} candidate(s)${parts}${retried}`;
  }

  #tellPanic(): void {
    const { panic } = this;
    if ((panic === undefined) === (this.#toldPanic === undefined)) return;
    this.#toldPanic = panic;
    this.options.onPanic?.(panic);
  }
}

/** Candidates passed over, at most, that have become unavailable since the last build. */
const MOST_PASSED_OVER = 8;

const NONE: readonly string[] = [];
const NOBODY: ReadonlySet<string> = new Set();

/** True while a candidate of this part has no room, and is not excluded. */
function lacksRoom(
  { part }: Slot,
  excluded: ReadonlySet<string>,
  full: ReadonlySet<string>,
): boolean {
  return part.candidates.some(({ instance: { id } }) => full.has(id) && !excluded.has(id));
}

/** A candidate of `first`, or else of the other parts in their order, for a call that has tried all of it. */
function pickFrom(
  slots: readonly Slot[],
  first: Slot,
  context: CallContext,
  activeOnly: boolean,
): Candidate | undefined {
  const isTrial = first.part.trial === true;
  const candidate = first.picker.pick(isTrial ? { ...plain(context), passing: true } : context);
  if (candidate !== undefined || slots.length === 1) return candidate;
  const elsewhere = { ...plain(context), passing: true };
  for (const slot of slots) {
    if (slot === first || (activeOnly && slot.part.ratio === 0)) continue;
    const other = slot.picker.pick(elsewhere);
    if (other !== undefined) return other;
  }
  return undefined;
}

function request(context: PickRequest): PickRequest {
  const { triedZones, activeOnly, failures } = context;
  return { ...plain(context), triedZones, activeOnly, failures };
}

/** The context as an object of its own: that of a call has getters, which a spread would leave behind. */
function plain({ nowMs, excluded, hashKey, inFlight, retry, passing }: CallContext): CallContext {
  return { nowMs, excluded, hashKey, inFlight, retry, passing };
}
