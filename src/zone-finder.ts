import type { ZoneSource } from './topology-options.js';
import type { Env } from './types.js';

/** What a zone finder tells. */
export interface ZoneHooks {
  onFound(zone: string): void;
  /** It could not be found for now. */
  onFault(error: unknown): void;
}

/** Knows the caller's zone, or finds it. */
export class ZoneFinder {
  constructor(
    private readonly local: string | ZoneSource,
    readonly env: Env,
    readonly hooks: ZoneHooks,
  ) {}

  get zone(): string | undefined {
    return typeof this.local === 'string' ? this.local : undefined;
  }

  close(): void {
    //
  }
}
