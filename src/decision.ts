import type { InstanceSet } from './instance-set.js';
import { Slot } from './slot.js';
import { whole } from './stages/part.js';
import { ZoneMembers } from './zone-members.js';
import type { Env, Part, Picker, Policy, Stage, StageContext } from './types.js';

/** What is decided for all calls until the set changes or `expiresAtMs`. */
export interface Decision {
  readonly version: number;
  readonly structure: number;
  readonly expiresAtMs: number;
  /** A big set is not looked through again before, for the sake of a breaker or of a ramp. */
  readonly restsUntilMs: number;
  /** The preferred first. */
  readonly slots: readonly Slot[];
  /** Ids of the candidates whose breaker is not closed, or should not be. */
  readonly doubtful: ReadonlySet<string>;
  /** The candidates by zone. */
  readonly zones: ZoneMembers;
  readonly stages: readonly { readonly name: string; readonly left: number }[];
  /** Why the rules were set aside and all instances used; `undefined` in good times. */
  readonly panic: string | undefined;
}

export interface DecisionOptions {
  readonly stages: readonly Stage[];
  readonly policy: Policy;
}

/** Sets of more instances rest between two builds, for their size over {@link BIG_PER_MS} in ms: some 3 % of the time. */
const BIG = 1_000;
const BIG_PER_MS = 100;

/** Runs the stages over one instance set, on change or expiry only, and keeps what came of it. */
export class Decisions {
  #current: Decision | undefined;
  #rebuilds = 0;
  /** The picker last built for a part of each name, and the last one of all. */
  readonly #pickers = new Map<string, Picker>();
  #newest: Picker | undefined;

  constructor(
    private readonly set: InstanceSet,
    private readonly options: DecisionOptions,
    private readonly env: Env,
  ) {}

  get current(): Decision | undefined {
    return this.#current;
  }

  /** How often a picker has been built. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  /** What holds at `nowMs`. */
  at(nowMs: number): Decision {
    const current = this.#current;
    if (current !== undefined) {
      if (!this.isOld(current, nowMs)) return current;
      if (current.structure === this.set.structure && nowMs < current.restsUntilMs) return current;
    }
    return this.renew(nowMs);
  }

  /** What holds now, looked at anew. */
  renew(nowMs: number): Decision {
    return (this.#current = this.#build(nowMs, this.#current));
  }

  /** True when it is used although something has changed since: of a big set. */
  isOld({ version, expiresAtMs }: Decision, nowMs: number): boolean {
    return version !== this.set.version || nowMs >= expiresAtMs;
  }

  #build(nowMs: number, previous: Decision | undefined): Decision {
    const { version, structure, slowStart, size } = this.set;
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
      const left = parts.reduce(
        (sum, part) => sum + (part.ratio > 0 ? part.candidates.length : 0),
        0,
      );
      return { name: stage.name, left };
    });
    const doubtful = doubtfulOf(parts, context);
    const slots = parts.map((part) => this.#slotFor(part, previous).prepare());
    this.#forgetPickers(parts);
    const restsUntilMs = size > BIG ? nowMs + size / BIG_PER_MS : nowMs;
    return {
      version,
      structure,
      expiresAtMs,
      restsUntilMs,
      slots,
      doubtful,
      zones: new ZoneMembers(slots),
      stages,
      panic,
    };
  }

  /** Pickers of parts that are no more; the newest of all stays, and with it what they share. */
  #forgetPickers(parts: readonly Part[]): void {
    if (this.#pickers.size <= parts.length) return;
    const names = new Set(parts.map(({ name }) => name));
    for (const name of this.#pickers.keys()) if (!names.has(name)) this.#pickers.delete(name);
  }

  /** The slot of the same name before, where it fits; else a new one, that is to know what the others know. */
  #slotFor(part: Part, previous: Decision | undefined): Slot {
    const before = previous?.slots.find((slot) => slot.part.name === part.name);
    if (before?.fits(part) === true) return before.forPart(part);
    return new Slot(
      part,
      this.options.policy,
      this.env,
      () => this.#pickers.get(part.name) ?? this.#newest,
      (picker) => {
        this.#rebuilds++;
        this.#pickers.set(part.name, picker);
        this.#newest = picker;
      },
    );
  }
}

function doubtfulOf(parts: readonly Part[], context: StageContext): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { candidates } of parts) {
    for (const { instance, state } of candidates) {
      const isHeld = state.heldUntilMs > context.nowMs;
      if (isHeld) context.expireAt(state.heldUntilMs);
      if (isHeld || state.breaker.kind !== 'closed') ids.add(instance.id);
    }
  }
  return ids;
}
