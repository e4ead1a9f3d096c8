/** How fast reads may follow each other. */
import type { Rng } from '../../src/types.js';
import type { FaultKind } from './agent-error.js';
import type { Reply } from './reply.js';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 30_000;
const BUSY_MIN_MS = 1_000;
const BUSY_MAX_MS = 60_000;
const PERMANENT_MS = 60_000;

const BURST = 2;
const READ_EVERY_MS = 1_000;
const LARGE_READ_EVERY_MS = 5_000;
const LARGE_ENTRIES = 5_000;
const POLL_EVERY_MS = 5_000;

export interface Pause {
  readonly ms: number;
  /** What must pass even when fresh data is wanted, so that a caller in need makes no hot loop. */
  readonly atLeastMs: number;
}

/**
 * The pause after a failed read: full jitter under a ceiling that doubles (Brooker, "Exponential Backoff And
 * Jitter", AWS 2015), or what the agent asked for, or a minute where only a change of configuration helps.
 *
 * @param failures failed reads in a row, this one included.
 */
export function pauseAfter(
  error: { readonly kind: FaultKind; readonly retryAfterMs?: number | undefined },
  failures: number,
  rng: Rng,
): Pause {
  if (error.kind === 'permanent') return { ms: PERMANENT_MS, atLeastMs: BUSY_MIN_MS };
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
  const jittered = rng.next() * ceiling;
  if (error.kind === 'transient') {
    return { ms: jittered, atLeastMs: Math.min(jittered, BUSY_MIN_MS) };
  }
  // Jitter on top of what was asked for: all were told the same.
  const asked = Math.min(BUSY_MAX_MS, Math.max(BUSY_MIN_MS, error.retryAfterMs ?? 0));
  return { ms: asked + jittered, atLeastMs: asked };
}

/**
 * Allows a watch a burst of two updates, then one a second; above 5,000 entries one in five seconds, for such
 * a list costs 10 MB and 100 ms to read. The generic cell rate algorithm (ITU-T I.371).
 */
export class ReadBudget {
  #theoreticalMs = 0;

  /** Takes a token for the next read; gives how long to wait for it. */
  take(nowMs: number, last: Reply): Pause {
    // Without an index the next read answers at once, changed or not.
    if (last.index === 0) return { ms: POLL_EVERY_MS, atLeastMs: READ_EVERY_MS };
    const intervalMs = last.entries.length > LARGE_ENTRIES ? LARGE_READ_EVERY_MS : READ_EVERY_MS;
    this.#theoreticalMs = Math.max(this.#theoreticalMs, nowMs) + intervalMs;
    const ms = Math.max(0, this.#theoreticalMs - nowMs - BURST * intervalMs);
    return { ms, atLeastMs: ms };
  }
}
