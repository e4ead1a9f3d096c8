import type { ResolvedAdaptiveLimit } from '../resilience-options.js';
import type { Rng } from '../types.js';
import { GradientLimit } from './gradient-limit.js';
import type { LimitSample } from './sample-window.js';

/** How much may be in flight at once. */
export interface ConcurrencyLimit {
  /** A whole number >= 1. Changes in {@link ConcurrencyLimit.record} alone. */
  readonly limit: number;
  /** Learns from an attempt that was answered, or has failed. */
  record(sample: LimitSample): void;
}

/** @param rng spreads the probes of adaptive limits, which are not to come all at once. */
export function concurrencyLimit(
  setting: number | ResolvedAdaptiveLimit,
  rng: Rng,
): ConcurrencyLimit {
  if (typeof setting !== 'number') return new GradientLimit(setting, rng);
  return { limit: setting, record: () => undefined };
}
