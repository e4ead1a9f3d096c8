import type { ResolvedAdaptiveLimit } from '../resilience-options.js';

/** How much may be in flight at once. */
export interface ConcurrencyLimit {
  /** A whole number >= 1. */
  readonly limit: number;
  /** Learns from an attempt that has ended, was not ignored, and began with `inFlight` others and itself under way. */
  record(sample: LimitSample): void;
}

export interface LimitSample {
  readonly nowMs: number;
  readonly elapsedMs: number;
  /** In flight when it ended, itself included. */
  readonly inFlight: number;
  /** It failed, or was turned away: there is too much. */
  readonly dropped: boolean;
}

export function concurrencyLimit(setting: number | ResolvedAdaptiveLimit): ConcurrencyLimit {
  return {
    limit: typeof setting === 'number' ? setting : setting.initial,
    record: () => undefined,
  };
}
