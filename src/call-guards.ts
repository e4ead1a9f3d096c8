/** What the calls of one client share: retry budget, hedges, bounds on concurrency, and what answers usually take. */
import { Bulkhead } from './bulkhead.js';
import { InstanceLimits } from './instance-limits.js';
import type { InFlightWatch } from './instance-state.js';
import type { ResolvedOptions } from './options.js';
import { concurrencyLimit } from './resilience/concurrency-limit.js';
import { Hedger } from './resilience/hedger.js';
import { RetryBudget } from './resilience/retry-budget.js';
import { UsualLatency } from './resilience/usual-latency.js';
import type { Env } from './types.js';

export interface GuardsSnapshot {
  /** Retries and hedges that may be made now, and how many of them whatever succeeds; `undefined` without a budget. */
  readonly budget: { readonly available: number; readonly reserve: number } | undefined;
  /** Age in ms at which a first attempt is hedged; `undefined` where nothing is, or too little was measured. */
  readonly hedgeDelayMs: number | undefined;
  /** Calls that may be under way at once; `undefined` when any number may. */
  readonly limit: number | undefined;
  /** Calls that wait for their turn, or for an instance with room. */
  readonly queued: number;
}

export class CallGuards {
  readonly usual: UsualLatency = new UsualLatency();
  readonly budget: RetryBudget | undefined;
  readonly hedger: Hedger | undefined;
  readonly bulkhead: Bulkhead | undefined;
  readonly limits: InstanceLimits | undefined;
  /** Told of every attempt; `undefined` where nothing learns from them or bounds them. */
  readonly watch: InFlightWatch | undefined;

  constructor({ budget, hedge, maxConcurrency }: ResolvedOptions, { clock, rng }: Env) {
    this.budget = budget && new RetryBudget(budget);
    this.hedger = hedge && new Hedger(hedge);
    const { client, perInstance, queueSize = 0 } = maxConcurrency ?? {};
    this.bulkhead =
      client === undefined
        ? undefined
        : new Bulkhead(concurrencyLimit(client, rng), queueSize, clock);
    this.limits =
      perInstance === undefined
        ? undefined
        : new InstanceLimits(() => concurrencyLimit(perInstance, rng), queueSize, clock);
    const learner = typeof client === 'object' ? this.bulkhead : undefined;
    this.watch = learner && this.limits ? both(this.limits, learner) : (learner ?? this.limits);
  }

  /** What can be seen of it in a client's snapshot. */
  describe(nowMs: number): GuardsSnapshot {
    const { budget, hedger, bulkhead, limits } = this;
    return {
      budget: budget && { available: budget.available(nowMs), reserve: budget.reserve },
      hedgeDelayMs: hedger?.delayMs(),
      limit: bulkhead?.limit.limit,
      queued: (bulkhead?.queued ?? 0) + (limits?.queued ?? 0),
    };
  }

  /** Those who wait for their turn are turned away. */
  close(reason: Error): void {
    this.bulkhead?.close(reason);
    this.limits?.close(reason);
  }
}

function both(first: InFlightWatch, second: InFlightWatch): InFlightWatch {
  return {
    began: (state) => {
      first.began(state);
      second.began(state);
    },
    answered: (state, elapsedMs, nowMs) => {
      first.answered(state, elapsedMs, nowMs);
      second.answered(state, elapsedMs, nowMs);
    },
    ended: (state, elapsedMs, outcome, nowMs) => {
      first.ended(state, elapsedMs, outcome, nowMs);
      second.ended(state, elapsedMs, outcome, nowMs);
    },
  };
}
