import type { ResolvedHealthCheck } from '../health-options.js';
import type { InstanceState } from '../instance-state.js';
import type { Env } from '../types.js';

/** What a check changed. */
export interface HealthChange {
  /** How long it was unhealthy, in ms, when it is healthy again; else 0. */
  readonly outMs: number;
  /** What the last check said, when it failed. */
  readonly error: string | undefined;
}

/** Checks the instances of a set, each in its turn. */
export class HealthChecker {
  constructor(
    readonly settings: ResolvedHealthCheck,
    readonly service: string,
    readonly env: Env,
    readonly onChange: (state: InstanceState, change: HealthChange) => void,
  ) {}

  /** From now on exactly these are checked. */
  watch(_states: readonly InstanceState[]): void {
    //
  }

  close(): void {
    //
  }
}
