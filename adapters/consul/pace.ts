/** How fast reads may follow each other. */
import type { Rng } from '../../src/types.js';
import type { FaultKind } from './agent-error.js';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 30_000;
const BUSY_MIN_MS = 1_000;
const BUSY_MAX_MS = 60_000;
/** Less than 45 s with the read, for a list must not be older than that after the cure. */
const PERMANENT_MIN_MS = 20_000;
const PERMANENT_MAX_MS = 40_000;

const BURST = 2;
const READ_EVERY_MS = 1_000;
const LARGE_READ_EVERY_MS = 5_000;
const LARGE_ENTRIES = 5_000;
/** Without an index the next read answers at once, changed or not. */
export const POLL_WITHOUT_INDEX_MS = 5_000;

export interface Pause {
  readonly ms: number;
  /** What must pass even when fresh data is wanted, so that a caller in need makes no hot loop. */
  readonly atLeastMs: number;
}

/**
 * The pause after a failed read: full jitter under a ceiling that doubles (Brooker, "Exponential Backoff And
 * Jitter", AWS 2015), or what the agent asked for, or 20 to 40 s where only a change of configuration helps.
 *
 * @param failures failed reads in a row, this one included.
 */
export function pauseAfter(
  error: { readonly kind: FaultKind; readonly retryAfterMs?: number | undefined },
  failures: number,
  rng: Rng,
): Pause {
  if (error.kind === 'permanent') {
    const spreadMs = PERMANENT_MAX_MS - PERMANENT_MIN_MS;
    return { ms: PERMANENT_MIN_MS + rng.next() * spreadMs, atLeastMs: BUSY_MIN_MS };
  }
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
  const jittered = rng.next() * ceiling;
  if (error.kind === 'transient') {
    return { ms: jittered, atLeastMs: Math.min(jittered, BUSY_MIN_MS) };
  }
  // Jitter on top of what was asked for: all were told the same.
  const asked = Math.min(BUSY_MAX_MS, Math.max(BUSY_MIN_MS, error.retryAfterMs ?? 0));
  return { ms: asked + jittered, atLeastMs: asked };
}

/** The pause before a read that cannot block, in ms: half of it is random, so that watches do not come together. */
export function pollPause(pollMs: number, rng: Rng): number {
  return (pollMs / 2) * (1 + rng.next());
}

/**
 * Allows a watch a burst of two updates, then one a second; above 5,000 entries one in five seconds, for such
 * a list costs 10 MB and 100 ms to read. The generic cell rate algorithm (ITU-T I.371).
 */
export class ReadBudget {
  #theoreticalMs = 0;

  /**
   * Takes a token for the next read; gives how long to wait for it.
   *
   * @param pollMs how long to wait in any case, as the next read will not; 0 when it blocks.
   */
  take(nowMs: number, entries: number, pollMs: number): Pause {
    const intervalMs = entries > LARGE_ENTRIES ? LARGE_READ_EVERY_MS : READ_EVERY_MS;
    this.#theoreticalMs = Math.max(this.#theoreticalMs, nowMs) + intervalMs;
    const ms = Math.max(0, this.#theoreticalMs - nowMs - BURST * intervalMs);
    if (pollMs === 0) return { ms, atLeastMs: ms };
    return { ms: Math.max(ms, pollMs), atLeastMs: Math.max(ms, READ_EVERY_MS) };
  }
}
