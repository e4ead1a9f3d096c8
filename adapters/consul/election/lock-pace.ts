/** How soon a candidate looks at the key again. */
import type { Rng } from '../../../src/types.js';
import type { AgentError } from '../agent-error.js';
import { pauseAfter } from '../pace.js';

/** A snapshot that was restored can hold old data under an old index: only a wait with a bound heals that. */
const PARK_MS = 30_000;

const BURST = 20;
const LOOK_EVERY_MS = 200;

/** When the next look at the key begins, or ends at the latest. */
export interface NextLook {
  /** Index to wait on; 0 for a read that does not block, once `waitMs` have passed. */
  readonly index: number;
  readonly waitMs: number;
}

export const LOOK_NOW: NextLook = { index: 0, waitMs: 0 };

/** Until the key changes. Without an index it is polled. */
export function parked(index: number, rng: Rng): NextLook {
  return index > 0 ? { index, waitMs: PARK_MS } : lookSoon(0, rng);
}

/**
 * In about a second, or when the key changes: Consul does not tell when a lock-delay is over. In whole milliseconds, and
 * not 0, which is five minutes to Consul.
 */
export function lookSoon(index: number, rng: Rng, atMostMs = Infinity): NextLook {
  const waitMs = Math.min(atMostMs, 500 + rng.next() * 1_000);
  return { index, waitMs: Math.ceil(waitMs) };
}

/** The pause after a failed request: full jitter, or as long as Consul asks for, or 20 to 40 s for what lasts. */
export function pauseMsAfter(
  error: AgentError,
  failures: number,
  rng: Rng,
  { maxMs, asksForToken }: { readonly maxMs: number; readonly asksForToken: boolean },
): number {
  // The token may have been rotated meanwhile: the next request asks for it anew.
  const isRotated = error.status === 403 && failures === 1 && asksForToken;
  const { ms } = pauseAfter(isRotated ? { kind: 'transient' } : error, failures, rng);
  return error.kind === 'transient' || isRotated ? Math.min(ms, maxMs) : ms;
}

/**
 * Bounds the looks at a key that somebody writes all the time: a burst of twenty, then five a second. The generic
 * cell rate algorithm (ITU-T I.371).
 */
export class LookBudget {
  #theoreticalMs = 0;

  /** Takes a token; gives how long to wait for it. */
  take(nowMs: number): number {
    this.#theoreticalMs = Math.max(this.#theoreticalMs, nowMs) + LOOK_EVERY_MS;
    return Math.max(0, this.#theoreticalMs - nowMs - BURST * LOOK_EVERY_MS);
  }
}
