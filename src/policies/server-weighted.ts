import type { CallContext, Candidate, Env, Picker, Policy } from '../types.js';
import { checkKeys, checkMs, checkNumber } from '../validate.js';
import { DeadlinePicker } from './earliest-deadline.js';
import { reportedWeight } from './reported-weight.js';

export interface ServerWeightedOptions {
  /** How long an instance must have reported before its reports count, in ms >= 0. Default 10,000. */
  readonly blackoutMs?: number | undefined;
  /** How long a report counts, in ms. Default 180,000. */
  readonly expiryMs?: number | undefined;
  /** How often the weights are brought up to date, in ms. Default 1,000. */
  readonly updateMs?: number | undefined;
  /** How much an instance's error rate lowers its weight, >= 0. Default 1. */
  readonly errorPenalty?: number | undefined;
}

type Settings = { readonly [Key in keyof ServerWeightedOptions]-?: number };

/**
 * Weighted round robin whose weights the servers report themselves: requests served per unit of utilization,
 * `qps / (utilization + errorsPerSecond / qps * errorPenalty)`. Reports come from `lease.report(...)`, or from the
 * response header `endpoint-load-metrics` through the HTTP wrappers.
 *
 * An instance without a usable report gets the mean of the others' weights; while fewer than two have one, the
 * configured weights apply. No timer: weights are brought up to date by the first pick after `updateMs`.
 *
 * Source: gRFC A58, weighted_round_robin.
 *
 * @throws {InvalidOptionError} naming the option out of range.
 */
export function serverWeighted(options: ServerWeightedOptions = {}): Policy {
  const path = 'serverWeighted';
  checkKeys(path, options, ['blackoutMs', 'expiryMs', 'updateMs', 'errorPenalty']);
  const settings: Settings = {
    blackoutMs: checkNumber(`${path}.blackoutMs`, options.blackoutMs ?? 10_000, {
      min: 0,
      unit: 'milliseconds',
    }),
    expiryMs: checkMs(`${path}.expiryMs`, options.expiryMs ?? 180_000),
    updateMs: checkMs(`${path}.updateMs`, options.updateMs ?? 1_000),
    errorPenalty: checkNumber(`${path}.errorPenalty`, options.errorPenalty ?? 1, { min: 0 }),
  };
  return {
    name: 'server-weighted',
    build: (candidates, env, previous) =>
      new ServerWeightedPicker(
        candidates,
        env,
        settings,
        previous instanceof ServerWeightedPicker ? previous : undefined,
      ),
  };
}

class ServerWeightedPicker implements Picker {
  readonly #candidates: readonly Candidate[];
  readonly #env: Env;
  readonly #settings: Settings;
  /** When each instance that reports began to, by id. */
  #since: ReadonlyMap<string, number>;
  #turns: DeadlinePicker;
  #weights: readonly number[];
  #updatedAtMs: number;

  constructor(
    candidates: readonly Candidate[],
    env: Env,
    settings: Settings,
    previous: ServerWeightedPicker | undefined,
  ) {
    this.#candidates = candidates;
    this.#env = env;
    this.#settings = settings;
    this.#since = previous === undefined ? new Map() : previous.#since;
    this.#updatedAtMs = env.clock.now();
    this.#weights = this.#weigh(this.#updatedAtMs);
    const turns = previous === undefined ? undefined : previous.#turns;
    this.#turns = new DeadlinePicker(candidates, this.#weights, env.rng, turns);
  }

  pick(context: CallContext): Candidate | undefined {
    if (context.nowMs - this.#updatedAtMs >= this.#settings.updateMs) this.#update(context.nowMs);
    return this.#turns.pick(context);
  }

  #update(nowMs: number): void {
    this.#updatedAtMs = nowMs;
    const weights = this.#weigh(nowMs);
    if (weights.every((weight, i) => weight === this.#weights[i])) return;
    this.#weights = weights;
    this.#turns = new DeadlinePicker(this.#candidates, weights, this.#env.rng, this.#turns);
  }

  #weigh(nowMs: number): readonly number[] {
    const since = new Map<string, number>();
    const reported = this.#candidates.map((candidate) => this.#usable(candidate, nowMs, since));
    this.#since = since;
    const known = reported.filter((weight) => weight !== undefined);
    if (known.length < 2) return this.#candidates.map(({ state }) => state.capacity);
    const mean = known.reduce((sum, weight) => sum + weight / known.length, 0);
    return reported.map((weight, i) => (weight ?? mean) * rampOf(this.#candidates[i]));
  }

  /** The weight that an instance's report gives it; `undefined` when it has none that counts. */
  #usable(
    { instance, state }: Candidate,
    nowMs: number,
    since: Map<string, number>,
  ): number | undefined {
    const { blackoutMs, expiryMs, errorPenalty } = this.#settings;
    const { report } = state;
    if (report === undefined || nowMs - report.atMs >= expiryMs) return undefined;
    const weight = reportedWeight(report, errorPenalty);
    if (weight === undefined) return undefined;
    const began = this.#since.get(instance.id) ?? report.atMs;
    since.set(instance.id, began);
    return nowMs - began >= blackoutMs ? weight : undefined;
  }
}

/** An instance that warms up gets that part of what it reports. */
function rampOf(candidate: Candidate | undefined): number {
  return candidate === undefined ? 1 : candidate.state.capacity / candidate.instance.weight;
}
